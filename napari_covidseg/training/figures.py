"""One measured number with its interval, and how it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_covidseg.measure.agreement import auc, bootstrap_interval


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    set : str
        Data set.
    measure : str
        What was measured, e.g. ``"Dice"``.
    unit : str
        What a case is: ``"picture"``, ``"volume"`` or ``"patient"``.
    label : str
        Which label; ``"any"`` for foreground as a whole.
    n, groups : int
        Cases, and patients (or groups) they come from.
    mean, low, high : float
        Mean with its 95% bootstrap interval.
    median, worst : float
    """

    set: str
    measure: str
    unit: str
    label: str
    n: int
    groups: int
    mean: float
    low: float
    high: float
    median: float
    worst: float

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        groups: Sequence[str],
        *,
        high_is_bad: bool = False,
        **names: Any,
    ) -> Figure:
        """Sum up one value a case; NaN (nothing to find, nothing found) is left out."""
        kept = [(v, g) for v, g in zip(values, groups, strict=True) if not np.isnan(v)]
        numbers = np.array([v for v, _ in kept])
        owners = [g for _, g in kept]
        if not kept:
            nan = float("nan")
            return cls(**names, n=0, groups=0, mean=nan, low=nan, high=nan, median=nan, worst=nan)
        low, high = bootstrap_interval(numbers, groups=owners)
        return cls(
            **names,
            n=len(numbers),
            groups=len(set(owners)),
            mean=float(numbers.mean()),
            low=low,
            high=high,
            median=float(np.median(numbers)),
            worst=float(numbers.max() if high_is_bad else numbers.min()),
        )


def in_words(f: Figure) -> str:
    """One line for people."""
    return (
        f"{f.set}: {f.measure} of {f.label} {f.mean:.3f} [{f.low:.3f}, {f.high:.3f}], "
        f"worst {f.worst:.3f}, n = {f.n} {f.unit}s of {f.groups}"
    )


def as_rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Plain values for JSON, rounded to four places."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(f).items()}
        for f in figures
    ]


def auc_figure(truth: np.ndarray, p: np.ndarray, groups: np.ndarray, **names: Any) -> Figure:
    """Area under the ROC curve as a figure."""
    low, high = _auc_interval(truth, p, groups)
    nan = float("nan")
    owners = len(set(groups))
    return Figure(
        **names,
        n=len(truth),
        groups=owners,
        mean=auc(truth, p),
        low=low,
        high=high,
        median=nan,
        worst=nan,
    )


def _auc_interval(
    truth: np.ndarray, p: np.ndarray, groups: np.ndarray, n: int = 1000
) -> tuple[float, float]:
    """95% interval of the AUC by resampling whole groups."""
    rng = np.random.default_rng(0)
    _, owner = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(owner == k) for k in range(owner.max() + 1)]
    values = []
    for _ in range(n):
        drawn = rng.integers(0, len(members), len(members))
        index = np.concatenate([members[k] for k in drawn])
        values.append(auc(truth[index], p[index]))
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)
