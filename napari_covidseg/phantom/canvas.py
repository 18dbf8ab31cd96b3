"""A volume to paint shapes on, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from scipy import ndimage

Point = Sequence[float] | np.ndarray
"""(z, y, x) in mm."""


class Canvas:
    """Values on a grid of known place, with shapes painted onto it in mm.

    x runs from the patient's right (negative) to left, y from front (negative) to back,
    z from feet to head.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    lower, upper : tuple of float
        Edges of the volume in mm, (z, y, x).
    value : float
        What fills it.
    """

    def __init__(self, shape: tuple[int, ...], lower: Point, upper: Point, value: float) -> None:
        self.spacing = tuple(
            (float(b) - float(a)) / n for a, b, n in zip(lower, upper, shape, strict=True)
        )
        self.axes = tuple(
            (a + (np.arange(n) + 0.5) * s).astype(np.float32)
            for a, n, s in zip(lower, shape, self.spacing, strict=True)
        )
        self.values = np.full(shape, value, np.float32)

    @property
    def grids(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Open grids of z, y and x."""
        z, y, x = np.ix_(*self.axes)
        return z, y, x

    def paint(self, mask: np.ndarray, value: float) -> None:
        """Give a value to the voxels of a mask that broadcasts to the volume."""
        np.copyto(self.values, np.float32(value), where=mask)

    def ellipsoid(
        self, centre: Point, radii: Point, value: float, *, turn: float = 0.0, lean: float = 0.0
    ) -> None:
        """Paint an ellipsoid, turned about z, then leaning about y (radians)."""
        window = self.window(centre, [max(radii)] * 3)
        z, y, x = self.offsets(window, centre)
        x, z = np.cos(lean) * x + np.sin(lean) * z, np.cos(lean) * z - np.sin(lean) * x
        x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        inside = (z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2 < 1
        self.values[window][inside] = value

    def tube(self, points: Sequence[Point], radius: float, value: float) -> None:
        """Paint a chain of round-ended cylinders along a polyline."""
        for start, end in pairwise(points):
            a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
            window = self.window((a + b) / 2, np.abs(b - a) / 2 + radius)
            offset = self.offsets(window, a)
            along = b - a
            t = sum(o * d for o, d in zip(offset, along, strict=True)) / max(
                float(along @ along), 1e-6
            )
            t = np.clip(t, 0, 1)
            squared = sum((o - t * d) ** 2 for o, d in zip(offset, along, strict=True))
            self.values[window][squared < radius**2] = value

    def coverage(self, points: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Share of each voxel that small balls fill: thin vessels fade, as in a scan.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            (z, y, x) in mm.
        radii : ndarray, shape (n,)
            In mm.

        Returns
        -------
        ndarray of float32
            0 to 1, shape of the volume.
        """
        out = np.zeros(self.values.shape, np.float32)
        spacing = np.array(self.spacing, np.float32)
        first = np.array([axis[0] for axis in self.axes])
        place = (points - first) / spacing
        # A ball thinner than a voxel fills it in proportion to its section.
        width = float(spacing.mean())
        for low, high in ((0, 1), (1, 1.8), (1.8, 3), (3, 5), (5, 12)):
            chosen = (radii > low) & (radii <= high)
            if not chosen.any():
                continue
            at, r = place[chosen], radii[chosen].astype(np.float32)
            nearest = np.rint(at).astype(int)
            reach = np.ceil((r.max() + width / 2) / spacing).astype(int)
            for shift in np.ndindex(*(2 * reach + 1)):
                voxel = nearest + np.array(shift) - reach
                distance = np.linalg.norm((voxel - at) * spacing, axis=1)
                filled = np.clip(
                    (r + width / 2 - distance) / width, 0, np.minimum(1, 2 * r / width)
                )
                inside = (filled > 0) & (voxel >= 0).all(1) & (voxel < out.shape).all(1)
                np.maximum.at(out, tuple(voxel[inside].T), filled[inside].astype(np.float32))
        return out

    def noise(self, rng: np.random.Generator, scale: float) -> np.ndarray:
        """Smooth noise of unit variance; `scale` (mm) is the size of its grains."""
        step = [max(1, int(scale / s / 1.6)) for s in self.spacing]
        coarse = [-(-n // k) + 1 for n, k in zip(self.values.shape, step, strict=True)]
        field = rng.standard_normal(coarse, dtype=np.float32)
        sigma = [scale / s / k for s, k in zip(self.spacing, step, strict=True)]
        field = ndimage.gaussian_filter(field, sigma, truncate=3, mode="wrap")
        return resize(field / field.std(), self.values.shape)

    def window(self, centre: Point, half: Point) -> tuple[slice, ...]:
        """Part of the volume within `half` (mm, per axis) of a point."""
        bounds = []
        for axis, c, h in zip(self.axes, centre, half, strict=True):
            bounds.append(slice(*np.searchsorted(axis, (c - h, c + h))))
        return tuple(bounds)

    def offsets(self, window: tuple[slice, ...], centre: Point) -> list[np.ndarray]:
        """Open grids of z, y and x over a window, counted from a point."""
        axes = [axis[part] - c for axis, part, c in zip(self.axes, window, centre, strict=True)]
        return list(np.ix_(*axes))


def resize(volume: np.ndarray, shape: tuple[int, ...], how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Interpolate a volume to another shape, in the planes and then along z."""
    planes = volume
    if volume.shape[1:] != tuple(shape[1:]):
        planes = np.stack([cv2.resize(p, shape[:0:-1], interpolation=how) for p in volume])
    count = len(planes)
    if count == shape[0]:
        return planes
    where = (np.arange(shape[0]) + 0.5) * count / shape[0] - 0.5
    if how == cv2.INTER_NEAREST:
        return planes[np.clip(np.rint(where).astype(int), 0, count - 1)]
    lower = np.clip(np.floor(where).astype(int), 0, max(count - 2, 0))
    upper = np.minimum(lower + 1, count - 1)
    part = np.clip(where - lower, 0, 1).astype(np.float32)
    out = np.empty(shape, planes.dtype)
    for index, (a, b, t) in enumerate(zip(lower, upper, part, strict=True)):
        out[index] = planes[a] * (1 - t) + planes[b] * t
    return out
