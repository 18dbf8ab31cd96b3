"""Thin slices: where neighbours show nearly the same, some are asked and the rest follow."""

from __future__ import annotations

import cv2
import numpy as np

STEP = 2.5
"""mm between slices that are asked, at most. Lungs are drawn on slices of 1 to 5 mm, and
their outline moves little within 2.5 mm."""

LEAST = 120
"""Slices that are asked at least: many files tell a wrong spacing, and no chest is so long
that its slices are thin where there are only so many."""


def asked(count: int, spacing: float) -> np.ndarray:
    """Choose the slices to ask: first, last, and between them not over `STEP` apart.

    Parameters
    ----------
    count : int
        Slices, at least 1.
    spacing : float
        mm from one to the next.

    Returns
    -------
    ndarray of int
        Indices, rising from 0.
    """
    every = max(1, min(count // LEAST, int(STEP / spacing + 1e-6)))
    return np.unique(np.append(np.arange(0, count, every), count - 1))


def between(p: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Give answers for all slices from those that were asked, linearly in between.

    Parameters
    ----------
    p : ndarray of uint8, shape (len(indices), y, x, classes)
        Answers for the slices `indices`.
    indices : ndarray of int
        From `asked`: rising from 0.

    Returns
    -------
    ndarray of uint8, shape (indices[-1] + 1, y, x, classes)
    """
    count = int(indices[-1]) + 1
    if len(indices) == count:
        return p
    # By rows: OpenCV drops a last axis of one.
    flat = p.reshape(*p.shape[:2], -1)
    out = np.empty((count, *flat.shape[1:]), np.uint8)
    out[indices] = flat
    for k, (low, high) in enumerate(zip(indices[:-1].tolist(), indices[1:].tolist(), strict=True)):
        for z in range(low + 1, high):
            part = (z - low) / (high - low)
            out[z] = cv2.addWeighted(flat[k], 1 - part, flat[k + 1], part, 0)
    return out.reshape(count, *p.shape[1:])
