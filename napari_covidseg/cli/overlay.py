"""A plain picture of masks on slices, for where no viewer can be shown."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from napari_covidseg import values
from napari_covidseg.segmentation import Segmentation
from napari_covidseg.study import Study

LUNG_WINDOW = (-1350.0, 150.0)
_MARGIN = 28
_HEAT = 0.7
"""How strongly a map covers the image where it is 1."""


def picture(
    study: Study, results: Sequence[Segmentation], slices: Sequence[int], title: str
) -> np.ndarray:
    """Draw slices side by side with masks over them, and a legend.

    Parameters
    ----------
    study : Study
        The image.
    results : sequence of Segmentation
        Masks of it; later ones go on top.
    slices : sequence of int
        Which slices, from the feet.
    title : str
        Goes above.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    panels = [_slice(study, results, z) for z in slices]
    body = np.concatenate(panels, axis=1)
    top = np.zeros((_MARGIN, body.shape[1], 3), np.uint8)
    bottom = np.zeros_like(top)
    _write(top, title, 6, (255, 255, 255))
    x = 6
    for result in results:
        for label in result.scheme.labels:
            x = _write(bottom, label.name, x, _rgb(label.colour)) + 14
    return np.concatenate([top, body, bottom])


def heat(study: Study, level: np.ndarray, z: int = 0) -> np.ndarray:
    """Draw one slice with a map over it, dark where the map is 0.

    Parameters
    ----------
    study : Study
        The image.
    level : ndarray of float32, shape (y, x)
        The map, 0 to 1.
    z : int
        Which slice, from the feet.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        RGB.
    """
    colours = cv2.applyColorMap(np.rint(level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = _HEAT * level[..., np.newaxis]
    image = (1 - strength) * _grey(study, z) + strength * colours[..., ::-1]
    return np.rint(image).astype(np.uint8)


def _slice(study: Study, results: Sequence[Segmentation], z: int) -> np.ndarray:
    """One slice in grey, with its masks blended in."""
    image = _grey(study, z)
    for result in results:
        mask = result.labels.reshape(study.slices().shape)[z]
        for label in result.scheme.labels:
            where = mask == label.value
            strength = result.scheme.opacity
            image[where] = (1 - strength) * image[where] + strength * np.array(_rgb(label.colour))
    return image.astype(np.uint8)


def _grey(study: Study, z: int) -> np.ndarray:
    """One slice as RGB of float32, 0 to 255."""
    pixels = study.slices()[z].astype(np.float32)
    low, high = LUNG_WINDOW if study.is_hu else values.finite_range(pixels)
    shown = np.nan_to_num(np.clip(pixels, low, high), nan=low)
    grey = (shown - low) / max(high - low, 1e-6) * 255
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _write(strip: np.ndarray, text: str, x: int, colour: tuple[int, int, int]) -> int:
    """Write into a strip; give where the text ends."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    cv2.putText(strip, text, (x, 19), font, scale, colour, 1, cv2.LINE_AA)
    return x + cv2.getTextSize(text, font, scale, 1)[0][0]


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
