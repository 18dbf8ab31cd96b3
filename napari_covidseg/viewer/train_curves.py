"""Curves of a training, drawn as they grow: one small chart for losses, one for Dice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from napari_covidseg.labels import SCHEMES

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7")
"""Told apart in the common forms of colour blindness (Okabe and Ito, 2008)."""

LABELS = {
    f"val_dice_{label.name.replace(' ', '_')}": label
    for scheme in SCHEMES.values()
    if len(scheme.labels) > 1
    for label in scheme.labels
}
"""Column of a history to the label whose Dice it holds, see ``training.metrics``."""

LEFT, RIGHT, BOTTOM = 34, 6, 16
"""Room for numbers round a chart, in pixels."""

ROW, DASH, GAP = 14, 7, 6
"""Of the names above it: height of a row, the line before a name, what parts two of them."""


class Chart(QWidget):
    """Lines over epochs.

    Parameters
    ----------
    title : str
        Stands above.
    unit : bool
        Whether the values go from 0 to 1; else the axis follows them.
    """

    def __init__(self, title: str, *, unit: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._unit = title, unit
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.colours: dict[str, str] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_points(
        self,
        points: Mapping[str, Sequence[tuple[int, float]]],
        colours: Mapping[str, str] | None = None,
    ) -> None:
        """Show other lines.

        Parameters
        ----------
        points : mapping
            Name to (epoch, value); a value that is not a number is left out.
        colours : mapping, optional
            Name to the colour of lines that are parts of another: they are drawn thin.
        """
        self.points = {
            name: [(x, y) for x, y in line if math.isfinite(y)] for name, line in points.items()
        }
        self.colours = dict(colours or {})
        self.update()

    def places(self) -> dict[str, tuple[int, int]]:
        """Give the place of each name above the chart: pixels from the left, and row."""
        metrics = QFontMetrics(self._font())
        found: dict[str, tuple[int, int]] = {}
        at, row = LEFT, 0  # the title stands before the first
        for name in (name for name, line in self.points.items() if line):
            width = DASH + metrics.horizontalAdvance(name)
            if at + width > self.width() and found:
                at, row = 0, row + 1
            found[name] = (at, row)
            at += width + GAP
        return found

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """Give room for two beside each other in a narrow dock."""
        return QSize(140, 130)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw frame, numbers, lines and their names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font())
        text = self.palette().windowText().color()
        top = ROW * (1 + max((row for _, row in self.places().values()), default=0)) + 4
        area = QRectF(
            LEFT, top, max(1, self.width() - LEFT - RIGHT), max(1, self.height() - top - BOTTOM)
        )
        painter.setPen(text)
        painter.drawText(QRectF(0, 0, LEFT, ROW), Qt.AlignmentFlag.AlignVCenter, self._title)
        faint = QColor(text)
        faint.setAlpha(90)
        painter.setPen(faint)
        painter.drawRect(area)
        drawn = {name: line for name, line in self.points.items() if line}
        if drawn:
            self._draw(painter, area, drawn, text)
        painter.end()

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(10)
        return font

    def _pen(self, name: str, text: QColor) -> QPen:
        """Choose how a line looks; beside its parts the whole has the colour of no label."""
        if name in self.colours:
            return QPen(QColor(self.colours[name]), 1.0)
        colour = text if self.colours else QColor(COLOURS[list(self.points).index(name)])
        return QPen(colour, 1.8)

    def _draw(
        self,
        painter: QPainter,
        area: QRectF,
        lines: Mapping[str, Sequence[tuple[int, float]]],
        text: QColor,
    ) -> None:
        values = [y for line in lines.values() for _, y in line]
        last = max(x for line in lines.values() for x, _ in line)
        low, high = (0.0, 1.0) if self._unit else (min(0.0, *values), max(values))
        high = high if high > low else low + 1.0

        def place(x: int, y: float) -> QPointF:
            across = (x - 1) / max(1, last - 1)
            return QPointF(
                area.left() + across * area.width(),
                area.bottom() - (y - low) / (high - low) * area.height(),
            )

        painter.setPen(text)
        right = Qt.AlignmentFlag.AlignRight
        for value, y in ((high, area.top()), (low, area.bottom() - 11)):
            painter.drawText(QRectF(0, y, LEFT - 4, 14), right, f"{value:.2g}")
        painter.drawText(
            QRectF(area.left(), area.bottom() + 1, area.width(), BOTTOM), right, f"epoch {last}"
        )
        names = self.places()
        for name, line in lines.items():
            painter.setPen(self._pen(name, text))
            points = [place(x, y) for x, y in line]
            painter.drawPolyline(QPolygonF(points))
            painter.drawEllipse(points[-1], 2.0, 2.0)
            at, row = names[name]
            middle = row * ROW + ROW // 2 + 0.5  # on a row of pixels, not between two
            painter.drawLine(QPointF(at, middle), QPointF(at + DASH - 2, middle))
            painter.setPen(text)  # a bright colour could not be read
            painter.drawText(
                QRectF(at + DASH, row * ROW, self.width(), ROW), Qt.AlignmentFlag.AlignVCenter, name
            )


class Curves(QWidget):
    """Losses beside Dice, from the rows of a training's history."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = Chart("loss", unit=False)
        self.loss.setToolTip("Loss of each epoch: what the training makes small.")
        self.dice = Chart("Dice", unit=True)
        self.dice.setToolTip(
            "Mean Dice on the validation cases after each epoch, 0 to 1: of all that is marked, "
            "and thin of each label. Where the labels lie far below, they are mixed up."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.loss)
        layout.addWidget(self.dice)

    def show_rows(self, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Show all rows, epoch and figures by name."""
        self.loss.set_points(
            {
                "training": [(x, row["loss"]) for x, row in rows if "loss" in row],
                "validation": [(x, row["val_loss"]) for x, row in rows if "val_loss" in row],
            }
        )
        told = {column for _, row in rows for column in row}
        labels = {label.name: column for column, label in LABELS.items() if column in told}
        columns = {"validation": "val_dice", **labels}
        self.dice.set_points(
            {
                name: [(x, row[column]) for x, row in rows if column in row]
                for name, column in columns.items()
            },
            {name: LABELS[column].colour for name, column in labels.items()},
        )
