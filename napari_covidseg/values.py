"""What pixel values alone tell about an image: cheap looks at a sample of them."""

from __future__ import annotations

import cv2
import numpy as np

from napari_covidseg.study import Modality

_SAMPLE = 200_000

# made by benchmarks/fit_modality.py
_WEIGHTS = np.array(
    [-3.944, 6.966, 2.464, -6.745, -2.582, 12.526, -2.16, 0.788, 6.221, 2.221]
    + [-0.91, -6.945, 11.468, -5.255, -8.709, -3.977, -6.136, 2.861, -108.235, 64.732]
)
_BIAS = -5.537


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
        None for an image too small or without contrast.
    """
    if is_hu or (array.ndim == 3 and array.shape[0] > 1):
        return Modality.CT
    score = ct_likelihood(array)
    if score is None:
        return None
    return Modality.CT if score >= 0.5 else Modality.XR


def ct_likelihood(array: np.ndarray) -> float | None:
    """How much a picture looks like a CT slice rather than an X-ray film of the chest.

    A logistic regression on `features`, fitted by ``benchmarks/fit_modality.py`` on some
    2,900 pictures of eleven sets. On a set that it has not seen it is right for 92 to 100 %
    of the pictures, 99 % on the mean set. It knows these two kinds alone: of a photograph it
    says one or the other.

    Parameters
    ----------
    array : ndarray, shape (y, x) or (1, y, x)
        Grey values of any scale.

    Returns
    -------
    float or None
        0 (film) to 1 (CT slice); None for an image too small or without contrast.
    """
    picture = array[0] if array.ndim == 3 else array
    if min(picture.shape) < 16:
        return None
    found = features(picture)
    if found is None:
        return None
    return float(1.0 / (1.0 + np.exp(-(found @ _WEIGHTS + _BIAS))))


def features(picture: np.ndarray) -> np.ndarray | None:
    """Describe where a picture is bright, left and right taken together, and how sharp it is.

    Parameters
    ----------
    picture : ndarray, shape (y, x)
        Grey values of any scale.

    Returns
    -------
    ndarray, shape (20,), or None
        Mean brightness (0 to 1 between the 1st and 99th percentile) on a grid of 6 rows and
        3 columns from the side to the middle; mean and 95th percentile of the gradient at
        64 x 64. None for an image without contrast.
    """
    steps = tuple(max(1, n // 512) for n in picture.shape)  # a huge picture is looked at coarsely
    coarse = np.nan_to_num(picture[:: steps[0], :: steps[1]].astype(np.float32), posinf=0, neginf=0)
    small = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, [1, 99])
    if high <= low:
        return None
    level = np.clip((small - low) / (high - low), 0.0, 1.0).astype(np.float32)
    blocks = cv2.resize(level, (6, 6), interpolation=cv2.INTER_AREA)
    folded = (blocks + blocks[:, ::-1])[:, :3] / 2
    gradient = np.hypot(*np.gradient(level))
    return np.array([*folded.ravel(), gradient.mean(), np.percentile(gradient, 95)])
