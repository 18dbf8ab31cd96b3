"""What the menus under Layers do."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_covidseg.viewer import settings
from napari_covidseg.viewer.widget import TITLE, SegmentationWidget


def open_widget(viewer: Viewer) -> SegmentationWidget:
    """Open the dock widget, or find the open one."""
    dock, widget = viewer.window.add_plugin_dock_widget(settings.PLUGIN, TITLE)
    dock.show()
    dock.raise_()
    return widget


def segment(viewer: Viewer) -> None:
    """Segment lungs and infection on the chosen image."""
    open_widget(viewer).segment()


def classify(viewer: Viewer) -> None:
    """Classify the chosen image."""
    open_widget(viewer).classify()


def measure(viewer: Viewer) -> None:
    """Measure the label layers of the chosen image."""
    open_widget(viewer).measure()


def models(viewer: Viewer) -> None:
    """List all models, and install one."""
    open_widget(viewer).show_models()


def save_case(viewer: Viewer) -> None:
    """Save the corrected labels as a training case."""
    open_widget(viewer).save_case()
