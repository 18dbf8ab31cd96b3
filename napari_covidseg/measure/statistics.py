"""How sure a mean is, how well two raters agree, how well a score tells cases apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from napari_covidseg.study import CovidsegError


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


def bootstrap_intervals(
    measure: Callable[[np.ndarray], Sequence[float]],
    groups: ArrayLike,
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> np.ndarray:
    """Percentile bootstrap intervals of measures that are no means, by resampling groups.

    Parameters
    ----------
    measure : callable
        Takes the indices of the drawn cases, some of them several times; gives one number
        a measure. NaN where the drawn cases have none (one class alone) is left out.
    groups : sequence
        What each case belongs to, e.g. its patient: whole groups are drawn.
    n, level, seed
        As for `bootstrap_interval`.

    Returns
    -------
    ndarray of float, shape (measures, 2)
        Low and high ends; NaN with fewer than two groups.
    """
    _, owner = np.unique(np.asarray(groups), return_inverse=True)
    order, sizes = np.argsort(owner, kind="stable"), np.bincount(owner)
    starts = np.cumsum(sizes) - sizes
    if sizes.size < 2:
        return np.full((len(measure(order)), 2), math.nan)
    values = []
    for drawn in np.random.default_rng(seed).integers(0, sizes.size, (n, sizes.size)):
        lengths = sizes[drawn]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        values.append(measure(order[np.repeat(starts[drawn], lengths) + within]))
    ends = [50 * (1 - level), 50 * (1 + level)]
    # A column of NaN alone has no interval, and NumPy would warn of it.
    columns = [column[~np.isnan(column)] for column in np.array(values, float).T]
    return np.array([np.percentile(c, ends) if c.size else (math.nan,) * 2 for c in columns])


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


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative.

    Parameters
    ----------
    truth : ndarray of 0 and 1
        Which cases are positive.
    scores : ndarray of float
        One a case; ties count one half.

    Returns
    -------
    float
        NaN unless there are positives and negatives.
    """
    from scipy.stats import rankdata

    positive = truth == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
