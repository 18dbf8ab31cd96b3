"""Films whose grey values crowd at one end, brought back to those of an ordinary film."""

from __future__ import annotations

import numpy as np

from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.inference.window import Window

DARKEST, BRIGHTEST = 0.15, 0.85
"""Between these levels of its window lies the median of an ordinary film."""

NARROWEST = 0.12
"""The middle half of an ordinary film's pixels spans at least so much of its window."""


def is_extreme(array: np.ndarray, window: Window) -> bool:
    """Whether almost all of a film is shown nearly black, nearly white or in one grey.

    Parameters
    ----------
    array : ndarray, shape (y, x)
        Pixels.
    window : Window
        How they are shown.
    """
    quarter, middle, three = (np.percentile(array, (25, 50, 75)) - window.low) / (
        window.high - window.low
    )
    crowded = three - quarter < NARROWEST
    return bool(crowded or not DARKEST <= middle <= BRIGHTEST)


def shown_window(array: np.ndarray, usual: Window, spec: InputSpec) -> Window:
    """Window in which a model is shown an image: the usual one, unless it asks for another."""
    return normal_window(array, usual) if spec.window == "extremes" else usual


def normal_window(array: np.ndarray, window: Window) -> Window:
    """Window of a film: the usual one, stretched only where the histogram is extreme.

    Borders, burnt-in marks and direct exposure pile up at the ends of the usual window
    (its 1st and 99th percentile). Where the histogram is extreme they are left out, and the
    2nd to 98th percentile of the pixels between them is shown instead.

    Parameters
    ----------
    array : ndarray, shape (y, x)
        Pixels.
    window : Window
        The usual one, from ``window.xray_window``.

    Returns
    -------
    Window
        Never empty; a film of one value keeps its usual window.
    """
    if not is_extreme(array, window):
        return window
    between = array[(array > window.low) & (array < window.high)]
    if between.size == 0:
        return window
    low, high = (float(v) for v in np.percentile(between, (2.0, 98.0)))
    return Window(low, high) if high > low else window
