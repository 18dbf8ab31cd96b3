"""A validation picture, its truth and what the network draws, side by side."""

from __future__ import annotations

import cv2
import numpy as np

from napari_covidseg.labels import LabelScheme
from napari_covidseg.training.watch import Preview

NOT_TOLD_COLOUR = "#cc79a7"
"""Of foreground whose label the truth does not tell."""

GAP = 4


def png(preview: Preview, scheme: LabelScheme) -> bytes:
    """Draw one preview as a PNG file's bytes; where nothing is known the truth is darkened."""
    return cv2.imencode(".png", strip(preview, scheme)[..., ::-1])[1].tobytes()


def strip(preview: Preview, scheme: LabelScheme) -> np.ndarray:
    """Picture, truth and prediction.

    Returns
    -------
    ndarray of uint8, shape (s, 3 s + 2 gaps, 3)
        RGB.
    """
    grey = np.clip(preview.picture, 0, 1)[..., np.newaxis] * np.full(3, 255.0)
    colours = {**scheme.colours, max(scheme.values) + 1: NOT_TOLD_COLOUR}
    truth = _blend(grey, preview.truth, colours, scheme.opacity)
    truth[preview.truth > max(colours)] *= 0.4
    labels = _blend(grey, preview.labels, scheme.colours, scheme.opacity)
    gap = np.full((len(grey), GAP, 3), 255.0)
    return np.concatenate([grey, gap, truth, gap, labels], axis=1).round().astype(np.uint8)


def _blend(
    grey: np.ndarray, labels: np.ndarray, colours: dict[int, str], opacity: float
) -> np.ndarray:
    out = grey.copy()
    for value, colour in colours.items():
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float)
        where = labels == value
        out[where] = (1 - opacity) * out[where] + opacity * rgb
    return out
