"""A chest made by code, with known lungs and lesions: a CT in HU and an X-ray.

For demonstration, tests and benchmarks where no real scan may be shipped. It is drawn
to resemble a real one closely enough that networks trained on patients find lungs and
lesions in it; it is no patient, and agreement with it proves no accuracy on patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from napari_covidseg.phantom import anatomy, lesions, vessels
from napari_covidseg.phantom.canvas import Canvas, resize
from napari_covidseg.study import Modality, Study, from_array

_CT_FIELD = ((0.0, -190.0, -190.0), (300.0, 190.0, 190.0))
_CT_BASE = (96, 256, 256)
_XR_FIELD = ((-35.0, -130.0, -180.0), (325.0, 140.0, 180.0))
_XR_BASE = (256, 90, 256)


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image with its truth.

    Attributes
    ----------
    study : Study
        CT in HU (int16) or X-ray (uint8).
    lungs : ndarray of uint8
        1 right lung, 2 left lung; shape of the study's array.
    infection : ndarray of uint8
        1 ground glass, 2 consolidation; on the X-ray 1 for both.
    """

    study: Study
    lungs: np.ndarray
    infection: np.ndarray


def ct(shape: tuple[int, int, int] = _CT_BASE, *, seed: int = 0, healthy: bool = False) -> Phantom:
    """Make a chest CT.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) over 300 x 380 x 380 mm. A finer grid than 96 x 256 x 256 is
        interpolated from that one, with noise of its own.
    seed : int
        The same seed gives the same scan.
    healthy : bool
        Leave the lesions out.

    Returns
    -------
    Phantom
        int16 HU.
    """
    rng = np.random.default_rng(seed)
    base = tuple(min(n, b) for n, b in zip(shape, _CT_BASE, strict=True))
    canvas = Canvas(base, *_CT_FIELD, value=anatomy.AIR)
    lungs, infection = _chest(canvas, rng, healthy, upright=False)
    values = ndimage.gaussian_filter(canvas.values, (0.35, 0.55, 0.55))
    if base != tuple(shape):
        values = resize(values, shape)
        lungs, infection = (resize(m, shape, cv2.INTER_NEAREST) for m in (lungs, infection))
    array = np.empty(shape, np.int16)
    for index, plane in enumerate(values):
        grain = ndimage.gaussian_filter(rng.standard_normal(plane.shape, np.float32), 0.7)
        array[index] = np.clip(plane + 18 * grain / grain.std(), -1024, 3071)
    return Phantom(_ct_study(array), lungs, infection)


def xray(shape: tuple[int, int] = (512, 512), *, seed: int = 0, healthy: bool = False) -> Phantom:
    """Make a frontal chest X-ray by shining through the CT phantom.

    Parameters
    ----------
    shape : tuple of int
        (y, x) over 360 x 360 mm.
    seed, healthy
        As in `ct`.

    Returns
    -------
    Phantom
        uint8, bright where much was absorbed.
    """
    rng = np.random.default_rng(seed)
    canvas = Canvas(_XR_BASE, *_XR_FIELD, value=anatomy.AIR)
    lungs, infection = _chest(canvas, rng, healthy, upright=True)
    depth = canvas.spacing[1]
    density = np.clip(1 + canvas.values / 1000, 0, None)
    density += 0.9 * np.clip(canvas.values - 120, 0, None) / 1000  # calcium absorbs more
    dose = np.exp(-0.019 * depth * density.sum(axis=1))
    scatter = ndimage.gaussian_filter(dose, 30)
    shadow = -np.log(dose + 0.25 * scatter + 1e-4)[::-1]
    # What a digital detector's software does: lift detail over the large shadows.
    for size, gain in ((2, 0.8), (8, 0.5), (30, 0.25)):
        shadow = shadow + gain * (shadow - ndimage.gaussian_filter(shadow, size))
    shadow = ndimage.gaussian_filter(shadow, 0.6)
    shadow = cv2.resize(shadow.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(shadow, (10, 99))
    film = 30 + 210 * (shadow - low) / (high - low)
    film += 2.0 * rng.standard_normal(shape)

    def seen(mask: np.ndarray, mm: float) -> np.ndarray:
        thick = (mask.sum(axis=1, dtype=np.float32) * depth)[::-1]
        return cv2.resize(thick, shape[::-1], interpolation=cv2.INTER_LINEAR) > mm

    z, _, x = canvas.grids
    right, left = anatomy.diaphragm(canvas)
    # Films are read down to the edge of the domes, though lung goes on behind them.
    shown = lungs * (z > np.where(x < 0, right, left).max(axis=1, keepdims=True))
    flat = np.zeros(shape, np.uint8)
    for value in (1, 2):
        flat[seen(shown == value, 55)] = value
    opacity = (seen(infection > 0, 20) & (flat > 0)).astype(np.uint8)
    (z0, _, x0), (z1, _, x1) = _XR_FIELD
    study = from_array(
        np.clip(np.rint(film), 0, 255).astype(np.uint8),
        spacing=((z1 - z0) / shape[0], (x1 - x0) / shape[1]),
        modality=Modality.XR,
        stem="phantom-xray",
    )
    return Phantom(study, flat, opacity)


def _chest(
    canvas: Canvas, rng: np.random.Generator, healthy: bool, upright: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Paint the whole chest; give lungs and infection."""
    lungs = anatomy.build(canvas, upright=upright)
    inside = lungs > 0
    step = (1, 2, 2)
    coarse = ndimage.distance_transform_edt(
        inside[:: step[0], :: step[1], :: step[2]],
        sampling=[s * k for s, k in zip(canvas.spacing, step, strict=True)],
    ).astype(np.float32)
    depth = resize(coarse, lungs.shape, cv2.INTER_LINEAR) * inside
    trees = [
        vessels.grow(root, _ends(canvas, depth, lungs == side, rng, 420), rng)
        for side, roots in anatomy.HILA.items()
        for root in roots
    ]
    points = np.concatenate([t.points for t in trees])
    radii = np.concatenate([t.radii for t in trees])
    blood = canvas.coverage(points, radii)
    # Bronchi run beside the arteries, and are seen as far as their walls are thick enough.
    big = radii > 1.4
    beside = points[big] + np.array([0.0, -0.7, 0.7]) * (1.9 * radii[big, None])
    wall = canvas.coverage(beside, 0.75 * radii[big])
    lumen = canvas.coverage(beside, 0.45 * radii[big])

    _, y, _ = canvas.grids
    # Blood and weight gather at the back of who lies, at the bases of who stands.
    tissue = -855 + 0.30 * (y + 85) + 12 * canvas.noise(rng, 9) + 22 * canvas.noise(rng, 1.5)
    infection = np.zeros(lungs.shape, np.uint8)
    if not healthy:
        glass, solid = lesions.place(depth, lungs, canvas, rng, size=1.25 if upright else 1.0)
        # A film shows dense ground glass only.
        haze = (
            (-350 if upright else -570) + 45 * canvas.noise(rng, 2.0) + 40 * canvas.noise(rng, 7.0)
        )
        tissue += glass * (haze - tissue)
        tissue += solid * (15 + 20 * canvas.noise(rng, 2.5) - tissue)
        infection[ndimage.binary_opening(glass > 0.5)] = lesions.GROUND_GLASS
        infection[ndimage.binary_opening(solid > 0.5)] = lesions.CONSOLIDATION
    tissue += wall * 0.5 * (-300 - tissue)
    tissue += blood * (anatomy.BLOOD - tissue)
    tissue += lumen * (-930 - tissue)
    canvas.values[inside] = tissue[inside]
    return lungs, infection


def _ends(
    canvas: Canvas, depth: np.ndarray, lung: np.ndarray, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Random points of a lung, clear of the pleura."""
    spots = np.argwhere(lung & (depth > 3))
    chosen = spots[rng.choice(len(spots), count, replace=False)]
    return np.stack([axis[i] for axis, i in zip(canvas.axes, chosen.T, strict=True)], axis=1)


def _ct_study(array: np.ndarray) -> Study:
    lower, upper = (np.array(edge) for edge in _CT_FIELD)
    dz, dy, dx = (upper - lower) / array.shape
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = dz, -dy, -dx
    affine[:, 3] = (-(lower[2] + dx / 2), -(lower[1] + dy / 2), lower[0] + dz / 2, 1)
    return from_array(
        array, affine=affine, modality=Modality.CT, is_hu=True, stem="phantom-ct", kind="array"
    )
