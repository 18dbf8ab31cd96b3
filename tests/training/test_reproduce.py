"""A card's figures are made again, and what differs is named."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_covidseg.training import reports
from napari_covidseg.training import reproduce as work
from napari_covidseg.training.found import Summary

ROW = {
    "set": "s",
    "measure": "Dice",
    "unit": "picture",
    "label": "any",
    "n": 9,
    "groups": 7,
    "mean": 0.8,
    "low": 0.7,
    "high": 0.9,
    "median": 0.81,
    "worst": float("nan"),
}


def report(**changes: object) -> dict[str, object]:
    return {"figures": [{**ROW, **changes}]}


def kinds(card: dict[str, object], now: dict[str, object]) -> list[str]:
    return [line.kind for line in work.compare(card, now)]


def test_figures_are_equal_within_what_a_card_shows() -> None:
    assert kinds(report(), report()) == ["equal"]
    assert kinds(report(), report(mean=0.8004, low=0.7004)) == ["equal"]
    hausdorff = report(measure="HD95 in mm", mean=41.23)
    assert kinds(hausdorff, report(measure="HD95 in mm", mean=41.25)) == ["equal"]


@pytest.mark.parametrize(
    "change", [{"mean": 0.803}, {"low": 0.69}, {"n": 10}, {"worst": 0.1}, {"median": float("nan")}]
)
def test_any_number_of_a_figure_that_differs_is_named(change: dict[str, float]) -> None:
    (line,) = work.compare(report(), report(**change))
    assert line.differs and "s, Dice, any" in line.in_words()


def test_figures_that_came_and_went_are_told_apart() -> None:
    lines = list(work.compare(report(), report(label="left lung", mean=0.6)))
    assert [(line.kind, line.differs) for line in lines] == [("gone", True), ("new", False)]
    assert "0.800 on the card" in lines[0].in_words() and "0.600" in lines[1].in_words()


def test_tables_are_compared_row_by_row() -> None:
    bins = [
        {"predicted": 0.1, "observed": 0.2, "n": 5},
        {"predicted": 0.8, "observed": 0.7, "n": 5},
    ]
    volume = {"volume": "v", "first": 0.7, "second": 0.6, "between": 0.8, "voxels": 90}
    card = {"figures": [], "reliability": {"s": bins}, "readers": {"s": [volume]}}
    assert kinds(card, card) == ["equal"] * 3
    other = {**card, "reliability": {"s": [bins[0], {**bins[1], "observed": 0.9}]}}
    lines = list(work.compare(card, other))
    assert [line.kind for line in lines] == ["equal", "differs", "equal"]
    assert (lines[1].card, lines[1].now) == (0.7, 0.9)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int | None]]:
    """What was followed, with its steps."""
    calls: list[tuple[str, int | None]] = []

    def follow(name: str):
        def followed(*_: object, steps: int | None = None, **__: object) -> dict[str, object]:
            calls.append((name, steps))
            return report()

        return followed

    monkeypatch.setattr(work, "evaluate_model", lambda *_, **__: Summary([]))
    monkeypatch.setattr(work, "cross_validate", follow("folds"))
    monkeypatch.setattr(work, "leave_one_source_out", follow("sources"))
    return calls


def model(task: str) -> SimpleNamespace:
    spec = SimpleNamespace(weights=SimpleNamespace(sha256="0"))
    return SimpleNamespace(name="m", version="1.0.0", folder=Path("m"), task=task, spec=spec)


def test_runs_are_measured_where_they_are_finished(
    tmp_path: Path, asked: list[tuple[str, int | None]]
) -> None:
    assert list(work.reproduce(model("classification"), tmp_path)) == [reports.METRICS]
    assert list(work.reproduce(model("classification"), tmp_path, tmp_path)) == [reports.METRICS]
    finished = {**report(), "steps": 50}
    reports.write(reports.in_runs(tmp_path, "m", reports.LEFT_OUT), finished)
    made = work.reproduce(model("classification"), tmp_path, tmp_path)
    assert (list(made), asked) == ([reports.METRICS, reports.LEFT_OUT], [("sources", 50)])


def test_those_of_the_card_are_trained_by_its_schedule_if_asked_for(
    tmp_path: Path, asked: list[tuple[str, int | None]]
) -> None:
    info, runs = model("classification"), tmp_path / "runs"
    info.folder = tmp_path / "m"
    work.reproduce(info, tmp_path, runs, train=True)
    assert not asked  # there is nothing on the card to make again
    reports.write(info.folder / reports.LEFT_OUT, {**report(), "steps": 7})
    reports.write(info.folder / reports.CROSS_VALIDATION, report())
    work.reproduce(info, tmp_path, runs)
    assert not asked
    made = work.reproduce(info, tmp_path, runs, train=True)
    assert asked == [("folds", None), ("sources", 7)] and len(made) == 3


def test_a_damaged_report_is_said(tmp_path: Path) -> None:
    from napari_covidseg.study import CovidsegError

    for text in ("{", "[]", json.dumps({"figure": []})):
        (tmp_path / "metrics.json").write_text(text)
        with pytest.raises(CovidsegError, match="no report of figures"):
            reports.read(tmp_path / "metrics.json")
    assert reports.read(tmp_path / "none.json") is None
