"""Which image, and what it is: follows the viewer's active layer, asks what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QSizePolicy,
    QWidget,
)

from napari_covidseg.study import Grid, Modality, Study
from napari_covidseg.viewer import geometry, parts, results
from napari_covidseg.viewer.check import Answers
from napari_covidseg.viewer.explainer import is_map
from napari_covidseg.viewer.images import images

MODALITIES = {Modality.CT: "CT", Modality.XR: "X-ray"}
SAMPLES = {"ct_phantom": "CT sample", "xray_phantom": "X-ray sample"}


class ImagePanel(QWidget):
    """Choice of the image, its modality, and for foreign layers its values and spacing."""

    image_changed = Signal()
    """Another image was chosen."""
    facts_changed = Signal()
    """The chosen image, or what the user says about it, is not what it was."""
    sample_wanted = Signal(str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._answers: dict[str, Answers] = {}
        self._heard: Image | None = None
        self.image = QComboBox()
        self.image.setToolTip("The image to work on. Follows the layer selected in the list.")
        self.modality = QComboBox()
        self.modality.setToolTip(
            "What made the image: found from the file or the pixels. Choose it if it is wrong."
        )
        self.values = QComboBox()
        self.values.setToolTip(
            "Whether the pixels are Hounsfield units (air about -1000, water 0), "
            "or a picture of a scan with grey values of its own."
        )
        self.spacing = _Spacing()
        self.facts = parts.words(tooltip="Size, spacing and sides of the image as it is shown.")
        self._build()
        for combo in (self.image, self.modality, self.values):
            # Names of images and words are as long as they like, the dock is not.
            combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for combo in (self.modality, self.values):
            combo.activated.connect(self._answer)
        self.spacing.changed.connect(
            lambda: self.set_answers(self.answers.spaced(self.spacing.given))
        )
        self.image.currentIndexChanged.connect(self._chosen)
        for signal in (viewer.layers.events.inserted, viewer.layers.events.removed):
            signal.connect(self._refresh)
        viewer.layers.events.renamed.connect(self._refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self._refresh()
        self._follow()

    def detach(self) -> None:
        """Stop following the viewer."""
        events = self._viewer.layers.events
        for signal in (events.inserted, events.removed, events.renamed):
            signal.disconnect(self._refresh)
        self._viewer.layers.selection.events.active.disconnect(self._follow)
        self._listen_to(None)

    @property
    def layer(self) -> Image | None:
        """The chosen image."""
        wanted = self.image.currentData()
        return next((x for x in images(self._viewer) if str(x.unique_id) == wanted), None)

    @property
    def answers(self) -> Answers:
        """What the user said about the chosen image."""
        return self._answers.get(self.image.currentData(), Answers())

    def set_answers(self, answers: Answers) -> None:
        """Take over other answers for the chosen image, and have it looked at again."""
        if self.layer is not None:
            self._answers[self.image.currentData()] = answers
            self.facts_changed.emit()

    def choose(self, layer: Image) -> None:
        """Choose an image."""
        self.image.setCurrentIndex(self.image.findData(str(layer.unique_id)))

    def show_study(self, detected: Study | None, answered: Study | None) -> None:
        """Show what the image was found to be, with the user's answers on top.

        `answered` is the study with answers and fixes.
        """
        answers = self.answers
        with QSignalBlocker(self.modality), QSignalBlocker(self.values):
            self.modality.clear()
            self.values.clear()
            if detected is None or answered is None:
                self.facts.setText("")
                for field in (self.values, self.spacing):
                    self._form.setRowVisible(field, False)
                return
            self.facts.setText(facts(detected, answered))
            found = MODALITIES.get(detected.modality) if detected.modality else None
            self.modality.addItem(f"{found} (detected)" if found else "Not known: choose", None)
            for kind, name in MODALITIES.items():
                self.modality.addItem(name, kind)
            self.modality.setCurrentIndex(self.modality.findData(answers.modality))
            meaning = "Hounsfield units" if detected.is_hu else "Grey values of a picture"
            self.values.addItem(f"{meaning} (detected)", None)
            self.values.addItem("Hounsfield units", True)
            self.values.addItem("Grey values of a picture", False)
            self.values.setCurrentIndex(self.values.findData(answers.is_hu))
        told = detected.spacing_known and not answers.ignores_spacing
        self.spacing.show_spacing(
            answers.spacing_of(detected) or (detected.spacing if told else None),
            detected.ndim,
            self.image.currentData(),
        )
        foreign = self.layer is not None and geometry.study_of(self.layer) is None
        modality = answers.modality or detected.modality
        self._form.setRowVisible(self.values, foreign and modality is Modality.CT)
        self._form.setRowVisible(self.spacing, not told and modality is Modality.CT)

    def _build(self) -> None:
        layout = parts.column(self)
        self._hint = QWidget()
        hint = parts.column(self._hint)
        hint.addWidget(
            parts.words("No image is open. Open a chest CT or X-ray (File > Open, or drop it), or:")
        )
        row = QHBoxLayout()
        for key, text in SAMPLES.items():
            sample = parts.button(text, f"Open a made-up image to try this out: {text}.")
            sample.clicked.connect(lambda _=False, k=key: self.sample_wanted.emit(k))
            row.addWidget(sample)
        hint.addLayout(row)
        layout.addWidget(self._hint)
        self._fields = QWidget()
        self._form = QFormLayout(self._fields)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._form.addRow("Image", self.image)
        self._form.addRow("Modality", self.modality)
        self._form.addRow("Values", self.values)
        self._form.addRow("Spacing", self.spacing)
        self._form.addRow(self.facts)
        for hidden in (self.values, self.spacing):
            self._form.setRowVisible(hidden, False)
        layout.addWidget(self._fields)

    def _refresh(self, event: Any = None) -> None:
        found = images(self._viewer)
        before = self.image.currentData()
        with QSignalBlocker(self.image):
            self.image.clear()
            for layer in found:
                self.image.addItem(layer.name, str(layer.unique_id))
            index = self.image.findData(before)
            self.image.setCurrentIndex(index if index >= 0 else self.image.count() - 1)
        self._hint.setVisible(not found)
        self._fields.setVisible(bool(found))
        if self.image.currentData() != before:
            self._chosen()

    def _follow(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if isinstance(active, Labels) or (active is not None and is_map(active)):
            active = results.source_of(self._viewer, active)
        if active in images(self._viewer):
            self.choose(active)

    def _chosen(self, index: int = 0) -> None:
        layer = self.layer
        self._listen_to(layer)
        self.image.setToolTip(
            f"The image to work on: {layer.name}. Follows the layer selected in the list."
            if layer is not None
            else "The image to work on."
        )
        self.image_changed.emit()

    def _listen_to(self, layer: Image | None) -> None:
        """Notice when the image gets other pixels, another scale or another place."""
        for name in ("data", *geometry.COPIED):
            if self._heard is not None:
                getattr(self._heard.events, name).disconnect(self._touched)
            if layer is not None:
                getattr(layer.events, name).connect(self._touched)
        self._heard = layer

    def _touched(self, event: Any = None) -> None:
        self.facts_changed.emit()

    def _answer(self, *args: Any) -> None:
        self.set_answers(
            replace(
                self.answers,
                modality=self.modality.currentData(),
                is_hu=self.values.currentData(),
            )
        )


def facts(study: Study, answered: Study) -> str:
    """Size, spacing and sides of an image in one line.

    Parameters
    ----------
    study : Study
        The image as it is shown.
    answered : Study
        With the user's answers and fixes, which may have flipped or turned it.
    """
    size = " x ".join(str(n) for n in study.array.shape)
    spacing = " x ".join(f"{mm:.3g}" for mm in study.spacing) + " mm"
    edge = _edge_of_the_right(study.grid, answered.grid)
    if study.orientation_known:
        sides = f"{edge} of the picture: patient's right."
    else:
        edge = edge.lower()
        sides = f"Sides not in the file: {edge} of the picture is taken for the patient's right."
    return f"{size}, {spacing if study.spacing_known else 'spacing not known'}. {sides}"


def _edge_of_the_right(shown: Grid, answered: Grid) -> str:
    """Edge of the shown picture at which the patient's right is."""
    axis = shown.axes.index(answered.axes[-1])
    turned = shown.flips[axis] != answered.flips[-1]
    edges = ("Left", "Right") if axis == len(shown.axes) - 1 else ("Top", "Bottom")
    return edges[turned]


class _Spacing(QWidget):
    """One number of mm per axis; all are needed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._of = ""
        self._told: tuple[float, ...] | None = None
        self.axes: dict[str, QDoubleSpinBox] = {}
        for axis in "zyx":
            box = QDoubleSpinBox()
            box.setRange(0.0, 100.0)
            box.setDecimals(3)
            box.setSpecialValueText(f"{axis} ?")
            box.setPrefix(f"{axis} ")
            box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            box.setKeyboardTracking(False)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            # napari's style asks for so much that three boxes are wider than the dock
            box.setStyleSheet("QDoubleSpinBox { min-width: 44px; }")
            box.setToolTip(
                f"Size of a pixel along {axis} in mm. The file does not tell, or what it tells "
                "is ignored; without it sizes are counts of pixels."
            )
            box.valueChanged.connect(lambda _: self._typed())
            self.axes[axis] = box
            layout.addWidget(box)

    @property
    def given(self) -> tuple[float, ...] | None:
        """Spacing in array order, once every number is there."""
        numbers = tuple(b.value() for b in self.axes.values() if b.isVisibleTo(self))
        return numbers if numbers and all(numbers) else None

    def show_spacing(self, spacing: tuple[float, ...] | None, ndim: int, image: str) -> None:
        """Show a spacing, or that it is not known: numbers half given for `image` are kept.

        Those that were whole and are no longer the answer are ignored ones.
        """
        clear = image != self._of or self.given is not None
        shown = (0.0,) * (3 - ndim) + (spacing or (0.0,) * ndim)
        for i, (box, mm) in enumerate(zip(self.axes.values(), shown, strict=True)):
            with QSignalBlocker(box):
                if spacing is not None or clear:
                    box.setValue(mm)
            box.setVisible(i >= 3 - ndim)
        self._of = image
        self._told = self.given

    def _typed(self) -> None:
        """Tell of a spacing that became whole, another one, or is no longer whole."""
        if self.given != self._told:
            self._told = self.given
            self.changed.emit()
