"""Training on a made-up data set: it learns, and a killed run goes on as if never killed."""

import csv
import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from napari_covidseg.inference import find, run
from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.registry import verify
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError, Modality, from_array
from napari_covidseg.training import dataset, loop, run_folder, sources, steering, train, validation
from napari_covidseg.training.checkpoint import FILE
from napari_covidseg.training.learner import Learner
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.sources import Item
from napari_covidseg.training.validation import Validation
from napari_covidseg.training.watch import EpochReport, Preview, StoppedError, Unwatched

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
config = { base = 4, depth = 2, dropout = 0.3 }
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


def recipe(folder: Path, steps: int, more: str = "") -> Path:
    path = folder / f"recipe{steps}.toml"
    path.write_text(RECIPE % steps + more)
    return path


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "toy" / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def weights(folder: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(folder / "toy" / "weights.h5") as file:
        file.visititems(
            lambda name, node: found.update({name: node[()]} if hasattr(node, "shape") else {})
        )
    return found


def assert_same(one: Path, other: Path) -> None:
    """Same history, letter by letter, and same weights, bit by bit."""
    texts = [(folder / "toy" / "history.csv").read_text() for folder in (one, other)]
    assert texts[0] == texts[1], f"{texts[0]}\n{texts[1]}"
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys() and len(ours) > 10
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def quiet(_: str) -> None:
    pass


class Follower(Unwatched):
    """Follows a run; stops or kills it after some steps."""

    def __init__(self, stop_after: int = 10**6, kill_after: int = 10**6) -> None:
        self.stop_after, self.kill_after = stop_after, kill_after
        self.steps: list[tuple[int, int, int]] = []
        self.reports: list[EpochReport] = []

    def step(self, epoch: int, done: int, total: int) -> None:
        self.steps.append((epoch, done, total))
        if len(self.steps) == self.kill_after:
            raise KeyboardInterrupt

    def epoch(self, report: EpochReport) -> None:
        self.reports.append(report)

    def should_stop(self) -> bool:
        return len(self.steps) >= self.stop_after


def test_a_run_learns_and_its_model_is_found_and_runs(toy_data: None, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    folder = train.run_recipe(recipe(tmp_path, 120), tmp_path, out, log=quiet)
    rows = history(out)
    assert list(rows[0]) == ["epoch", "loss", "learning_rate", "val_loss", "val_dice"]
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert rows[-1]["val_dice"] > 0.7
    assert rows[-1]["val_loss"] < rows[0]["val_loss"] and rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["learning_rate"] < 2e-4 < rows[0]["learning_rate"]
    info = find("toy", [out])
    assert not steering.was_steered(info)
    verify(info)
    assert (folder / "recipe.toml").exists()
    item = next(iter(toys(tmp_path)))
    study = from_array(item.picture, modality=Modality.XR)
    (found,) = run(study, ["toy"], model_dirs=[out]).segmentations
    overlap = (found.labels > 0) & (item.labels > 0)
    assert 2 * overlap.sum() / ((found.labels > 0).sum() + (item.labels > 0).sum()) > 0.7


def test_a_run_leaves_what_people_want_to_see(toy_data: None, tmp_path: Path) -> None:
    follower = Follower()
    train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet, watcher=follower)
    folder = tmp_path / "toy"
    names = [f"{k + 1}-toys-t{k}.png" for k in range(3)]
    for epoch in ("epoch-001", "epoch-002"):
        assert sorted(p.name for p in (folder / "predictions" / epoch).iterdir()) == names
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert "Research use only, not a medical device" in page
    assert page.count("data:image/png;base64,") == 4
    assert "toys/t0" in page and "<td>toys</td><td>9</td><td>9</td><td>3</td><td>3</td>" in page
    preview = follower.reports[-1].preview[0]
    assert preview.picture.shape == preview.truth.shape == preview.labels.shape == (32, 32)
    assert preview.labels.dtype == np.uint8 and 0 <= preview.picture.min() < 1
    assert follower.reports[-1].row["val_dice"] == pytest.approx(
        history(tmp_path)[-1]["val_dice"], rel=1e-4
    )


ADAPTIVE = """
schedule = "plateau"
plateau = { factor = 0.5, patience = 1 }
early_stopping = { patience = 30 }
[loss]
focal = 1.0
dice = 1.0
boundary = 0.1
"""


def test_a_run_is_the_same_again_and_after_a_kill(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path, 50, ADAPTIVE)
    whole, again, broken, torn = (tmp_path / name for name in ("a", "b", "c", "d"))
    train.run_recipe(path, tmp_path, whole, log=quiet)
    assert len({row["learning_rate"] for row in history(whole)}) > 1, "the rate was reduced"
    train.run_recipe(path, tmp_path, again, log=quiet)
    assert_same(again, whole)

    with pytest.raises(KeyboardInterrupt):  # in the middle of the third epoch
        train.run_recipe(path, tmp_path, broken, log=quiet, watcher=Follower(kill_after=25))
    assert len(history(broken)) == 2
    train.run_recipe(path, tmp_path, broken, resume=True, log=quiet)
    assert_same(broken, whole)

    real = run_folder.RunFolder.add

    def killed(self: run_folder.RunFolder, report: EpochReport) -> None:
        if report.epoch == 2:  # its checkpoint is written, its row is not
            raise KeyboardInterrupt
        real(self, report)

    monkeypatch.setattr(run_folder.RunFolder, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        train.run_recipe(path, tmp_path, torn, log=quiet)
    monkeypatch.setattr(run_folder.RunFolder, "add", real)
    train.run_recipe(path, tmp_path, torn, resume=True, log=quiet)
    assert_same(torn, whole)


def test_early_stopping_writes_the_best_epochs_weights(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, np.ndarray]] = []
    losses = iter([0.9, 0.4, 0.6, 0.5, 0.1])
    real = Validation.__call__

    def scripted(self: Validation, model: object) -> tuple[dict[str, float], tuple[Preview, ...]]:
        figures, preview = real(self, model)
        train.save_weights(model, tmp_path / "toy" / "weights.h5")
        seen.append(weights(tmp_path))
        return figures | {"val_loss": next(losses)}, preview

    monkeypatch.setattr(Validation, "__call__", scripted)
    lines: list[str] = []
    more = 'monitor = "val_loss"\nearly_stopping = { patience = 2 }\n'
    follower = Follower()
    train.run_recipe(
        recipe(tmp_path, 90, more), tmp_path, tmp_path, log=lines.append, watcher=follower
    )
    assert [report.best for report in follower.reports] == [True, True, False, False]
    assert "the weights of epoch 2 are kept, the best by val_loss" in lines
    written = weights(tmp_path)
    assert all(np.array_equal(written[name], seen[1][name]) for name in written)
    assert not all(np.array_equal(written[name], seen[3][name]) for name in written)
    assert steering.was_steered(find("toy", [tmp_path]))


def test_a_run_is_watched_stopped_after_the_step_and_goes_on(
    toy_data: None, tmp_path: Path
) -> None:
    first = Follower(stop_after=13)
    with pytest.raises(StoppedError, match="after 1 epoch; go on with --resume"):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet, watcher=first)
    assert first.steps[-2:] == [(2, 2, 10), (2, 3, 10)]
    assert [(r.epoch, r.epochs, r.best) for r in first.reports] == [(1, 2, True)]
    with pytest.raises(CovidsegError, match="toy holds a training that is not finished"):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet)
    second = Follower()
    train.run_recipe(
        recipe(tmp_path, 20), tmp_path, tmp_path, resume=True, log=quiet, watcher=second
    )
    assert [r.epoch for r in second.reports] == [2]


def test_a_state_of_another_recipe_or_a_damaged_one_is_refused(
    toy_data: None, tmp_path: Path
) -> None:
    train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, log=quiet)
    other = tmp_path / "other.toml"
    other.write_text((RECIPE % 10).replace("base = 4", "base = 6"))
    longer = recipe(tmp_path, 20)
    for path, split in ((other, None), (longer, None), (recipe(tmp_path, 10), "toy:1")):
        with pytest.raises(CovidsegError, match="another recipe, split or schedule"):
            train.run_recipe(path, tmp_path, tmp_path, resume=True, log=quiet, split=split)
    with pytest.raises(CovidsegError, match="toy holds a finished model"):
        train.run_recipe(path, tmp_path, tmp_path, log=quiet)
    state = tmp_path / "toy" / FILE
    state.write_bytes(state.read_bytes()[:1000])
    lines: list[str] = []
    train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, resume=True, log=lines.append)
    assert lines == [f"{tmp_path / 'toy'} is finished"]
    (tmp_path / "toy" / "model.json").unlink()
    with pytest.raises(CovidsegError, match="cannot be read"):
        train.run_recipe(recipe(tmp_path, 10), tmp_path, tmp_path, resume=True, log=quiet)


def test_a_diverged_run_says_so_and_keeps_its_checkpoint(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dataset.Batches.batch

    def poisoned(self: dataset.Batches, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        pictures, masks = real(self, epoch, step)
        return pictures * (np.nan if epoch else 1), masks

    monkeypatch.setattr(dataset.Batches, "batch", poisoned)
    with pytest.raises(CovidsegError, match=r"lower learning_rate.*checkpoint of epoch 1 is kept"):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet)
    assert not (tmp_path / "toy" / "model.json").exists()
    monkeypatch.setattr(dataset.Batches, "batch", real)
    train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, resume=True, log=quiet)
    assert len(history(tmp_path)) == 2


def test_a_last_step_that_ruins_the_weights_leaves_the_checkpoint_before(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, follower = Learner.step, Follower()

    def ruinous(self: Learner, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        last = len(follower.steps) == 19
        losses = real(self, x * np.nan if last else x, y)
        return {"loss": 0.5} if last else losses

    monkeypatch.setattr(Learner, "step", ruinous)
    said = r"val loss became nan in epoch 2.*lower learning_rate.*checkpoint of epoch 1 is kept"
    with pytest.raises(CovidsegError, match=said):
        train.run_recipe(recipe(tmp_path, 30), tmp_path, tmp_path, log=quiet, watcher=follower)
    assert len(follower.steps) == 20 and [r.epoch for r in follower.reports] == [1]
    monkeypatch.setattr(Learner, "step", real)
    train.run_recipe(recipe(tmp_path, 30), tmp_path, tmp_path, resume=True, log=quiet)
    assert len(history(tmp_path)) == 3


def test_a_network_that_has_died_says_so_and_keeps_its_checkpoint(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = validation._logits, []

    def dead(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
        calls.append(len(pictures))
        logits = real(model, pictures)
        return logits if len(calls) == 1 else np.ones_like(logits) * [3.0, -1.0]

    monkeypatch.setattr(validation, "_logits", dead)
    with pytest.raises(CovidsegError, match=r"same answer whatever it is shown.*learning_rate"):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet)
    assert not (tmp_path / "toy" / "model.json").exists() and len(history(tmp_path)) == 1
    monkeypatch.setattr(validation, "_logits", real)
    train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, resume=True, log=quiet)
    assert len(history(tmp_path)) == 2


def test_a_full_disk_says_so_and_keeps_the_checkpoint(
    toy_data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = np.savez, []

    def full(path: Path, **arrays: np.ndarray) -> None:
        calls.append(path)
        if len(calls) == 2:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, **arrays)

    monkeypatch.setattr(np, "savez", full)
    said = "disk is full.*checkpoint of epoch 1 is kept; go on with --resume"
    with pytest.raises(CovidsegError, match=said):
        train.run_recipe(recipe(tmp_path, 20), tmp_path, tmp_path, log=quiet)
    assert not list((tmp_path / "toy").glob(".covidseg*")), "nothing half written is left"
    follower = Follower()
    train.run_recipe(
        recipe(tmp_path, 20), tmp_path, tmp_path, resume=True, log=quiet, watcher=follower
    )
    assert [r.epoch for r in follower.reports] == [2]


def test_half_precision_trains_and_leaves_nothing_behind(toy_data: None, tmp_path: Path) -> None:
    lines: list[str] = []
    path = recipe(tmp_path, 10, 'precision = "mixed_bfloat16"\n')
    train.run_recipe(path, tmp_path, tmp_path, log=lines.append)
    assert any("computing in mixed_bfloat16" in line for line in lines)
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(history(tmp_path)[0]["loss"])
    verify(find("toy", [tmp_path]))


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


def test_a_classification_has_auc_and_accuracy(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)  # the layers below are made here, not by the recipe
    text = (RECIPE % 90).replace('"segmentation"', '"classification"\nfinding = "squares"')
    path = tmp_path / "recipe.toml"
    as_it_is = "[augment]\nrotate = 0\nzoom = 0\nshift = 0\nwindow = 0\ngamma = 0\nnoise = 0\n"
    text = text.replace('scheme = "opacity"\n', "").replace('"infection"', '"classification"')
    text += as_it_is
    path.write_text(text + "[loss]\nfocal = 1.0\n")
    yes_or_no = load_recipe(path)
    items = [replace(item, labels=k % 2) for k, item in enumerate(toys(tmp_path))]
    for item in items[::2]:
        item.picture[:] = 200  # nothing there
    cached = [dataset.cache(item, yes_or_no.input, False) for item in items]
    inputs = keras.Input((32, 32, 1))
    pooled = keras.layers.GlobalMaxPooling2D()(1 - inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.BatchNormalization()(pooled)))
    (tmp_path / "toy").mkdir()
    loop.fit(model, cached[:8], cached[8:], yes_or_no, tmp_path / "toy", log=quiet)
    rows = history(tmp_path)
    assert list(rows[0])[3:] == ["val_loss", "val_auc", "val_accuracy"]
    assert rows[-1]["val_auc"] == 1
    assert not (tmp_path / "toy" / "predictions").exists()
    assert "curves" in (tmp_path / "toy" / "report.html").read_text()


def test_a_last_epoch_is_shorter_rather_than_another_number_of_steps(
    toy_data: None, tmp_path: Path
) -> None:
    follower = Follower()
    train.run_recipe(recipe(tmp_path, 14), tmp_path, tmp_path, log=quiet, watcher=follower)
    assert follower.steps == [(1, k, 10) for k in range(1, 11)] + [(2, k, 4) for k in range(1, 5)]
