"""Overlap of two masks: counts of voxels, and the ratios made of them.

NaN where a number has no meaning; see ``agreement`` for when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_covidseg.study import CovidsegError


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
    a, b = pair(prediction, truth)
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


def pair(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """See two masks as boolean ones, of equal shape."""
    same_shape(prediction, truth)
    return np.asarray(prediction) != 0, np.asarray(truth) != 0


def same_shape(prediction: np.ndarray, truth: np.ndarray) -> None:
    """Refuse masks of different shapes."""
    if prediction.shape != truth.shape:
        raise CovidsegError(
            f"The masks have shapes {prediction.shape} and {truth.shape}: "
            "compare masks made for the same image."
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
