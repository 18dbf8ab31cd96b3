"""Changes that a training picture may meet in the wild, drawn by a seeded generator."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from napari_covidseg.training.augment_lesions import Bank, transplant
from napari_covidseg.training.augment_spec import AugmentSpec
from napari_covidseg.training.augment_values import change_values
from napari_covidseg.training.augment_warp import bent_map
from napari_covidseg.training.sources import ANY


def augment(
    picture: np.ndarray,
    labels: np.ndarray,
    size: int,
    margin: float,
    spec: AugmentSpec,
    sides: bool,
    rng: np.random.Generator,
    lungs: np.ndarray | None = None,
    bank: Bank = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one changed version of a picture and its mask.

    Parameters
    ----------
    picture : ndarray of float32, shape (s, s)
        Windowed values; may reach beyond 0..1.
    labels : ndarray of uint8, shape (s, s)
        Its mask.
    size : int
        Side of the result.
    margin : float
        The picture shows this many times the side of the frame, so that shifts and
        rotations bring real pixels in.
    spec : AugmentSpec
        How strongly.
    sides : bool
        Whether labels are lungs: 1 and 2 are sides, to be swapped by a mirror.
    rng : numpy.random.Generator
        Where chance comes from.
    lungs : ndarray of uint8, shape (s, s), or None
        Lungs that were found, 0 or 255, to be shown beside the picture.
    bank : Bank
        Lesions to set into healthy lung, see ``augment_lesions``.

    Returns
    -------
    picture : ndarray of float32, shape (size, size, 1) or (size, size, 2)
        0 to 1; the second channel shows the lungs.
    labels : ndarray of uint8, shape (size, size)
    """
    if spec.lesions and bank and rng.random() < spec.lesions:
        picture, labels = _with_lesions(picture, labels, sides, lungs, bank, rng)
    matrix, mirrored = _geometry(picture.shape[0], size, margin, spec, rng)
    take = _taker(matrix, size, spec, rng)
    # The picture was resampled to its frame before: linear again would leave it softer than
    # what a network sees in use.
    out = take(picture, cv2.INTER_CUBIC)
    mask = take(labels, cv2.INTER_NEAREST)
    if sides and mirrored:
        mask = np.array([0, 2, 1, 3, 4], np.uint8)[mask]
    if spec.opacity and rng.random() < spec.opacity:
        out = paint_opacity(out, mask, rng)
    channels = [change_values(out, spec, rng)]
    if lungs is not None:
        found = take(lungs, cv2.INTER_LINEAR)
        shown = found.astype(np.float32) / np.float32(255)
        if spec.wear and rng.random() < spec.wear:
            shown = shown * (1 - _blobs(size, shown > 0, rng))
        channels.append(shown)
    return np.stack(channels, axis=-1), mask


def _with_lesions(
    picture: np.ndarray,
    labels: np.ndarray,
    sides: bool,
    lungs: np.ndarray | None,
    bank: Bank,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Set lesions in: labels of lungs stay as they are, those of infection get the kind."""
    if sides:
        drawn = (labels > 0) & (labels <= ANY)
        return transplant(picture, drawn, drawn, bank, rng)[0], labels
    if lungs is None:
        return picture, labels
    whole = lungs > 127
    changed, kinds = transplant(picture, whole & (labels == 0), whole, bank, rng)
    return changed, np.where(kinds > 0, kinds, labels)


def _taker(
    matrix: np.ndarray, size: int, spec: AugmentSpec, rng: np.random.Generator
) -> Callable[[np.ndarray, int], np.ndarray]:
    """Give the function that draws any picture of an item through one and the same change."""
    if spec.elastic or spec.barrel:
        columns, rows = bent_map(matrix, size, spec.elastic, spec.barrel, rng)
        return lambda picture, how: cv2.remap(picture, columns, rows, how)
    return lambda picture, how: cv2.warpAffine(
        picture, matrix, (size, size), flags=how | cv2.WARP_INVERSE_MAP
    )


def _geometry(
    side: int, size: int, margin: float, spec: AugmentSpec, rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Matrix from result pixels to picture pixels, and whether it mirrors."""
    angle = np.deg2rad(rng.uniform(-spec.rotate, spec.rotate))
    mirrored = bool(rng.random() < spec.flip)
    if rng.random() < spec.turn:
        angle += int(rng.integers(1, 4)) * np.pi / 2
    zoom = np.exp(rng.uniform(-spec.zoom, spec.zoom))
    scale = side / margin / size * zoom
    stretch = np.exp(rng.uniform(-0.5, 0.5) * spec.zoom * 0.5)
    cos, sin = np.cos(angle), np.sin(angle)
    linear: np.ndarray = np.array([[cos, -sin], [sin, cos]])
    linear = linear @ np.diag([scale * stretch, scale / stretch])
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = rng.uniform(-spec.shift, spec.shift, 2) * side / margin
    centre = (side - 1) / 2 + shift
    offset = centre - linear @ np.full(2, (size - 1) / 2)
    return np.column_stack([linear, offset]).astype(np.float64), mirrored


def paint_opacity(picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint soft-edged opacities, from haze to solid, over random parts of the lungs.

    The mask is not changed: a network that sees these learns that a clouded lung is
    still lung.
    """
    lung = mask > 0
    if not lung.any():
        return picture
    cover = _blobs(picture.shape[0], lung, rng)
    level = float(rng.uniform(0.3, 0.98))
    texture = 1.0 + 0.1 * cv2.GaussianBlur(
        rng.standard_normal(picture.shape).astype(np.float32), (0, 0), 1.0
    )
    cloud = np.maximum(picture, level * texture)
    return picture * (1 - cover) + cloud * cover


def _blobs(size: int, lung: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Soft-edged blobs over a random part of the lung: float32 (size, size), 0 to 1."""
    grid = rng.standard_normal((int(rng.integers(4, 12)),) * 2).astype(np.float32)
    field = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    covered = float(rng.uniform(0.05, 0.6))
    if not lung.any():
        return np.zeros((size, size), np.float32)
    threshold = np.quantile(field[lung], 1.0 - covered)
    softness = float(rng.uniform(0.02, 0.3))
    cover = np.clip((field - threshold) / softness, 0.0, 1.0).astype(np.float32) * lung
    blurred: np.ndarray = cv2.GaussianBlur(cover, (0, 0), float(rng.uniform(0.5, 2.0)))
    return blurred * lung
