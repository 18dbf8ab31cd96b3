"""What pixel values alone tell about an image: cheap looks at a sample of them."""

from __future__ import annotations

import numpy as np

from napari_covidseg.study import Modality

_SAMPLE = 200_000


def sample(array: np.ndarray, count: int = _SAMPLE) -> np.ndarray:
    """Take finite values spread evenly over an array.

    Parameters
    ----------
    array : ndarray
        Any shape.
    count : int
        About how many values to take at most.

    Returns
    -------
    ndarray, shape (n,)
        In float32.
    """
    every = max(1, int(np.ceil((array.size / count) ** (1.0 / max(1, array.ndim)))))
    steps = tuple(slice(None, None, min(every, n)) for n in array.shape)
    taken = array[steps].astype(np.float32).ravel()
    return taken[np.isfinite(taken)]


def looks_like_hu(array: np.ndarray) -> bool:
    """Whether values look like Hounsfield units of a chest: air or lung, and soft tissue."""
    taken = sample(array)
    if array.dtype.kind == "u" or taken.size == 0:
        return False
    air = ((taken < -500) & (taken >= -1100)).mean()
    tissue = ((taken > -200) & (taken < 200)).mean()
    return bool(air > 0.01 and tissue > 0.02 and (taken < 8000).all())


def looks_like_stored_ct(array: np.ndarray) -> bool:
    """Whether values look like CT numbers without the rescale: HU shifted up by 1000 or so."""
    taken = sample(array)
    if taken.size == 0 or taken.min() < -100 or taken.max() < 1100 or taken.max() > 8000:
        return False
    air = (taken < 500).mean()
    tissue = ((taken > 824) & (taken < 1224)).mean()
    return bool(air > 0.01 and tissue > 0.02)


def guess_modality(array: np.ndarray, is_hu: bool) -> Modality | None:
    """Guess what made an image from its pixels.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Display order.
    is_hu : bool
        Whether values are Hounsfield units.

    Returns
    -------
    Modality or None
        None for an image without contrast.
    """
    if is_hu or (array.ndim == 3 and array.shape[0] > 1):
        return Modality.CT
    return None
