"""What pixel values alone tell about an image."""

from __future__ import annotations

import numpy as np

from napari_covidseg.study import Modality


def looks_like_hu(array: np.ndarray) -> bool:
    """Whether values look like Hounsfield units."""
    raise NotImplementedError


def guess_modality(array: np.ndarray, is_hu: bool) -> Modality | None:
    """Guess what made an image from its pixels."""
    raise NotImplementedError
