"""Windows: which of an image's values a network sees as air, and which as soft tissue.

A network sees values from 0 (air) to 1 (dense soft tissue). A `Window` is found once for a
study. Training uses the same functions, so that the two cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AIR_HU, TISSUE_HU = -860.0, 20.0
"""Typical Hounsfield units of aerated lung and of soft tissue."""

AIR_LEVEL, TISSUE_LEVEL = 0.12, 0.93
"""Where a window puts the two: room below for emphysema, above for contrast medium."""

SAMPLE = 2_000_000
"""Pixels that are enough to find a window."""


@dataclass(frozen=True)
class Window:
    """Linear map of image values: `low` becomes 0 and `high` becomes 1."""

    low: float
    high: float

    @classmethod
    def of_levels(cls, air: float, tissue: float) -> Window:
        """Window that puts lung and soft tissue at their usual levels."""
        width = (tissue - air) / (TISSUE_LEVEL - AIR_LEVEL)
        low = air - AIR_LEVEL * width
        return cls(float(low), float(low + width))


def ct_window(array: np.ndarray, is_hu: bool) -> Window:
    """Window of a CT: fixed for Hounsfield units, found in the picture otherwise.

    A picture has lost its scale, so lung and soft tissue are looked for: Otsu's
    threshold parts the middle of the picture into dark and bright, and the medians of
    the two stand for lung and soft tissue.

    Parameters
    ----------
    array : ndarray, shape (y, x) or (z, y, x)
        Pixels.
    is_hu : bool
        Whether they are Hounsfield units.

    References
    ----------
    Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    if is_hu:
        return Window.of_levels(AIR_HU, TISSUE_HU)
    values = _middle(array)
    # Exact zeros are the padding round a reconstruction circle more often than lung.
    shown = values[values > values.min()]
    if shown.size < 0.1 * values.size:
        shown = values
    air, tissue = _dark_and_bright(shown)
    if tissue - air < 1e-6:
        low, high = float(values.min()), float(values.max())
        return Window(low, high if high > low else low + 1.0)
    return Window.of_levels(air, tissue)


def xray_window(array: np.ndarray) -> Window:
    """Window of an X-ray: its 1st to 99th percentile, burnt-in letters left out."""
    values = _sample(array)
    low, high = (float(v) for v in np.percentile(values, (1.0, 99.0)))
    return Window(low, high if high > low else low + 1.0)


def _sample(array: np.ndarray) -> np.ndarray:
    step = max(1, int(np.ceil((array.size / SAMPLE) ** (1.0 / array.ndim))))
    return np.asarray(array[(slice(None, None, step),) * array.ndim]).astype(np.float32)


def _middle(array: np.ndarray) -> np.ndarray:
    """Values inside the ellipse that fits the slices."""
    sample = _sample(array)
    h, w = sample.shape[-2:]
    y, x = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    inside = y**2 + x**2 <= 1.0
    return sample[..., inside].ravel() if inside.any() else sample.ravel()


def _dark_and_bright(values: np.ndarray) -> tuple[float, float]:
    """Medians of the two classes that Otsu's threshold parts."""
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return float(low), float(high)
    counts, edges = np.histogram(np.clip(values, low, high), bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mean_below = np.cumsum(counts * centres)
    total = mean_below[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = mean_below / below - (total - mean_below) / above
    between = np.nan_to_num(below * above * gap**2)
    threshold = edges[int(np.argmax(between)) + 1]
    dark, bright = values[values <= threshold], values[values > threshold]
    if dark.size == 0 or bright.size == 0:
        return float(low), float(high)
    return float(np.median(dark)), float(np.median(bright))
