"""Curves of a training, drawn as they grow: one small chart for losses, one for Dice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7")
"""Told apart in the common forms of colour blindness (Okabe and Ito, 2008)."""

LEFT, TOP, RIGHT, BOTTOM = 34, 18, 6, 16
"""Room for numbers and names round a chart, in pixels."""


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
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_points(self, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Show other lines: name to (epoch, value); a value that is not a number is left out."""
        self.points = {
            name: [(x, y) for x, y in line if math.isfinite(y)] for name, line in points.items()
        }
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """Give room for two beside each other in a narrow dock."""
        return QSize(150, 110)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw frame, numbers, lines and their names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        text = self.palette().windowText().color()
        area = QRectF(
            LEFT, TOP, max(1, self.width() - LEFT - RIGHT), max(1, self.height() - TOP - BOTTOM)
        )
        painter.setPen(text)
        painter.drawText(QRectF(0, 0, LEFT, TOP), Qt.AlignmentFlag.AlignVCenter, self._title)
        faint = QColor(text)
        faint.setAlpha(90)
        painter.setPen(faint)
        painter.drawRect(area)
        drawn = {name: line for name, line in self.points.items() if line}
        if drawn:
            self._draw(painter, area, drawn, text)
        painter.end()

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
        at = area.left()
        for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
            painter.setPen(QPen(QColor(colour), 1.8))
            points = [place(x, y) for x, y in line]
            painter.drawPolyline(QPolygonF(points))
            painter.drawEllipse(points[-1], 2.0, 2.0)
            width = painter.fontMetrics().horizontalAdvance(name) + 8
            painter.drawText(QRectF(at, 0, width, TOP), Qt.AlignmentFlag.AlignVCenter, name)
            at += width


class Curves(QWidget):
    """Losses beside Dice, from the rows of a training's history."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = Chart("loss", unit=False)
        self.loss.setToolTip("Loss of each epoch: what the training makes small.")
        self.dice = Chart("Dice", unit=True)
        self.dice.setToolTip("Mean Dice on the validation cases after each epoch, 0 to 1.")
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
        self.dice.set_points(
            {"validation": [(x, row["val_dice"]) for x, row in rows if "val_dice" in row]}
        )
