"""The results of the last run, and of the label layers as they are now."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from napari_covidseg.segmentation import Classification
from napari_covidseg.viewer import parts
from napari_covidseg.viewer.summary import (
    Summary,
    as_text,
    highest_slice,
    probability_words,
    slice_words,
    sure_words,
    table,
)
from napari_covidseg.viewer.why_button import WhyButton


class SummaryPanel(QWidget):
    """Volumes by side, probabilities for scan and slice, and how sure the models were."""

    measure_wanted = Signal()
    why_wanted = Signal(object, str)
    """`Classification` that is to be explained, and by which method."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any = None
        self._summary = Summary()
        self._slice_lines: list[tuple[QLabel, Classification]] = []
        self._why_lines: dict[str, QLabel] = {}
        self._why_words: dict[str, dict[str, str]] = {}
        layout = parts.column(self)
        self.outdated = parts.words(
            "You changed what is said about the image since this run: run again.",
            "Sides, sizes and masks are those of the answers and fixes at that time.",
        )
        self.outdated.hide()
        layout.addWidget(self.outdated)
        self._body = QWidget()
        self._rows = parts.column(self._body)
        layout.addWidget(self._body)
        row = QHBoxLayout()
        measure = parts.button(
            "Measure again",
            "Measure the label layers as they are now, corrections included. Of several of one "
            "kind the selected one, else one corrected by hand, else the newest.",
        )
        measure.clicked.connect(self.measure_wanted)
        copy = parts.button("Copy", "Copy these results as text, for a spreadsheet.")
        copy.clicked.connect(self._copy)
        row.addWidget(measure, 1)
        row.addWidget(copy)
        layout.addLayout(row)
        viewer.dims.events.current_step.connect(self._follow_slice)

    def detach(self) -> None:
        """Stop following the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._follow_slice)

    @property
    def summary(self) -> Summary:
        """What is shown."""
        return self._summary

    @property
    def layer(self) -> Any:
        """The image whose results are shown."""
        return self._layer

    def show_summary(self, summary: Summary, layer: Any) -> None:
        """Show results of an image layer."""
        self._summary, self._layer = summary, layer
        self._slice_lines = []
        self._why_lines, self._why_words = {}, {}
        parts.clear(self._rows)
        if summary.measurement is not None:
            self._rows.addWidget(_grid(table(summary.measurement)))
        for result in summary.classifications:
            self._add_classification(result)
        for text in (sure_words(summary), *summary.notes):
            if text:
                self._rows.addWidget(
                    parts.words(text, "Said by the models and the measurement about this result.")
                )
        self._follow_slice()

    def show_why(self, model: str, method: str, words: str) -> None:
        """Say under a model's answer what its map shows, each method in a line of its own."""
        if model in self._why_lines:
            said = self._why_words.setdefault(model, {})
            said[method] = words
            self._why_lines[model].setText("\n".join(said.values()))
            self._why_lines[model].show()

    def _add_classification(self, result: Classification) -> None:
        tip = f"By {result.model.name} {result.model.version}. Not a diagnosis."
        answer = QWidget()
        layout = QHBoxLayout(answer)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts.words(probability_words(result), tip), 1)
        why = WhyButton(result.finding)
        why.wanted.connect(lambda method: self.why_wanted.emit(result, method))
        layout.addWidget(why, 0, Qt.AlignmentFlag.AlignTop)
        self._rows.addWidget(answer)
        line = parts.words("", "Said of the map that lies over the image.")
        line.hide()
        self._rows.addWidget(line)
        self._why_lines[result.model.name] = line
        highest = highest_slice(result)
        if highest is None:
            return
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        line = parts.words("", tip)
        show = parts.button(f"Highest: {highest}", "Go to the slice of highest probability.")
        show.clicked.connect(lambda: self._go_to(highest))
        layout.addWidget(line, 1)
        layout.addWidget(show)
        self._rows.addWidget(row)
        self._slice_lines.append((line, result))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(as_text(self._summary))

    def _follow_slice(self, event: Any = None) -> None:
        if self._slice_lines and self._layer in self._viewer.layers and self._layer.ndim >= 3:
            point = self._viewer.dims.point[-self._layer.ndim :]
            index = round(float(self._layer.world_to_data(point)[-3]))
            for line, result in self._slice_lines:
                line.setText(slice_words(result, index))

    def _go_to(self, index: int) -> None:
        if self._layer not in self._viewer.layers:
            return
        at = [0.0] * self._layer.ndim
        at[-3] = float(index)
        world = self._layer.data_to_world(at)
        self._viewer.dims.set_point(self._viewer.dims.ndim - 3, world[-3])


def _grid(rows: list[tuple[str, ...]]) -> QWidget:
    holder = QWidget()
    grid = QGridLayout(holder)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(1)
    grid.setHorizontalSpacing(3)
    grid.setColumnStretch(0, 1)
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            cell = QLabel(text)
            if c == 0:
                # Long numbers take their room from the names, not from beyond the dock.
                cell.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
                cell.setMinimumWidth(90)
                cell.setWordWrap(True)
            else:
                cell.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(cell, r, c)
    holder.setToolTip(
        "Right and left are the patient's. Infection counts as part of the lung it lies in."
    )
    return holder
