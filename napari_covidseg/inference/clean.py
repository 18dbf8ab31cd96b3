"""Post-processing: what anatomy says about a network's answer.

Works on small probability volumes at the network's resolution, where it is cheap.
"""

from __future__ import annotations

import cc3d
import cv2
import numpy as np

HALF = 128
"""Probability one half in the uint8 steps in which answers are kept."""


def clean_lungs(p: np.ndarray, smallest: float = 0.02) -> np.ndarray:
    """Remove what is no lung, fill holes, and give each piece one side.

    Parameters
    ----------
    p : ndarray of uint8, shape (z, y, x, 2)
        Probability of right and left lung, 0 to 255; changed in place.
    smallest : float
        A piece smaller than this part of all lung is dropped.

    Returns
    -------
    ndarray
        `p`.

    Notes
    -----
    Pieces are connected in 3D for a volume. A piece that belongs mostly to one side is
    given to it wholly when the rest is a small island; two lungs that touch keep the
    border that the network drew.
    """
    total = cv2.add(p[..., 0], p[..., 1])
    mask = total >= HALF
    if not mask.any():
        return p
    pieces = cc3d.connected_components(mask, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= smallest * sizes.sum()
    # Never more than a lung or two and what a fissure or a chest wall cuts off.
    dropped = mask & ~keep[pieces]
    p[
        cv2.dilate(dropped.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        if dropped.ndim == 2
        else _grow(dropped) & ~keep[pieces]
    ] = 0
    mask &= keep[pieces]
    _settle_sides(p, mask)
    _fill_holes(p, mask)
    return p


def _grow(mask: np.ndarray) -> np.ndarray:
    """Dilate by one pixel in each slice."""
    kernel = np.ones((3, 3), np.uint8)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) for m in mask]).astype(bool)


def _settle_sides(p: np.ndarray, mask: np.ndarray) -> None:
    """Give islands of one side inside the other lung to the lung round them."""
    right = mask & (p[..., 0] >= p[..., 1])
    for side, other in ((right, mask & ~right), (mask & ~right, right)):
        pieces = cc3d.connected_components(side, connectivity=6)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        if sizes.size < 3:
            continue
        small = sizes < 0.25 * sizes.max()
        small[0] = False
        # Only islands that touch the other lung: a lung in two pieces stays what it is.
        touches = np.unique(pieces[_grow(other) & side])
        flip = np.zeros_like(small)
        flip[touches] = small[touches]
        islands = flip[pieces]
        if islands.any():
            p[islands] = p[islands][:, ::-1]


def _fill_holes(p: np.ndarray, mask: np.ndarray) -> None:
    """Fill holes in each slice that are small against the lung: vessels, nodules, lesions."""
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        pieces, count = cc3d.connected_components(~mask[z], connectivity=4, return_N=True)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        border = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
        hole = np.ones(count + 1, bool)
        hole[border] = False
        hole[0] = False
        hole &= sizes < 0.1 * mask[z].sum()
        inside = hole[pieces]
        if inside.any():
            right = cv2.blur(p[z, ..., 0], (15, 15)) >= cv2.blur(p[z, ..., 1], (15, 15))
            p[z][inside & right] = (255, 0)
            p[z][inside & ~right] = (0, 255)


def inside(p: np.ndarray, lungs: np.ndarray, reach: int = 2) -> np.ndarray:
    """Keep infection inside the lungs, a few pixels of their edge included.

    Parameters
    ----------
    p : ndarray of uint8, shape (z, y, x, classes)
        Probabilities, changed in place.
    lungs : ndarray of bool, shape (z, y, x)
        Lungs on the same pixels.
    reach : int
        Pixels beyond the lungs' edge that still count: a consolidation at the pleura is
        often cut off the lung.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    for z in range(len(p)):
        near = cv2.dilate(lungs[z].astype(np.uint8), kernel)
        p[z][near == 0] = 0
    return p


def drop_specks(p: np.ndarray, smallest: int = 6) -> np.ndarray:
    """Remove in-plane specks of fewer than `smallest` pixels; changed in place."""
    mask = p.max(axis=-1) >= HALF // 2
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        pieces = cc3d.connected_components(mask[z], connectivity=8)
        sizes = np.bincount(pieces.ravel())
        specks = (sizes < smallest)[pieces] & mask[z]
        if specks.any():
            p[z][specks] = 0
    return p
