"""The dock widget's part that saves a corrected layer as a training case."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import edits, parts, restore, results, settings
from napari_covidseg.viewer.background import Background
from napari_covidseg.viewer.saving import prepare
from napari_covidseg.viewer.train_preview import is_preview


class SaveCasePanel(QWidget):
    """Which labels, into which dataset folder, by whom; Save; and what was saved where.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Whose label layers are offered.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._background = Background(self)
        self._said: dict[str, str] = {}  # of each layer, where it was saved
        self._meanings: dict[str, str] = {}  # of each layer, the scheme that was chosen
        self._saving = False
        self.layer = QComboBox()
        self.layer.setToolTip("The corrected labels. Follows the layer selected in the list.")
        self.layer.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.scheme = QComboBox()
        self.scheme.setToolTip("What the values of these labels mean.")
        for scheme in SCHEMES.values():
            names = ", ".join(f"{value} {name}" for value, name in scheme.names.items())
            self.scheme.addItem(names, scheme.key)
        self.scheme.setPlaceholderText("Choose")
        # Meanings are as long as they like, the dock is not.
        self.scheme.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._preferred = settings.dataset_folder()
        self.folder = QLineEdit(str(self._preferred or ""))
        self.folder.setPlaceholderText("Choose a folder")
        self.folder.setToolTip(
            "Folder for training cases, in the layout of nnU-Net v2: one dataset in it for "
            "each kind of image and labels."
        )
        self.browse = QToolButton()
        self.browse.setText("...")
        self.browse.setToolTip("Choose the folder for training cases.")
        self.annotator = QLineEdit()
        self.annotator.setPlaceholderText("Optional")
        self.annotator.setToolTip("Who corrected the labels; goes into the case's description.")
        self.save_button = parts.button(
            "Save as training case",
            "Save the image, these labels and the model's first answer into the dataset folder.",
        )
        self.status = parts.words()
        self._build()
        self._connect()
        self._refresh()
        # Once the window stands: then the question can lie over it.
        QTimer.singleShot(0, self._offer_recovery)

    @property
    def chosen(self) -> Labels | None:
        """The label layer to save."""
        wanted = self.layer.currentData()
        return next((x for x in self._labels() if str(x.unique_id) == wanted), None)

    def save(self) -> None:
        """Save the chosen labels, without stopping the viewer."""
        if self._saving:
            return
        layer = self.chosen
        text = self.folder.text().strip()
        folder = Path(text).expanduser() if text else None
        if folder is None and not self._choose_folder():
            self.status.setText("Choose first where training cases go.")
            return
        folder = folder or Path(self.folder.text()).expanduser()
        known = layer is not None and results.scheme_of(layer) is not None
        scheme = None if known else SCHEMES.get(self.scheme.currentData())
        try:
            work = prepare(self.viewer, layer, folder, self.annotator.text(), scheme)
        except CovidsegError as error:
            self.status.setText(str(error))
            return
        settings.remember_dataset_folder(folder)
        self._saving = True
        self.save_button.setEnabled(False)
        self.status.setText("Saving")
        count = edits.edit_count(layer)
        self._background.do(work, partial(self._saved, layer, count), self._failed)

    def follow_preferences(self) -> None:
        """Take over the dataset folder, if it was changed on the Preferences page."""
        preferred = settings.dataset_folder()
        if preferred != self._preferred:
            self._preferred = preferred
            self.folder.setText(str(preferred or ""))

    def detach(self) -> None:
        """Stop following the viewer."""
        events = self.viewer.layers.events
        with contextlib.suppress(ValueError):  # it stopped before
            for signal in (events.inserted, events.removed, events.renamed):
                signal.disconnect(self._refresh)
            self.viewer.layers.selection.events.active.disconnect(self._follow)
        edits.bus.changed.disconnect(self._edited)

    def _build(self) -> None:
        layout = parts.column(self)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.folder)
        row.addWidget(self.browse)
        self._form.addRow("Labels", self.layer)
        self._form.addRow("Values", self.scheme)
        self._form.addRow("Dataset", row)
        self._form.addRow("Annotator", self.annotator)
        layout.addLayout(self._form)
        layout.addWidget(self.save_button)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        events = self.viewer.layers.events
        for signal in (events.inserted, events.removed, events.renamed):
            signal.connect(self._refresh)
        self.viewer.layers.selection.events.active.connect(self._follow)
        edited = self._edited
        edits.bus.changed.connect(edited)
        # The bus outlives a window that is closed with the widget in it.
        self.destroyed.connect(lambda *_: edits.bus.changed.disconnect(edited))
        self.layer.currentIndexChanged.connect(lambda _: self._show())
        self.scheme.currentIndexChanged.connect(lambda _: self._mean())
        self.browse.clicked.connect(lambda _: self._choose_folder())
        self.save_button.clicked.connect(lambda _: self.save())

    def _labels(self) -> list[Labels]:
        return [x for x in self.viewer.layers if isinstance(x, Labels) and not is_preview(x)]

    def _refresh(self, event: Any = None) -> None:
        before = self.layer.currentData()
        with QSignalBlocker(self.layer):
            self.layer.clear()
            for layer in self._labels():
                self.layer.addItem(layer.name, str(layer.unique_id))
            index = self.layer.findData(before)
            self.layer.setCurrentIndex(index if index >= 0 else self.layer.count() - 1)
        self._follow()
        self._show()

    def _follow(self, event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        if active in self._labels():
            # Labels that a person adds and draws are worth keeping as much as ours.
            edits.watch(active, self.viewer)
            self.layer.setCurrentIndex(self.layer.findData(str(active.unique_id)))

    def _edited(self, layer: Any) -> None:
        self._show()

    def _mean(self) -> None:
        self._meanings[self.layer.currentData()] = self.scheme.currentData()
        self._show()

    def _show(self) -> None:
        layer = self.chosen
        with QSignalBlocker(self.scheme):
            meaning = self._meanings.get(self.layer.currentData())
            self.scheme.setCurrentIndex(self.scheme.findData(meaning))
        self._form.setRowVisible(
            self.scheme, layer is not None and results.scheme_of(layer) is None
        )
        self.save_button.setEnabled(layer is not None and not self._saving)
        edited = layer is not None and edits.is_edited(layer)
        self.save_button.setText(f"Save as training case{edits.STAR if edited else ''}")
        if layer is None:
            self.status.setText("No labels yet: press Run, or add a label layer and draw.")
        elif edited:
            self.status.setText("Edited by hand, not saved yet.")
        else:
            self.status.setText(self._said.get(self.layer.currentData(), ""))

    def _choose_folder(self) -> bool:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for training cases")
        if chosen:
            self.folder.setText(chosen)
            settings.remember_dataset_folder(Path(chosen))
        return bool(chosen)

    def _saved(self, layer: Labels, count: int, sidecar: Path) -> None:
        self._saving = False
        changed = edits.edit_count(layer) != count
        if not changed:
            edits.mark_saved(layer)
        dataset = sidecar.parent.parent
        said = f"Saved {sidecar.stem} in {dataset.name} ({dataset.parent})."
        self._said[str(layer.unique_id)] = said
        self._show()
        if changed and layer is self.chosen:
            self.status.setText(f"{said} You edited since: save again.")

    def _failed(self, error: CovidsegError) -> None:
        self._saving = False
        self._show()
        self.status.setText(str(error))

    def _offer_recovery(self) -> None:
        if getattr(self.viewer, "window", None) is not None:
            restore.offer(self.viewer)
