"""Make all figures of a model's card again, and hold them against those on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.training import reports
from napari_covidseg.training.cross_validate import cross_validate
from napari_covidseg.training.evaluate import evaluate_model
from napari_covidseg.training.leave_out import leave_one_source_out
from napari_covidseg.training.loop import Log

TOLERANCE = 1e-3
"""One in the last place that a card shows; of numbers above 1 this part of them. Another
processor or a GPU changes less."""

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One figure, as it is on the card and as it came out now.

    Attributes
    ----------
    name : str
        Report, data set, measure and label.
    kind : {"equal", "differs", "new", "gone"}
        New is not on the card; gone is on it and did not come out again.
    card, now : float
        Means; NaN where there is none.
    """

    name: str
    kind: Literal["equal", "differs", "new", "gone"]
    card: float
    now: float

    @property
    def differs(self) -> bool:
        """Whether the card says something that did not come out again."""
        return self.kind in ("differs", "gone")

    def in_words(self) -> str:
        """One line for people."""
        numbers = {
            "equal": f"{self.now:.3f}",
            "differs": f"{self.card:.3f} on the card, {self.now:.3f} now",
            "new": f"{self.now:.3f}",
            "gone": f"{self.card:.3f} on the card",
        }
        return f"{self.kind}: {self.name}: {numbers[self.kind]}"


def reproduce(
    info: ModelInfo,
    data: Path,
    out: Path | None = None,
    *,
    train: bool = False,
    model_dirs: Iterable[Path] = (),
    log: Log = print,
) -> dict[str, Report]:
    """Measure a model, and its recipe as far as it was followed several times.

    Parameters
    ----------
    info : ModelInfo
        Model with its recipe in its folder.
    data : Path
        Data sets.
    out : Path, optional
        Folder of runs. A cross-validation or a leaving out of sources that was finished
        there is measured again.
    train : bool
        Whether to train for those that the card has where there is no run yet, by the schedule
        that the card names.
    model_dirs : iterable of Path
        Folders with other models that it needs.
    log : callable
        Takes progress lines.

    Returns
    -------
    dict
        File name, one of `reports.REPORTS`, to report.

    Raises
    ------
    CovidsegError
        If data, splits or runs are missing or do not fit.
    """
    measured = evaluate_model(info, data, model_dirs=model_dirs, log=log)
    made: dict[str, Report] = {reports.METRICS: reports.of_model(info, measured)}
    if out is None:
        return made
    recipe = info.folder / "recipe.toml"
    followed: dict[str, Callable[..., Report]] = {
        reports.CROSS_VALIDATION: cross_validate,
        reports.LEFT_OUT: leave_one_source_out,
    }
    for name, follow in followed.items():
        before = reports.read(reports.in_runs(out, info.name, name))
        if before is None and train:
            before = reports.read(info.folder / name)
        if before is not None:
            changed = {k: before[k] for k in reports.CHANGED if k in before}
            made[name] = follow(recipe, data, out, **changed, log=log)
    return made


def compare(card: Report, now: Report) -> Iterator[Line]:
    """Hold one report against another, figure by figure and row by row of its tables.

    All numbers of a figure count: mean, interval, median, worst, cases.
    """
    old, new = _rows(card), _rows(now)
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield Line(name, "gone", _first(old[name]), math.nan)
        elif name not in old:
            yield Line(name, "new", math.nan, _first(new[name]))
        else:
            same = old[name].keys() == new[name].keys() and all(
                _close(old[name][key], new[name][key]) for key in old[name]
            )
            kind: Literal["equal", "differs"] = "equal" if same else "differs"
            yield Line(name, kind, _first(old[name]), _first(new[name]))


def _rows(report: Report) -> dict[str, dict[str, float]]:
    """Numbers of each row by its name; the first is the one that is shown."""
    rows: dict[str, Mapping[str, Any]] = {}
    for f in report["figures"]:
        rows[f"{f['set']}, {f['measure']}, {f['label']} ({f['unit']})"] = {"mean": f["mean"], **f}
    for name, bins in report.get("reliability", {}).items():
        for k, row in enumerate(bins):
            rows[f"{name}, reliability, bin {k + 1}"] = {"observed": row["observed"], **row}
    for name, volumes in report.get("readers", {}).items():
        for row in volumes:
            rows[f"{name}, two readers, {row['volume']}"] = row
    return {
        name: {key: float(v) for key, v in row.items() if isinstance(v, (int, float))}
        for name, row in rows.items()
    }


def _first(row: Mapping[str, float]) -> float:
    return next(iter(row.values()))


def _close(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
