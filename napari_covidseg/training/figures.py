"""One measured number with its interval, and how it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_covidseg.measure.agreement import bootstrap_interval, bootstrap_intervals


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
        Mean, or a measure of all cases together, with its 95% bootstrap interval.
    median, worst : float
        NaN for what no single case has.
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

    @classmethod
    def of_cases(
        cls,
        cases: np.ndarray,
        groups: np.ndarray,
        measures: Mapping[str, Callable[[np.ndarray], float]],
        about: Mapping[str, np.ndarray],
        **names: Any,
    ) -> Iterator[Figure]:
        """Measure all cases together, as an area under a curve is.

        Parameters
        ----------
        cases : ndarray, shape (n,)
            One entry a case.
        groups : ndarray of str, shape (n,)
            Patients, which are resampled.
        measures : mapping
            Name to what is computed from cases.
        about : mapping
            Name to which cases (bool) a measure is a share of.
        **names
            Data set, unit and label.

        Yields
        ------
        Figure
            In the order of `measures`; none without cases.
        """
        if not len(cases):
            return
        ends = bootstrap_intervals(
            lambda index: [measure(cases[index]) for measure in measures.values()], groups
        )
        nan = float("nan")
        for (name, measure), (low, high) in zip(measures.items(), ends, strict=True):
            kept = about[name]
            yield cls(
                **names,
                measure=name,
                n=int(kept.sum()),
                groups=len(set(groups[kept])),
                mean=measure(cases),
                low=float(low),
                high=float(high),
                median=nan,
                worst=nan,
            )


def in_words(f: Figure) -> str:
    """One line for people."""
    interval = "" if np.isnan(f.low) else f" [{f.low:.3f}, {f.high:.3f}]"
    worst = "" if np.isnan(f.worst) else f", worst {f.worst:.3f}"
    return (
        f"{f.set}: {f.measure} of {f.label} {f.mean:.3f}{interval}{worst}, "
        f"n = {f.n} {f.unit}s of {f.groups}"
    )


def as_rows(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as plain values for JSON, rounded to four places."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(value).items()}
        for value in values
    ]
