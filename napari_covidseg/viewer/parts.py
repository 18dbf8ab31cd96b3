"""Small Qt pieces that all our panels are made of; colours come from napari's theme."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget


def heading(text: str) -> QLabel:
    """Title of a section."""
    label = QLabel(f"<b>{escape(text)}</b>")
    label.setTextFormat(Qt.TextFormat.RichText)
    return label


def words(text: str = "", tooltip: str = "") -> QLabel:
    """Text that wraps in a narrow column and can be selected for copying."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setToolTip(tooltip)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def button(text: str, tooltip: str) -> QPushButton:
    """Push button with its tooltip."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    return made


def column(parent: QWidget, spacing: int = 4) -> QVBoxLayout:
    """Vertical layout with no margin of its own."""
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


def section(title: str, panel: QWidget) -> QWidget:
    """Part of a column under a line and a title of its own."""
    made = QWidget()
    inner = column(made, 3)
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    inner.addWidget(line)
    inner.addWidget(heading(title))
    inner.addWidget(panel)
    return made


def scrolling(body: QWidget) -> QScrollArea:
    """Area as wide as its place, in which a column scrolls up and down."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(body)
    return area


def clear(layout: QVBoxLayout) -> None:
    """Remove all widgets of a layout."""
    while item := layout.takeAt(0):
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
