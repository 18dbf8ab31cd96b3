"""Pixel values: the smallest exact type, and grey out of colour."""

from __future__ import annotations

import numpy as np

_INTEGERS = (np.dtype(np.int16), np.dtype(np.uint16), np.dtype(np.int32))

GREY_TOLERANCE = 12
"""Largest difference between channels that lossy compression of a grey picture leaves."""

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def rescale(
    raw: np.ndarray,
    slope: float = 1.0,
    intercept: float = 0.0,
    limits: tuple[int, int] | None = None,
) -> np.ndarray:
    """Apply ``raw * slope + intercept`` and give the smallest type that holds it exactly.

    Parameters
    ----------
    raw : ndarray
        Stored values.
    slope, intercept : float
        The file's scaling.
    limits : tuple of int, optional
        Range that integers are known to keep to; saves looking for it.

    Returns
    -------
    ndarray
        The input itself where nothing has to change; an integer type where the result is
        whole numbers; else float32. Never float64.
    """
    if slope == 1 and intercept == 0:
        return tidy(raw)
    if raw.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        dtype = _scaled_type(limits, slope, intercept) if limits else None
        if dtype != np.int16:
            dtype = _scaled_type((int(raw.min()), int(raw.max())), slope, intercept)
        if dtype is not None:
            # Integer arithmetic wraps around, and the result fits: so every value is right
            # at the end, whatever overflowed on the way.
            out = raw.astype(dtype)
            if slope != 1:
                out *= np.array(int(slope)).astype(dtype)
            out += np.array(int(intercept)).astype(dtype)
            return out
    out = np.empty(raw.shape, dtype=np.float32)
    for plane, target in zip(_planes(raw), _planes(out), strict=True):
        target[...] = plane.astype(np.float64) * slope + intercept
    return tidy(out)


def tidy(array: np.ndarray) -> np.ndarray:
    """Give an array in native byte order and the smallest exact of the types in use.

    8 and 16 bit integers stay as they are; wider integers and floats that hold whole
    numbers become integers; other floats become float32.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return array.astype(np.uint8)
    if kind in "iu":
        if size <= 2 and array.dtype != np.int8:
            return array
        dtype = _holding(int(array.min()), int(array.max()))
        return array.astype(dtype or np.float32, copy=False)
    if _is_whole(array):
        dtype = _holding(int(array.min()), int(array.max()))
        if dtype is not None:
            return array.astype(dtype)
    return array.astype(np.float32, copy=False)


def to_grey(colour: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn RGB into grey.

    Parameters
    ----------
    colour : ndarray, shape (y, x, 3)
        Unsigned integers.

    Returns
    -------
    grey : ndarray, shape (y, x)
        The common channel where all three are equal, else the luminance, same type.
    coloured : float
        Share of pixels whose channels differ by more than lossy compression explains.
    """
    grey = np.empty(colour.shape[:2], dtype=colour.dtype)
    limit = GREY_TOLERANCE * (np.iinfo(colour.dtype).max // 255)
    coloured = 0
    step = max(1, (1 << 22) // max(1, colour.shape[1]))  # strips: a huge picture stays in memory
    for start in range(0, colour.shape[0], step):
        strip = colour[start : start + step]
        spread = strip.max(axis=2) - strip.min(axis=2)
        coloured += int((spread > limit).sum())
        if spread.any():
            grey[start : start + step] = np.rint(strip @ _LUMINANCE)
        else:
            grey[start : start + step] = strip[..., 0]
    return grey, coloured / grey.size


def _scaled_type(limits: tuple[int, int], slope: float, intercept: float) -> np.dtype | None:
    """Smallest integer type in use that holds a range after whole-number scaling."""
    ends = [end * int(slope) + int(intercept) for end in limits]
    return _holding(min(ends), max(ends))


def _planes(array: np.ndarray) -> list[np.ndarray]:
    """Give views that cover the array, small enough to be computed in double precision."""
    return [array] if array.ndim < 3 else list(array)


def _is_whole(array: np.ndarray) -> bool:
    """Whether all values are finite whole numbers."""
    return all(
        bool(np.isfinite(plane).all() and (plane == np.rint(plane)).all())
        for plane in _planes(array)
    )


def _holding(low: int, high: int) -> np.dtype | None:
    """Smallest of the integer types in use that holds a range; None if none does."""
    for dtype in _INTEGERS:
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return dtype
    return None
