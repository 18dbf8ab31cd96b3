"""Post-processing: what anatomy says about a network's answer.

Works on small probability volumes at the network's resolution, where it is cheap.
"""

from __future__ import annotations

import math

import cc3d
import cv2
import numpy as np

from napari_covidseg.study import Modality

SMALLEST_LUNG = {Modality.CT: 0.02, Modality.XR: 0.1}
"""A piece that is a smaller part of all lung is none; on a film it is a stomach bubble."""

HALF = 128
"""Probability one half in the uint8 steps in which answers are kept."""


def clean_lungs(
    p: np.ndarray, *, sides_known: bool, modality: Modality = Modality.CT
) -> np.ndarray:
    """Remove what is no lung, give each piece one side, and fill holes.

    Parameters
    ----------
    p : ndarray of uint8, shape (z, y, x, 2)
        Probability of right and left lung, 0 to 255; changed in place.
    sides_known : bool
        Whether the patient's right is known to lie at the picture's left. A separate
        lung then gets its side by its place; otherwise by what the network saw most.
    modality : Modality
        Decides how small a piece is dropped.

    Returns
    -------
    ndarray
        `p`.

    Notes
    -----
    Pieces are connected in 3D for a volume. Two lungs that touch are one piece and keep
    the border that the network drew.
    """
    mask = cv2.add(p[..., 0], p[..., 1]) >= HALF
    if not mask.any():
        return p
    pieces = cc3d.connected_components(mask, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= SMALLEST_LUNG[modality] * sizes.sum()
    if not keep[1:].all():
        kept = keep[pieces]
        dropped = mask & ~kept
        mask &= kept
        p[_grow(dropped) & ~mask] = 0
    _give_sides(p, pieces, np.flatnonzero(keep), sides_known)
    _settle_islands(p, mask)
    _fill_holes(p, mask)
    return p


def _give_sides(p: np.ndarray, pieces: np.ndarray, kept: np.ndarray, sides_known: bool) -> None:
    """Give each piece that lies on one side of the middle that side wholly."""
    columns = np.stack([(pieces == k).sum((0, 1)) for k in kept]).astype(float)
    total = columns.sum(0)
    middle = _middle(total)
    left_part = columns[:, : round(middle)].sum(1) / columns.sum(1)
    votes = []
    for k in kept:
        right, left = p[pieces == k].sum(0, dtype=float)
        votes.append((right - left) / (right + left))
    # Where the network gives both lungs to one side, the pair is judged together.
    at_left, at_right = left_part > 0.85, left_part < 0.15
    sizes = columns.sum(1)
    ahead = sum(v * n for v, n, here in zip(votes, sizes, at_left, strict=True) if here) - sum(
        v * n for v, n, here in zip(votes, sizes, at_right, strict=True) if here
    )
    right_is_left = sides_known or ahead >= 0
    apart = at_left.any() and at_right.any()
    for i, k in enumerate(kept):
        if not (at_left[i] or at_right[i]):
            continue
        here = pieces == k
        is_right = (at_left[i] == right_is_left) if apart else votes[i] >= 0
        both = cv2.add(p[..., 0], p[..., 1])[here]
        p[here] = np.stack([both, 0 * both] if is_right else [0 * both, both], axis=-1)


def _middle(columns: np.ndarray) -> float:
    """Column between the lungs: halfway between their outer edges."""
    shown = np.flatnonzero(columns)
    return float(shown[0] + shown[-1] + 1) / 2


def _grow(mask: np.ndarray) -> np.ndarray:
    """Dilate by one pixel in each slice."""
    kernel = np.ones((3, 3), np.uint8)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) for m in mask]).astype(bool)


def _settle_islands(p: np.ndarray, mask: np.ndarray) -> None:
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


def inside(p: np.ndarray, lungs: np.ndarray, threshold: float, least: float = 0.1) -> np.ndarray:
    """Keep infection that lies in the lungs, and drop what lies elsewhere.

    A solid lesion is easily cut off the lung that it belongs to, so a lesion is kept
    wholly when enough of it lies in the lungs.

    Parameters
    ----------
    p : ndarray of uint8, shape (z, y, x, classes)
        Probabilities, changed in place.
    lungs : ndarray of bool, shape (z, y, x)
        Lungs on the same pixels.
    threshold : float
        Probability from which the model draws.
    least : float
        Part of a lesion, in its slice, that must lie in the lungs.
    """
    for z in range(len(p)):
        marked = _marked(p[z], threshold)
        if not marked.any():
            p[z] = 0
            continue
        pieces = cc3d.connected_components(marked, connectivity=8)
        sizes = np.bincount(pieces.ravel())
        within = np.bincount(pieces[lungs[z]], minlength=len(sizes))
        kept = within >= least * sizes
        kept[0] = False
        p[z] *= kept[pieces][..., np.newaxis]
    return p


def drop_specks(p: np.ndarray, threshold: float, smallest: int = 6) -> np.ndarray:
    """Remove in-plane specks of fewer than `smallest` pixels; changed in place.

    `threshold` is the probability from which the model draws.
    """
    for z in range(len(p)):
        marked = _marked(p[z], threshold)
        if not marked.any():
            continue
        pieces = cc3d.connected_components(marked, connectivity=8)
        small = np.bincount(pieces.ravel()) < smallest
        small[0] = False
        if small.any():
            p[z] *= ~small[pieces][..., np.newaxis]
    return p


def _marked(p: np.ndarray, threshold: float) -> np.ndarray:
    """Pixels of one slice that belong to a lesion: all that may be drawn, and its faint edge.

    Classes are drawn where they reach the threshold together, so that each alone may have no
    more than its part of it.
    """
    return _highest(p) >= min(HALF // 2, math.ceil(threshold * 255 / p.shape[-1]))


def _highest(p: np.ndarray) -> np.ndarray:
    """Maximum over the last axis, by planes: NumPy's own is many times slower there."""
    top = p[..., 0]
    for k in range(1, p.shape[-1]):
        top = cv2.max(top, p[..., k])
    return top
