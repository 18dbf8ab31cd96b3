"""How well a label map agrees with the truth, label by label.

Where a number has no meaning it is NaN, so that a mean over cases must say what it
leaves out:

- both masks empty: Dice, IoU, HD95 and NSD are NaN (not 1: a set full of empty cases
  would look perfect), and `Agreement.both_empty` says so;
- truth empty: sensitivity is NaN; prediction empty: precision is NaN;
- exactly one empty: Dice, IoU and NSD are 0, HD95 is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_covidseg.measure.overlap import (
    Counts,
    count,
    dice,
    iou,
    precision,
    same_shape,
    sensitivity,
)
from napari_covidseg.measure.statistics import (
    auc,
    bootstrap_interval,
    bootstrap_intervals,
    cohen_kappa,
)
from napari_covidseg.measure.surface import (
    INFECTION_TOLERANCE_MM,
    LUNG_TOLERANCE_MM,
    hd95,
    hd95_and_nsd,
    nsd,
    surface_distances,
)

__all__ = [
    "INFECTION_TOLERANCE_MM",
    "LUNG_TOLERANCE_MM",
    "Agreement",
    "Counts",
    "auc",
    "bootstrap_interval",
    "bootstrap_intervals",
    "cohen_kappa",
    "compare",
    "count",
    "dice",
    "hd95",
    "iou",
    "nsd",
    "precision",
    "sensitivity",
    "surface_distances",
]


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
    voxel_ml: float | None = None,
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
    voxel_ml : float, optional
        Volume of a voxel, where it is not the product of the spacing: slices of a tilted
        gantry are sheared.
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
    same_shape(prediction, truth)
    values = sorted({*_values(prediction), *_values(truth), *(names or {})})
    steps = tuple(spacing) if spacing is not None else (1.0,) * prediction.ndim
    units = _units(spacing, prediction.shape, voxel_ml)

    def row(label: int | None, name: str, a: np.ndarray, b: np.ndarray) -> Agreement:
        c = count(a, b)
        distance, surface = hd95_and_nsd(a, b, steps, tolerance)
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


@dataclass(frozen=True)
class _Units:
    size: float
    size_name: str
    length_name: str


def _units(
    spacing: Sequence[float] | None, shape: tuple[int, ...], voxel_ml: float | None
) -> _Units:
    """Size of a voxel and the unit's name: mL for volumes, cm2 for slices, else px."""
    if spacing is None:
        return _Units(1.0, "px", "px")
    if len(shape) == 2 or shape[0] == 1:  # a file may hold one slice as a volume
        return _Units(math.prod(spacing[-2:]) / 100, "cm2", "mm")
    return _Units(math.prod(spacing) / 1000 if voxel_ml is None else voxel_ml, "mL", "mm")


def _values(labels: np.ndarray) -> list[int]:
    """Values above 0 in a label map."""
    if labels.dtype == np.uint8:  # a count is 20 times faster than sorting a volume
        return [int(v) for v in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)) if v]
    return [int(v) for v in np.unique(labels) if v > 0]
