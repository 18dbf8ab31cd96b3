"""How far the borders of two masks lie apart.

Distances run between the centres of border voxels (voxels with a neighbour outside the
mask, across a face), in mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_covidseg.measure.overlap import pair
from napari_covidseg.study import CovidsegError

LUNG_TOLERANCE_MM = 1.0
INFECTION_TOLERANCE_MM = 3.0
"""Tolerances of the NSD in the COVID-19 CT lung and infection segmentation benchmark
(Ma et al., Medical Physics 48:1197, 2021)."""


def surface_distances(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances from each border voxel of one mask to the nearest of the other.

    A k-d tree over the border voxels is exact and touches the surface only; a distance
    transform would touch the whole box around a lung.

    Parameters
    ----------
    prediction, truth : ndarray
        Masks of equal shape, neither empty.
    spacing : sequence of float
        mm per array axis.

    Returns
    -------
    tuple of two ndarray
        In mm: prediction to truth, and truth to prediction.
    """
    from scipy.spatial import KDTree  # here: it would cost the command line half a second

    a, b = pair(prediction, truth)
    points_a, points_b = border_points(a, spacing), border_points(b, spacing)
    trees = [KDTree(p, balanced_tree=False, compact_nodes=False) for p in (points_a, points_b)]
    return (
        trees[1].query(points_a, workers=-1)[0],
        trees[0].query(points_b, workers=-1)[0],
    )


def border_points(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Centres of the border voxels of a mask in mm, shape (n, axes).

    Voxels at the edge of the image count as border: outside it there is no mask. A single
    slice has no neighbours above and below, in whatever array it lies.
    """
    if len(spacing) != mask.ndim or not all(s > 0 for s in spacing):
        raise CovidsegError(
            f"Spacing {tuple(spacing)} does not fit a {mask.ndim}D mask: "
            "give one positive number of mm per axis."
        )
    from scipy.ndimage import binary_erosion, find_objects, generate_binary_structure

    boxes = find_objects(mask.view(np.uint8))
    if not boxes:
        return np.empty((0, mask.ndim))
    box = boxes[0]
    part = mask[box]
    across = tuple(slice(1, 2) if n == 1 else slice(None) for n in mask.shape)
    border = part & ~binary_erosion(part, generate_binary_structure(mask.ndim, 1)[across])
    start = np.array([s.start for s in box])
    return (np.argwhere(border) + start) * np.asarray(spacing, float)


def hd95(prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> float:
    """95th percentile Hausdorff distance in mm: the larger of the two directions.

    NaN if both masks are empty, infinite if one is.
    """
    return hd95_and_nsd(prediction, truth, spacing, 0.0)[0]


def nsd(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float], tolerance: float
) -> float:
    """Normalised surface Dice: share of both surfaces within a tolerance of the other.

    After Nikolov et al., J Med Internet Res 23(7):e26151, 2021, with border voxels
    counted where they weigh surface elements by area.

    Parameters
    ----------
    prediction, truth : ndarray
        Masks of equal shape.
    spacing : sequence of float
        mm per array axis.
    tolerance : float
        In mm; see `LUNG_TOLERANCE_MM` and `INFECTION_TOLERANCE_MM`.
    """
    return hd95_and_nsd(prediction, truth, spacing, tolerance)[1]


def hd95_and_nsd(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float], tolerance: float
) -> tuple[float, float]:
    """Give HD95 and NSD from one search; see `hd95` and `nsd`."""
    a, b = pair(prediction, truth)
    filled = a.any(), b.any()
    if not any(filled):
        return math.nan, math.nan
    if not all(filled):
        return math.inf, 0.0
    there, back = surface_distances(a, b, spacing)
    near = np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance)
    distance = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(distance), near / (there.size + back.size)
