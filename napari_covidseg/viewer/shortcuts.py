"""Keys of the segmentation widget: bound while it is open."""

from __future__ import annotations

from typing import Any

SHORTCUTS = {
    "Control-Alt-S": "segment",
    "Control-Alt-C": "classify",
    "Control-Alt-M": "measure",
    "Control-Alt-D": "save_case",
}
"""Keys to methods of the widget; napari does not act on those of a manifest."""


def bind(viewer: Any, widget: Any) -> None:
    """Let the keys call the widget's methods."""
    for keys, command in SHORTCUTS.items():
        viewer.bind_key(keys, lambda _, c=command: getattr(widget, c)(), overwrite=True)


def unbind(viewer: Any) -> None:
    """Take the keys back."""
    for keys in SHORTCUTS:
        viewer.bind_key(keys, None)
