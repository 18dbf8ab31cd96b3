"""What our dock widgets have in common: width, a title that fits, and an end."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

WIDTH = 340
"""Least width of a dock widget in pixels; all that is in it fits."""


class DockedWidget(QWidget):
    """A widget that napari puts into a dock.

    Parameters
    ----------
    napari_viewer : ViewerModel
        The viewer that it works on.
    title : str
        For the dock's title bar.
    """

    def __init__(
        self, napari_viewer: ViewerModel, title: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        # Behind napari's proxy a layer is another object at each look: it could neither be
        # recognised nor be followed by a weak reference.
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._title, self._titled, self._closed = title, False, False
        self.setMinimumWidth(WIDTH)

    def shutdown(self) -> None:
        """End, as when the dock is closed; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        """Let go of the viewer and of all that works for the widget."""
        raise NotImplementedError

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari took the dock away: it keeps no other sign of that."""
        if event and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shutdown()
        return super().event(event)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Put a title that fits on the dock, however it was opened."""
        super().showEvent(event)
        around = self.parent()
        if isinstance(around, QDockWidget) and not self._titled:
            self._titled = True
            give_title(around, self._title)
            make_tabs(around)


def give_title(dock: QDockWidget, title: str) -> None:
    """Write a short title on a dock, now and when napari makes its title bar anew.

    napari names a dock after widget and plugin together, which is cut off in a narrow
    column. The dock keeps that name: napari finds it again by it.
    """

    def write(*_: Any) -> None:
        bar = dock.titleBarWidget()
        label = bar.findChild(QLabel) if bar is not None else None
        if label is not None:
            label.setText(title)

    dock.setWindowTitle(title)
    dock.topLevelChanged.connect(write)
    dock.dockLocationChanged.connect(write)
    write()


def make_tabs(dock: QDockWidget) -> None:
    """Let our docks share the column as tabs: one above the other, neither has room."""
    window = dock.parent()
    if not isinstance(window, QMainWindow):
        return
    area = window.dockWidgetArea(dock)
    for other in window.findChildren(QDockWidget):
        ours = other is not dock and isinstance(other.widget(), DockedWidget)
        if ours and not other.isFloating() and window.dockWidgetArea(other) == area:
            window.tabifyDockWidget(other, dock)
            dock.raise_()
            return
