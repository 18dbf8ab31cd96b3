"""A chest made by code: CT in HU and X-ray, with known lungs and lesions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_covidseg.study import Study


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image with its truth."""

    study: Study
    lungs: np.ndarray
    infection: np.ndarray


def ct(
    shape: tuple[int, int, int] = (96, 256, 256), *, seed: int = 0, healthy: bool = False
) -> Phantom:
    """Chest CT in HU."""
    raise NotImplementedError


def xray(shape: tuple[int, int] = (512, 512), *, seed: int = 0, healthy: bool = False) -> Phantom:
    """Frontal chest X-ray."""
    raise NotImplementedError
