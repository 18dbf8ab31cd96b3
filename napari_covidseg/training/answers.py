"""Sum up what a classifier said about cases whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_covidseg.measure.agreement import auc, count
from napari_covidseg.measure.calibration import Bin, brier, calibration_error, reliability
from napari_covidseg.segmentation import Shortcut
from napari_covidseg.training.figures import Figure

MOST_WRONG = 5
"""Wrong answers told of a data set."""


def _all(cases: np.ndarray) -> np.ndarray:
    return np.ones(len(cases), bool)


@dataclass(frozen=True)
class Measure:
    """One way to sum up cases, an array with the fields of `CASE`.

    Attributes
    ----------
    of : callable
        Gives the number.
    about : callable
        Gives which cases it is a share of, bool.
    """

    of: Callable[[np.ndarray], float]
    about: Callable[[np.ndarray], np.ndarray] = _all


@dataclass(frozen=True)
class Answer:
    """What was said about one case.

    Attributes
    ----------
    group : str
        Patient; ``"source/patient"`` where there are several sources.
    truth : int
        0 or 1.
    probability : float
    positive : bool
        Whether the model's own threshold is reached.
    shortcut : Shortcut or None
        The same with parts of the picture blanked; None where no lung was found.
    case : str
        Which case it is.
    """

    group: str
    truth: int
    probability: float
    positive: bool
    shortcut: Shortcut | None = None
    case: str = ""


@dataclass(frozen=True)
class Wrong:
    """A wrong answer.

    Attributes
    ----------
    case : str
    truth : int
        0 or 1.
    probability : float
    """

    case: str
    truth: int
    probability: float


CASE = np.dtype(
    [
        ("ill", bool),
        ("p", float),
        ("called", bool),
        ("shown", float),
        ("without lungs", float),
        ("lungs alone", float),
        ("called without lungs", bool),
    ]
)

BY_SOURCE: Mapping[str, Measure] = {
    "AUC": Measure(lambda c: auc(c["ill"], c["p"])),
    "accuracy": Measure(lambda c: float((c["called"] == c["ill"]).mean())),
    "sensitivity": Measure(lambda c: count(c["called"], c["ill"]).sensitivity, lambda c: c["ill"]),
    "specificity": Measure(
        lambda c: count(~c["called"], ~c["ill"]).sensitivity, lambda c: ~c["ill"]
    ),
}
"""Measured in each source too: a threshold may hold in one and not in another."""

MEASURES: Mapping[str, Measure] = {
    **BY_SOURCE,
    "precision": Measure(lambda c: count(c["called"], c["ill"]).precision, lambda c: c["called"]),
    "F1": Measure(lambda c: count(c["called"], c["ill"]).dice),
    "Brier score": Measure(lambda c: brier(c["ill"], c["p"])),
    "expected calibration error": Measure(lambda c: calibration_error(c["ill"], c["p"])),
}

SHORTCUT: Mapping[str, Measure] = {
    "AUC, as given": Measure(lambda c: auc(c["ill"], c["shown"])),
    "AUC, lungs blanked": Measure(lambda c: auc(c["ill"], c["without lungs"])),
    "AUC, all but the lungs blanked": Measure(lambda c: auc(c["ill"], c["lungs alone"])),
    "still positive, lungs blanked": Measure(
        lambda c: count(c["called without lungs"], c["called"]).sensitivity, lambda c: c["called"]
    ),
}
"""Of the cases in which lungs were found."""


def figures(answers: Sequence[Answer], **names: Any) -> Iterator[Figure]:
    """Sum up, over all cases and by source.

    Parameters
    ----------
    answers : sequence of Answer
    **names
        Data set and unit of the figures.

    Yields
    ------
    Figure
        Each with an interval that resamples patients, and as n the cases that it is a
        share of: of the sensitivity the positives.
    """
    yield from measured(answers, MEASURES, label="all", **names)
    for source in sorted({a.group.split("/")[0] for a in answers if "/" in a.group}):
        mine = [a for a in answers if a.group.split("/")[0] == source]
        yield from measured(mine, BY_SOURCE, label=source, **names)
    tested = [a for a in answers if a.shortcut is not None]
    yield from measured(tested, SHORTCUT, label="all", **names)


def table(answers: Sequence[Answer]) -> tuple[Bin, ...]:
    """Reliability table: predicted probabilities against how often they came true."""
    return reliability([a.truth for a in answers], [a.probability for a in answers])


def most_wrong(answers: Sequence[Answer]) -> list[Wrong]:
    """Give the wrong answers that were the surest, the surest first, `MOST_WRONG` at most."""
    wrong = [Wrong(a.case, a.truth, a.probability) for a in answers if a.positive != a.truth]
    wrong.sort(key=lambda w: (-abs(w.probability - w.truth), w.case))
    return wrong[:MOST_WRONG]


def measured(
    answers: Sequence[Answer], measures: Mapping[str, Measure], **names: Any
) -> Iterator[Figure]:
    """Measure answers; `names` are data set, unit and label."""
    cases = np.array([_case(a) for a in answers], CASE)
    groups = np.array([a.group for a in answers])
    about = {name: measure.about(cases) for name, measure in measures.items()}
    numbers = {name: measure.of for name, measure in measures.items()}
    yield from Figure.of_cases(cases, groups, numbers, about, **names)


def _case(a: Answer) -> tuple[bool | float, ...]:
    s = a.shortcut
    if s is None:
        return (a.truth == 1, a.probability, a.positive, np.nan, np.nan, np.nan, False)
    without = s.lungs_blanked >= s.threshold
    return (
        a.truth == 1,
        a.probability,
        a.positive,
        s.shown,
        s.lungs_blanked,
        s.lungs_only,
        without,
    )
