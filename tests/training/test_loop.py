"""Training on a made-up data set: it learns, and a killed run goes on as if never killed."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference import find, run
from napari_covidseg.inference.prepare import Window, whole_frame
from napari_covidseg.inference.registry import verify
from napari_covidseg.study import CovidsegError, Modality, from_array
from napari_covidseg.training import dataset, loop, sources, train
from napari_covidseg.training.sources import Item
from napari_covidseg.training.watch import EpochReport, StoppedError

RECIPE = """
name = "toy"
version = "0.0.1"
title = "Toy"
summary = "Dark squares."
task = "segmentation"
role = "infection"
modality = "XR"
scheme = "opacity"
split = "toy"
data = [{ set = "toys" }]
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "unet"
config = { base = 4, depth = 2, dropout = 0.0 }
[training]
steps = %d
epoch_steps = 10
batch = 4
learning_rate = 1e-2
warmup_steps = 5
ema = 0.8
"""


def toys(_: Path) -> Iterator[Item]:
    rng = np.random.default_rng(0)
    for k in range(12):
        picture = rng.normal(200, 5, (32, 32)).astype(np.float32)
        y, x = rng.integers(4, 18, 2)
        labels = np.zeros((32, 32), np.uint8)
        labels[y : y + 10, x : x + 10] = 1
        picture[labels > 0] -= 150
        frame = whole_frame(picture.shape)
        yield Item("toys", f"p{k}", f"t{k}", picture, labels, Window(0.0, 255.0), frame)


@pytest.fixture
def toy_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.LOADERS, "toys", toys)
    held = {"toys": frozenset({"p0", "p1", "p2"})}
    monkeypatch.setattr(dataset, "read_split", lambda _: held)


def recipe(folder: Path, steps: int) -> Path:
    path = folder / f"recipe{steps}.toml"
    path.write_text(RECIPE % steps)
    return path


def history(folder: Path) -> list[list[str]]:
    with (folder / "toy" / "history.csv").open() as file:
        return list(csv.reader(file))


def quiet(_: str) -> None:
    pass


def test_a_run_learns_and_its_model_is_found_and_runs(toy_data: None, tmp_path: Path) -> None:
    folder = train.run_recipe(recipe(tmp_path, 90), tmp_path, tmp_path / "runs", log=quiet)
    rows = history(tmp_path / "runs")
    assert float(rows[-1][2]) > 0.7
    info = find("toy", [tmp_path / "runs"])
    verify(info)
    assert (folder / "recipe.toml").exists()
    item = next(iter(toys(tmp_path)))
    study = from_array(item.picture, modality=Modality.XR)
    (found,) = run(study, ["toy"], model_dirs=[tmp_path / "runs"]).segmentations
    overlap = (found.labels > 0) & (item.labels > 0)
    assert 2 * overlap.sum() / ((found.labels > 0).sum() + (item.labels > 0).sum()) > 0.7


def test_a_killed_run_goes_on_as_if_never_killed(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    train.run_recipe(recipe(tmp_path, 30), tmp_path, whole, log=quiet)

    real, calls = loop.store, []

    def killed(*args: object) -> None:
        real(*args)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    broken = tmp_path / "broken"
    monkeypatch.setattr(loop, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        train.run_recipe(recipe(tmp_path, 30), tmp_path, broken, log=quiet)
    monkeypatch.setattr(loop, "store", real)
    train.run_recipe(recipe(tmp_path, 30), tmp_path, broken, resume=True, log=quiet)
    assert history(broken)[-1] == history(whole)[-1]


def test_a_state_of_another_recipe_is_refused(toy_data: None, tmp_path: Path) -> None:
    train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, log=quiet)
    other = tmp_path / "other.toml"
    other.write_text((RECIPE % 10).replace("base = 4", "base = 6"))
    with pytest.raises(CovidsegError, match="another recipe"):
        train.run_recipe(other, tmp_path, tmp_path, resume=True, log=quiet)


def test_a_diverged_run_says_so(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wild.toml"
    path.write_text(RECIPE % 10)
    real = dataset.Batches.batch

    def poisoned(self: dataset.Batches, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        pictures, masks = real(self, epoch, step)
        return pictures * np.nan, masks

    monkeypatch.setattr(dataset.Batches, "batch", poisoned)
    with pytest.raises(CovidsegError, match="lower learning_rate"):
        train.run_recipe(path, tmp_path, tmp_path, log=quiet)
    assert not (tmp_path / "toy" / "model.json").exists()


def test_without_validation_cases_nothing_is_trained(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "read_split", lambda _: {})
    with pytest.raises(CovidsegError, match="no case"):
        train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, log=quiet)


def test_a_mask_outside_the_scheme_stops_the_run(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(data: Path) -> Iterator[Item]:
        for item in toys(data):
            item.labels[0, 0] = 7
            yield item

    monkeypatch.setitem(sources.LOADERS, "toys", odd)
    with pytest.raises(CovidsegError, match="value 7"):
        train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, log=quiet)


class Stopper:
    """Follows a run and stops it after some steps."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.steps: list[tuple[int, int, int]] = []
        self.reports: list[EpochReport] = []

    def step(self, epoch: int, done: int, total: int) -> None:
        self.steps.append((epoch, done, total))

    def epoch(self, report: EpochReport) -> None:
        self.reports.append(report)

    def should_stop(self) -> bool:
        return len(self.steps) >= self.after


def test_a_run_is_watched_stopped_after_the_step_and_goes_on(
    toy_data: None, tmp_path: Path
) -> None:
    watcher = Stopper(after=13)
    with pytest.raises(StoppedError, match="after 1 epoch; go on with --resume"):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet, watcher=watcher)
    assert watcher.steps[-2:] == [(2, 2, 10), (2, 3, 10)]
    assert [(r.epoch, r.epochs, r.best) for r in watcher.reports] == [(1, 2, True)]
    assert watcher.reports[0].row["loss"] > 0
    again = Stopper(after=1000)
    train.run_recipe(
        recipe(tmp_path, 20), tmp_path, tmp_path, resume=True, log=quiet, watcher=again
    )
    assert [r.epoch for r in again.reports] == [2]
