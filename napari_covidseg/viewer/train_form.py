"""What to train: dataset, base model, schedule, and the name of what comes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
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

from napari_covidseg.annotation.overview import Overview
from napari_covidseg.segmentation import ModelRef
from napari_covidseg.training.wording import counted
from napari_covidseg.viewer import parts, settings

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo

LEAST_CASES = 2
"""One to learn from and one to be held out."""

SCHEDULES = {
    "quick": "Ten short epochs with small steps: a first look, minutes on a CPU.",
    "thorough": "Thirty longer epochs: hours on a CPU.",
}
FROM_FILE = "file"


@dataclass(frozen=True)
class Found:
    """What there is to choose from.

    Attributes
    ----------
    datasets : tuple of Overview
    models : tuple of ModelInfo
        To start from.
    installed : tuple of ModelInfo
        Those that share a place with the new one.
    taken : mapping
        Names and versions of trainings that stand in the way of a new one, and why.
    """

    datasets: tuple[Overview, ...] = ()
    models: tuple[ModelInfo, ...] = ()
    installed: tuple[ModelInfo, ...] = ()
    taken: Mapping[ModelRef, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What to train; the fields of ``runs.begin``."""

    base: ModelInfo
    dataset: Overview
    name: str
    version: str
    schedule: str | Path


def look(folder: Path | None, model_dirs: Sequence[Path]) -> Found:
    """Find datasets and models; slow enough for a thread of its own.

    Raises
    ------
    CovidsegError
        If the folder is a damaged dataset.
    """
    from napari_covidseg.annotation.overview import overview
    from napari_covidseg.inference.registry import available
    from napari_covidseg.training.runs import taken

    datasets = overview(folder) if folder else ()
    return Found(datasets, available(model_dirs), available(), taken())


class TrainForm(QWidget):
    """The choices, one row each."""

    changed = Signal()
    """Another choice, or what there is to choose from became known."""
    folder_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found = Found()
        self._file: Path | None = None
        self._named = False
        self.folder = QLineEdit(str(settings.dataset_folder() or ""))
        self.folder.setPlaceholderText("Choose a folder")
        self.folder.setToolTip("Folder into which training cases were saved.")
        self.browse = QToolButton()
        self.browse.setText("...")
        self.browse.setToolTip("Choose the folder with training cases.")
        self.dataset = _combo("Which dataset of the folder to learn from.")
        self.facts = parts.words(tooltip="Whole cases in the dataset, and what is drawn in them.")
        self.base = _combo("The model to go on from: one with the dataset's labels.")
        self.schedule = _combo("How long and how fast to train.")
        for name, tip in SCHEDULES.items():
            self.schedule.addItem(name.capitalize(), name)
            self.schedule.setItemData(self.schedule.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.schedule.addItem("Choose a file...", FROM_FILE)
        self.name = QLineEdit()
        self.name.setToolTip("What the new model is called: small letters, digits and '-'.")
        self.version = QLineEdit()
        self.version.setToolTip("Version of the new model, three numbers.")
        self.version.setMaximumWidth(70)
        self._build()
        self.folder.editingFinished.connect(self.folder_changed)
        self.browse.clicked.connect(lambda _: self._choose_folder())
        self.dataset.activated.connect(lambda _: self._show_dataset())
        self.base.activated.connect(lambda _: self._show_name())
        self.schedule.activated.connect(lambda _: self._choose_schedule())
        self.name.textEdited.connect(lambda _: self._rename())
        self.version.textEdited.connect(lambda _: self.changed.emit())

    @property
    def chosen_folder(self) -> Path | None:
        """Folder with datasets, or one dataset."""
        text = self.folder.text().strip()
        return Path(text).expanduser() if text else None

    @property
    def choice(self) -> Choice | None:
        """What is chosen; None where something is missing (see `why_not`)."""
        dataset, base = self.dataset.currentData(), self.base.currentData()
        if self.why_not or dataset is None or base is None:
            return None
        schedule = self.schedule.currentData()
        return Choice(
            base,
            dataset,
            self.new_model.name,
            self.new_model.version,
            self._file if schedule == FROM_FILE and self._file else schedule,
        )

    @property
    def new_model(self) -> ModelRef:
        """Name and version of the new model, as they stand in the form."""
        return ModelRef(self.name.text().strip(), self.version.text().strip())

    @property
    def why_not(self) -> str:
        """Say why no training can start; empty where it can."""
        dataset = self.dataset.currentData()
        if self.chosen_folder is None:
            return "Choose the folder with your training cases."
        if dataset is None:
            return "There is no dataset in this folder: save training cases into it first."
        if dataset.scheme is None or dataset.modality is None:
            return "No model has this dataset's labels, or it does not say CT or X-ray."
        if dataset.cases < LEAST_CASES:
            return f"At least {LEAST_CASES} cases are needed: one is held out to measure with."
        if self.base.currentData() is None:
            return "There is no model with this dataset's labels to start from."
        return self._why_not_named

    def show_found(self, found: Found) -> None:
        """Take over what there is to choose from; keeps the choices that still exist."""
        self._found = found
        before = self.dataset.currentText()
        with QSignalBlocker(self.dataset):
            self.dataset.clear()
            for one in found.datasets:
                self.dataset.addItem(one.folder.name, one)
            self.dataset.setCurrentIndex(max(0, self.dataset.findText(before)))
        self._show_dataset()

    @property
    def _why_not_named(self) -> str:
        """Say what is wrong with name and version; empty where nothing is."""
        from napari_covidseg.inference.install import check_name
        from napari_covidseg.inference.registry import ModelError

        new = self.new_model
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", new.name):
            return "Name the model with small letters, digits and '-'."
        if not re.fullmatch(r"\d+\.\d+\.\d+", new.version):
            return "Give the model a version like 1.1.0."
        if any(m.reference == new.reference for m in self._found.models):
            return f"{new.reference} is there already: give another version."
        try:
            check_name(new.name, new.version, replace=True, known=self._found.installed)
        except ModelError as error:
            return str(error)
        return self._found.taken.get(new, "")

    def _build(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Folder", _row(self.folder, self.browse))
        form.addRow("Dataset", self.dataset)
        form.addRow("", self.facts)
        form.addRow("Start from", self.base)
        form.addRow("Recipe", self.schedule)
        form.addRow("New model", _row(self.name, self.version))

    def _show_dataset(self) -> None:
        one: Overview | None = self.dataset.currentData()
        before = self.base.currentText()
        with QSignalBlocker(self.base):
            self.base.clear()
            for model in self._found.models:
                if one and (model.scheme, model.modality) == (one.scheme, one.modality):
                    self.base.addItem(f"{model.name} {model.version}", model)
            self.base.setCurrentIndex(max(0, self.base.findText(before)))
        self.facts.setText(f"{counted(one.cases, 'case')}: {', '.join(one.labels)}" if one else "")
        self._show_name()

    def _show_name(self) -> None:
        """Propose the base model's name with the next version, unless a name was given."""
        base = self.base.currentData()
        if base is not None and not self._named:
            self.name.setText(base.name)
        self._show_version()

    def _rename(self) -> None:
        self._named = True
        self._show_version()

    def _show_version(self) -> None:
        from napari_covidseg.training.own_recipe import next_version

        models = (*self._found.models, *self._found.installed)
        known = [*(model.ref for model in models), *self._found.taken]
        self.version.setText(next_version(self.new_model.name, known))
        self.changed.emit()

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder with training cases")
        if chosen:
            self.folder.setText(chosen)
            self.folder_changed.emit()

    def _choose_schedule(self) -> None:
        if self.schedule.currentData() == FROM_FILE:
            chosen, _ = QFileDialog.getOpenFileName(self, "Recipe", "", "Recipes (*.toml)")
            if chosen:
                self._file = Path(chosen)
                self.schedule.setItemText(self.schedule.currentIndex(), f"{self._file.name}...")
            else:
                self.schedule.setCurrentIndex(0)
        self.schedule.setToolTip(
            f"Network, augmentation and schedule of {self._file}."
            if self.schedule.currentData() == FROM_FILE
            else SCHEDULES[self.schedule.currentData()]
        )
        self.changed.emit()


def _combo(tooltip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tooltip)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return row
