"""The dock around our widget."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QLabel


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
