"""Which layers of a viewer are images to work on."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from napari_covidseg.viewer.explainer import is_map
from napari_covidseg.viewer.train_preview import is_preview


def images(viewer: Any) -> list[Image]:
    """Give the image layers, without those that we made to show something."""
    found = (layer for layer in viewer.layers if isinstance(layer, Image))
    return [layer for layer in found if not is_map(layer) and not is_preview(layer)]
