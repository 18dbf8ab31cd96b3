"""How far probabilities mean what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_covidseg.study import CovidsegError

BINS = 10
"""Of equal mass: with bins of equal width most hold next to nothing."""


@dataclass(frozen=True)
class Bin:
    """Cases of about the same predicted probability.

    Attributes
    ----------
    predicted : float
        Their mean probability.
    observed : float
        How many of them are positive, as a share.
    n : int
        How many they are.
    """

    predicted: float
    observed: float
    n: int


def reliability(truth: ArrayLike, probability: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """Compare predicted probabilities with observed frequencies, in bins of equal mass.

    Parameters
    ----------
    truth : array_like of 0 and 1, shape (n,)
    probability : array_like of float, shape (n,)
        0 to 1.
    bins : int
        How many. With fewer cases there are fewer bins; cases of equal probability are
        never parted, which leaves bins of unequal size where there are many.

    Returns
    -------
    tuple of Bin
        By rising probability.

    Raises
    ------
    CovidsegError
        If the two do not fit or are no truths and probabilities.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599;
    bins of equal mass: Nguyen, O'Connor, EMNLP 2015, arXiv:1508.05154.
    """
    truth, probability = _checked(truth, probability)
    # Equal probabilities share the rank of the first of them, and so a bin.
    rank = np.searchsorted(np.sort(probability), probability)
    place = rank * min(bins, len(truth)) // max(len(truth), 1)
    return tuple(
        Bin(float(probability[k].mean()), float(truth[k].mean()), int(k.sum()))
        for k in (place == b for b in np.unique(place))
    )


def calibration_error(truth: ArrayLike, probability: ArrayLike, bins: int = BINS) -> float:
    """Give the expected calibration error: how far predicted and observed lie apart on average.

    Chance alone keeps it above 0, the more so the fewer cases there are. Takes, raises and
    refers to what `reliability` does. NaN without cases.
    """
    table = reliability(truth, probability, bins)
    total = sum(b.n for b in table)
    if not total:
        return math.nan
    return sum(b.n * abs(b.predicted - b.observed) for b in table) / total


def brier(truth: ArrayLike, probability: ArrayLike) -> float:
    """Give the Brier score: the mean squared distance of probability and truth.

    0 is best; a probability of one half for every case gives 0.25. It falls as cases are
    told apart better, and as probabilities mean more of what they say. NaN without cases.

    Raises
    ------
    CovidsegError
        If the two do not fit or are no truths and probabilities.

    References
    ----------
    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 1950.
    """
    truth, probability = _checked(truth, probability)
    return float(np.mean((probability - truth) ** 2)) if truth.size else math.nan


def _checked(truth: ArrayLike, probability: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    t, p = np.asarray(truth, float).ravel(), np.asarray(probability, float).ravel()
    if t.shape != p.shape:
        raise CovidsegError(
            f"There are {t.size} truths and {p.size} probabilities: give one of each a case."
        )
    if not np.isin(t, (0, 1)).all():
        raise CovidsegError("A truth is 0 or 1: there are other values among them.")
    if not ((p >= 0) & (p <= 1)).all():
        raise CovidsegError("A probability lies between 0 and 1: there are other values.")
    return t, p
