"""Pictures that are nearly the same, found by a perceptual hash.

The hash is the difference hash (Krawetz, "Kind of Like That", 2013) in both directions: a
picture is shrunk to 16 x 16 steps, and each bit says whether it grows brighter to the
right, or downwards. Size, window, gamma and JPEG change few of the 512 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from napari_covidseg.inference.window import Window

STEPS = 16
LIMIT = 40
"""Up to so many of 512 bits may differ in pictures that are taken for the same.

Looked for in 128 x 128 copies of 7,900 slices and films of twelve sets: files of one picture
differ by 0 to 12 bits, two films or slices of one patient that look the same to the eye by
15 to 39, and pictures of different patients by 50 or more.
"""

FLAT = 8
"""A picture whose shrunken grey values span less, of 255, has nothing to be told by."""

BLOCK = 1024


def fingerprint(picture: np.ndarray, window: Window) -> np.ndarray | None:
    """Hash one picture.

    Parameters
    ----------
    picture : ndarray, shape (y, x)
        Values of any type.
    window : Window
        Which values are shown.

    Returns
    -------
    ndarray of uint64, shape (8,), or None
        None for a picture without anything in it.
    """
    step = max(1, min(picture.shape) // (32 * STEPS))
    shown = picture[::step, ::step].astype(np.float32)
    shown = np.clip((shown - window.low) / (window.high - window.low), 0, 1) * 255
    wide = cv2.resize(shown, (STEPS + 1, STEPS), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(shown, (STEPS, STEPS + 1), interpolation=cv2.INTER_AREA)
    if np.ptp(wide) < FLAT:
        return None
    # Whole grey values: rounding noise in a flat background says nothing.
    wide, tall = np.rint(wide), np.rint(tall)
    bits = np.concatenate([(wide[:, 1:] > wide[:, :-1]).ravel(), (tall[1:] > tall[:-1]).ravel()])
    return np.packbits(bits).view(np.uint64)


def alike(
    first: Sequence[np.ndarray | None], second: Sequence[np.ndarray | None], limit: int = LIMIT
) -> list[tuple[int, int, int]]:
    """Find pairs of nearly the same picture, one of each side.

    Parameters
    ----------
    first, second : sequence of ndarray or None
        Hashes as `fingerprint` makes them.
    limit : int
        Most bits that may differ.

    Returns
    -------
    list of (int, int, int)
        Place in `first`, place in `second`, and bits that differ; the closest pair first.
    """
    rows = [i for i, h in enumerate(first) if h is not None]
    columns = [j for j, h in enumerate(second) if h is not None]
    if not rows or not columns:
        return []
    a = np.stack([h for h in first if h is not None])
    b = np.stack([h for h in second if h is not None])
    pairs = []
    for start in range(0, len(a), BLOCK):
        part = a[start : start + BLOCK]
        apart = np.zeros((len(part), len(b)), np.uint16)
        for word in range(a.shape[1]):
            apart += np.bitwise_count(part[:, word, None] ^ b[None, :, word])
        for i, j in np.argwhere(apart <= limit):
            pairs.append((rows[start + i], columns[j], int(apart[i, j])))
    return sorted(pairs, key=lambda pair: pair[2])
