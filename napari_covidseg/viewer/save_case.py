"""Save a corrected layer as a training case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QWidget


def save_training_case(viewer: Any, layer: Any = None) -> Path | None:
    """Save a label layer with its image; return the case's sidecar."""
    return None


class SaveCasePanel(QWidget):
    """Dataset folder, annotator and a Save button."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
