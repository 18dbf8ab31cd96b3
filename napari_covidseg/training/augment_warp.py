"""Bend a training picture: where each pixel of the result is taken from.

All changes of shape are put together into one map of coordinates before anything is
drawn, so that a picture is interpolated once.
"""

from __future__ import annotations

import cv2
import numpy as np

SMOOTHNESS = 0.08
"""Standard deviation of the Gaussian over an elastic field, as a part of the side: with it
a shift of up to 0.05 folds nothing over."""

COARSE = 32
"""Side of the grid on which an elastic field is smoothed; it is far smoother than that."""


def bent_map(
    matrix: np.ndarray, size: int, elastic: float, barrel: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of the result lies in the picture.

    Parameters
    ----------
    matrix : ndarray of float, shape (2, 3)
        Affine part: from result pixels (x, y, 1) to picture pixels.
    size : int
        Side of the result in pixels.
    elastic : float
        Largest shift of the elastic deformation, as a part of the side; 0 for none.
    barrel : float
        Largest coefficient of the radial distortion, of either sign; 0 for none.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    columns, rows : ndarray of float32, shape (size, size)
        In the picture, for ``cv2.remap``.

    Notes
    -----
    The elastic field is that of Simard, Steinkraus and Platt, "Best practices for
    convolutional neural networks applied to visual document analysis", ICDAR 2003:
    uniform noise smoothed by a Gaussian, here scaled by its largest shift. The radial
    distortion is the first term of Brown, "Decentering distortion of lenses", 1966:
    a point at radius r (1 at half the side) is taken from r (1 + k r^2); k > 0 is a
    barrel, k < 0 a pincushion.
    """
    middle = np.float32((size - 1) / 2)
    axis = np.arange(size, dtype=np.float32) - middle
    x, y = np.broadcast_arrays(axis, axis[:, np.newaxis])
    if barrel:
        part = (axis / middle) ** 2
        grown = 1 + np.float32(rng.uniform(-barrel, barrel)) * (part + part[:, np.newaxis])
        x, y = x * grown, y * grown
    if elastic:
        dx, dy = _shifts(size, elastic * size, rng)
        x, y = x + dx, y + dy
    (xx, xy, x0), (yx, yy, y0) = matrix.astype(np.float32)
    x0, y0 = x0 + (xx + xy) * middle, y0 + (yx + yy) * middle
    return xx * x + xy * y + x0, yx * x + yy * y + y0


def _shifts(size: int, most: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Smooth random shifts in x and y, each (size, size), the longest at most `most` pixels."""
    noise = rng.uniform(-1, 1, (COARSE, COARSE, 2)).astype(np.float32)
    smooth: np.ndarray = cv2.GaussianBlur(noise, (0, 0), SMOOTHNESS * COARSE)
    longest = np.sqrt((smooth**2).sum(axis=-1).max())
    smooth = smooth * np.float32(rng.uniform(0, most) / longest)
    return [
        cv2.resize(smooth[..., k].copy(), (size, size), interpolation=cv2.INTER_CUBIC)
        for k in range(2)
    ]
