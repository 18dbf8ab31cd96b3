"""How well a mask agrees with another one.

The plain functions take boolean arrays of equal shape and give one number. Where a
number has no meaning it is NaN, so that a mean over cases must say what it leaves out:

- both masks empty: Dice, IoU and NSD are NaN (not 1: a set full of empty cases would
  look perfect), and `Agreement.both_empty` says so;
- truth empty: sensitivity is NaN; prediction empty: precision is NaN;
- exactly one empty: Dice, IoU and NSD are 0, HD95 is infinite.

Surface distances run between the centres of border voxels (voxels with a neighbour
outside the mask, across a face), in mm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_covidseg.study import CovidsegError

LUNG_TOLERANCE_MM = 1.0
INFECTION_TOLERANCE_MM = 3.0
"""Tolerances of the NSD in the COVID-19 CT lung and infection segmentation benchmark
(Ma et al., Medical Physics 48:1197, 2021)."""


@dataclass(frozen=True)
class Counts:
    """Voxels where two masks agree and differ; sums pool cases.

    Attributes
    ----------
    both, extra, missed : int
        In prediction and truth, in the prediction only, in the truth only.
    """

    both: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.both + other.both, self.extra + other.extra, self.missed + other.missed)

    @property
    def dice(self) -> float:
        """2 |A and B| / (|A| + |B|)."""
        return _ratio(2 * self.both, 2 * self.both + self.extra + self.missed)

    @property
    def iou(self) -> float:
        """|A and B| / |A or B|."""
        return _ratio(self.both, self.both + self.extra + self.missed)

    @property
    def sensitivity(self) -> float:
        """Share of the truth that was found."""
        return _ratio(self.both, self.both + self.missed)

    @property
    def precision(self) -> float:
        """Share of the prediction that is true."""
        return _ratio(self.both, self.both + self.extra)


def count(prediction: np.ndarray, truth: np.ndarray) -> Counts:
    """Count agreeing and differing voxels of two masks.

    Parameters
    ----------
    prediction, truth : ndarray
        Boolean, or anything where non-zero means foreground; equal shapes.

    Raises
    ------
    CovidsegError
        If the shapes differ.
    """
    a, b = _pair(prediction, truth)
    both = int(np.count_nonzero(a & b))
    return Counts(both, int(np.count_nonzero(a)) - both, int(np.count_nonzero(b)) - both)


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice similarity coefficient; NaN if both masks are empty."""
    return count(prediction, truth).dice


def iou(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union (Jaccard); NaN if both masks are empty."""
    return count(prediction, truth).iou


def sensitivity(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Share of the truth that was found; NaN if the truth is empty."""
    return count(prediction, truth).sensitivity


def precision(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Share of the prediction that is true; NaN if the prediction is empty."""
    return count(prediction, truth).precision


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

    a, b = _pair(prediction, truth)
    points_a, points_b = border_points(a, spacing), border_points(b, spacing)
    trees = [KDTree(p, balanced_tree=False, compact_nodes=False) for p in (points_a, points_b)]
    return (
        trees[1].query(points_a, workers=-1)[0],
        trees[0].query(points_b, workers=-1)[0],
    )


def border_points(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Centres of the border voxels of a mask in mm, shape (n, axes).

    Voxels at the edge of the image count as border: outside it there is no mask.
    """
    if len(spacing) != mask.ndim or not all(s > 0 for s in spacing):
        raise CovidsegError(
            f"Spacing {tuple(spacing)} does not fit a {mask.ndim}D mask: "
            "give one positive number of mm per axis."
        )
    from scipy.ndimage import binary_erosion, find_objects

    boxes = find_objects(mask.view(np.uint8))
    if not boxes:
        return np.empty((0, mask.ndim))
    box = boxes[0]
    part = mask[box]
    border = part & ~binary_erosion(part)
    start = np.array([s.start for s in box])
    return (np.argwhere(border) + start) * np.asarray(spacing, float)


def hd95(prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> float:
    """95th percentile Hausdorff distance in mm: the larger of the two directions.

    NaN if both masks are empty, infinite if one is.
    """
    return _surface(prediction, truth, spacing, 0.0)[0]


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
    return _surface(prediction, truth, spacing, tolerance)[1]


@dataclass(frozen=True)
class Agreement:
    """How well one label of a mask agrees with the truth.

    Attributes
    ----------
    label : int or None
        Value in both masks; None for "any label above 0".
    name : str
        What the value means.
    dice, iou, sensitivity, precision, nsd : float
        0 to 1, NaN where undefined (see the module's text).
    hd95 : float
        In `length_unit`.
    tolerance : float
        Of the NSD, in `length_unit`.
    predicted, true : float
        Size of the label in `size_unit`.
    length_unit, size_unit : str
        ``"mm"`` and ``"mL"`` (volume) or ``"cm2"`` (slice); ``"px"`` and ``"px"`` where
        the spacing is unknown.
    both_empty : bool
        The label is in neither mask: to be left out of means.
    """

    label: int | None
    name: str
    dice: float
    iou: float
    sensitivity: float
    precision: float
    hd95: float
    nsd: float
    tolerance: float
    predicted: float
    true: float
    length_unit: str
    size_unit: str
    both_empty: bool


def compare(
    prediction: np.ndarray,
    truth: np.ndarray,
    *,
    names: Mapping[int, str] | None = None,
    spacing: Sequence[float] | None = None,
    tolerance: float = LUNG_TOLERANCE_MM,
) -> tuple[Agreement, ...]:
    """Compare two label maps, label by label, and as foreground against background.

    Parameters
    ----------
    prediction, truth : ndarray of int
        Label maps of equal shape.
    names : mapping of int to str, optional
        What the values mean; every value in it is reported, present or not.
    spacing : sequence of float, optional
        mm per axis. Without it lengths are pixels and sizes are counts.
    tolerance : float
        Of the NSD, in mm (or pixels without a spacing).

    Returns
    -------
    tuple of Agreement
        One per label by rising value; then one named ``"any label"`` if there are more
        labels than one.

    Raises
    ------
    CovidsegError
        If the shapes differ.
    """
    _same_shape(prediction, truth)
    values = sorted({*_values(prediction), *_values(truth), *(names or {})})
    steps = tuple(spacing) if spacing is not None else (1.0,) * prediction.ndim
    units = _units(spacing, prediction.ndim)

    def row(label: int | None, name: str, a: np.ndarray, b: np.ndarray) -> Agreement:
        c = count(a, b)
        distance, surface = _surface(a, b, steps, tolerance)
        size = units.size
        return Agreement(
            label,
            name,
            c.dice,
            c.iou,
            c.sensitivity,
            c.precision,
            distance,
            surface,
            tolerance,
            (c.both + c.extra) * size,
            (c.both + c.missed) * size,
            units.length_name,
            units.size_name,
            both_empty=c == Counts(),
        )

    rows = [row(v, (names or {}).get(v, f"label {v}"), prediction == v, truth == v) for v in values]
    if len(values) != 1:
        rows.append(row(None, "any label", prediction > 0, truth > 0))
    return tuple(rows)


def bootstrap_interval(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, by resampling cases.

    Parameters
    ----------
    values : sequence of float
        One per case; NaN is left out.
    groups : sequence, optional
        What each case belongs to, e.g. its patient: then whole groups are resampled,
        since cases of one patient are not independent.
    n : int
        Resamples.
    level : float
        Of confidence.
    seed : int
        Same seed, same interval.

    Returns
    -------
    tuple of float
        Low and high end; NaN with fewer than two cases or groups.
    """
    cases = np.asarray(values, dtype=float)
    kept = ~np.isnan(cases)
    owner = (
        np.arange(cases.size)
        if groups is None
        else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    _, owner = np.unique(owner[kept], return_inverse=True)
    sums = np.bincount(owner, weights=cases[kept])
    sizes = np.bincount(owner)
    if sizes.size < 2:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(0, sizes.size, (n, sizes.size))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def cohen_kappa(first: Sequence[object], second: Sequence[object]) -> float:
    """Cohen's kappa of two raters over the same cases, unweighted.

    NaN without cases, or where chance alone makes both agree on everything.

    Raises
    ------
    CovidsegError
        If the raters did not rate the same number of cases.
    """
    if len(first) != len(second):
        raise CovidsegError(
            f"The raters rated {len(first)} and {len(second)} cases: "
            "give one rating a case from each."
        )
    if not len(first):
        return math.nan
    _, codes = np.unique(np.array([*map(str, first), *map(str, second)]), return_inverse=True)
    a, b = codes[: len(first)], codes[len(first) :]
    k = int(codes.max()) + 1
    share_a, share_b = (np.bincount(x, minlength=k) / len(x) for x in (a, b))
    chance = float(share_a @ share_b)
    if chance == 1:
        return math.nan
    return (float((a == b).mean()) - chance) / (1 - chance)


@dataclass(frozen=True)
class _Units:
    size: float
    size_name: str
    length_name: str


def _units(spacing: Sequence[float] | None, ndim: int) -> _Units:
    """Size of a voxel and the unit's name: mL for volumes, cm2 for slices, else px."""
    if spacing is None:
        return _Units(1.0, "px", "px")
    size = math.prod(spacing)
    return _Units(size / 1000, "mL", "mm") if ndim == 3 else _Units(size / 100, "cm2", "mm")


def _surface(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float], tolerance: float
) -> tuple[float, float]:
    """HD95 and NSD from one search."""
    a, b = _pair(prediction, truth)
    filled = a.any(), b.any()
    if not any(filled):
        return math.nan, math.nan
    if not all(filled):
        return math.inf, 0.0
    there, back = surface_distances(a, b, spacing)
    near = np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance)
    distance = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(distance), near / (there.size + back.size)


def _pair(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _same_shape(prediction, truth)
    return np.asarray(prediction) != 0, np.asarray(truth) != 0


def _same_shape(prediction: np.ndarray, truth: np.ndarray) -> None:
    if prediction.shape != truth.shape:
        raise CovidsegError(
            f"The masks have shapes {prediction.shape} and {truth.shape}: "
            "compare masks made for the same image."
        )


def _values(labels: np.ndarray) -> list[int]:
    """Values above 0 in a label map."""
    if labels.dtype == np.uint8:  # a count is 20 times faster than sorting a volume
        return [int(v) for v in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)) if v]
    return [int(v) for v in np.unique(labels) if v > 0]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
