"""Tell right lung from left in masks that draw both as one."""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage

RIGHT, LEFT, UNKNOWN = 1, 2, 3


def split_sides(lungs: np.ndarray) -> np.ndarray:
    """Label the two lungs of a mask in display order.

    The mask is eroded until it falls apart into one large piece on either side of the
    middle; every pixel then joins the nearer piece. Display order has the patient's
    right at the picture's left.

    Parameters
    ----------
    lungs : ndarray, shape (z, y, x) or (y, x)
        Both lungs, any value above 0.

    Returns
    -------
    ndarray of uint8
        1 right, 2 left; 3 where the sides could not be told apart.
    """
    mask = lungs > 0
    if mask.ndim == 2:
        return split_sides(mask[np.newaxis])[0]
    out = np.zeros(mask.shape, np.uint8)
    if not mask.any():
        return out
    for erosion in range(8):
        core = mask if erosion == 0 else ndimage.binary_erosion(mask, _disk(), erosion)
        pieces, count = cc3d.connected_components(
            core.astype(np.uint8), connectivity=6, return_N=True
        )
        if count == 0:
            break
        stats = cc3d.statistics(pieces)
        sizes = stats["voxel_counts"].astype(float)
        sizes[0] = 0
        xs = np.nan_to_num(stats["centroids"][:, -1])
        middle = (np.flatnonzero(mask.any((0, 1))).mean() + _balance(mask)) / 2
        big = sizes > 0.02 * sizes.sum()
        right, left = sizes[big & (xs < middle)].sum(), sizes[big & (xs >= middle)].sum()
        if min(right, left) < 0.15 * (right + left) and erosion < 7:
            # One piece holds nearly all: the lungs still touch (or only one is there).
            spans = _crosses(pieces, int(np.argmax(sizes)), middle)
            if spans:
                continue
        if _crosses(pieces, int(np.argmax(sizes)), middle) and erosion < 7:
            continue
        side = np.where(xs < middle, RIGHT, LEFT).astype(np.uint8)
        side[0] = 0
        seeds = side[pieces]
        nearest = ndimage.distance_transform_edt(
            seeds == 0, return_distances=False, return_indices=True
        )
        return np.where(mask, seeds[tuple(nearest)], 0).astype(np.uint8)
    out[mask] = UNKNOWN
    return out


def _disk() -> np.ndarray:
    """In-plane cross: the slices of a chest are thick, and the lungs touch in the plane."""
    return np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)


def _balance(mask: np.ndarray) -> float:
    """Mean x of the mask."""
    columns = mask.sum((0, 1))
    return float((columns * np.arange(columns.size)).sum() / columns.sum())


def _crosses(pieces: np.ndarray, piece: int, middle: float) -> bool:
    """Whether a piece lies on both sides of the middle by more than a fifth each."""
    columns = (pieces == piece).sum((0, 1))
    before = columns[: round(middle)].sum() / max(columns.sum(), 1)
    return bool(0.2 < before < 0.8)
