"""Ground glass and consolidation as COVID-19 pneumonia shows them."""

from __future__ import annotations

import numpy as np

from napari_covidseg.phantom.canvas import Canvas

GROUND_GLASS, CONSOLIDATION = 1, 2


_COUNT = 9


def place(
    depth: np.ndarray,
    lungs: np.ndarray,
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    size: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose where lesions lie and how strong they are.

    Both lungs, at the pleura, more at the back and the bases.

    Parameters
    ----------
    depth : ndarray
        Distance (mm) to the lung's edge; 0 outside.
    lungs : ndarray of uint8
        1 right, 2 left.
    canvas : Canvas
        Gives place and size.
    rng : numpy.random.Generator
        Source of chance.
    size : float
        Scale of the lesions.

    Returns
    -------
    ground_glass, consolidation : ndarray of float32
        0 to 1, soft at the edges.
    """
    field = np.full(lungs.shape, -1.0, np.float32)
    core = field.copy()
    likely = (depth > 4) & (depth < 14)
    for number in range(_COUNT):
        spots = np.argwhere(likely & (lungs == 1 + number % 2))
        where = np.stack([axis[i] for axis, i in zip(canvas.axes, spots.T, strict=True)], 1)
        weight = np.exp(where[:, 1] / 38 - (where[:, 0] - 60) / 110)
        centre = where[rng.choice(len(where), p=weight / weight.sum())]
        scale = size * (1.35 if number < 4 else 0.95)
        for _ in range(4):
            radius = scale * rng.uniform(0.8, 1.25)
            window, ball = _ball(canvas, centre, radius)
            np.maximum(field[window], ball, out=field[window])
            if number < 4 and centre[0] < 140:
                np.maximum(core[window], ball - 0.45, out=core[window])
            centre = centre + scale * rng.normal(0, 1, 3) * (10, 9, 9)
    rough = 0.20 * canvas.noise(rng, 5.0) + 0.08 * canvas.noise(rng, 2.2)
    inside = lungs > 0
    glass = np.clip((field + rough) / 0.3, 0, 1) * (inside & (field > -0.4))
    solid = np.clip((core + 0.6 * rough) / 0.15, 0, 1) * (inside & (core > -0.3))
    return glass, solid


def _ball(
    canvas: Canvas, centre: np.ndarray, radius: float
) -> tuple[tuple[slice, ...], np.ndarray]:
    """Give a lesion's part of the volume, and there 1 at its middle, 0 at its edge.

    Flat along the pleura: wide along the wall, thin into the lung.
    """
    window = canvas.window(centre, [42 * radius] * 3)
    z, y, x = canvas.offsets(window, centre)
    out = np.arctan2((centre[1] - 8) / 90, (centre[2] - np.sign(centre[2]) * 45) / 70)
    radial = np.cos(out) * x + np.sin(out) * y
    along = np.cos(out) * y - np.sin(out) * x
    far = np.sqrt((z / 21) ** 2 + (radial / 15) ** 2 + (along / 26) ** 2)
    return window, (1 - far / radius).astype(np.float32)
