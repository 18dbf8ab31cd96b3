"""Each source is measured by a model that was fitted on the other ones alone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import dataset, head, held_out, leave_out, loop, sources, train
from napari_covidseg.training.leave_out import leave_one_source_out
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.sources import Item

RECIPE = """
name = "places"
version = "0.0.1"
title = "Places"
summary = "Dark or bright."
task = "classification"
role = "classification"
finding = "dark"
modality = "XR"
split = "places"
data = [{ set = "places" }]
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "feature_classifier"
"""
HEAD = "[head]\n"
TRAINING = "[training]\nsteps = 4\nepoch_steps = 2\nbatch = 4\nwarmup_steps = 1\n"
PLACES = ("here", "there")


def places(_: Path) -> Iterator[Item]:
    """Two places of ten patients each, of whom every second one's picture is dark."""
    rng = np.random.default_rng(0)
    for place in PLACES:
        for k in range(10):
            dark = k % 2
            picture = rng.normal(60 if dark else 200, 20, (32, 32)).astype(np.float32)
            group, frame = f"{place}/p{k}", whole_frame(picture.shape)
            yield Item("places", group, group, picture, dark, Window(0.0, 255.0), frame)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.LOADERS, "places", places)
    held = {"places": frozenset({"here/p0", "there/p1"})}
    monkeypatch.setattr(dataset, "read_split", lambda _: held)


def recipe(folder: Path, more: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE + more)
    return path


def weights_of(folder: Path) -> np.ndarray:
    """The first layer that is trained."""
    with h5py.File(folder / "weights.h5") as file:
        return np.asarray(file["mobilenet_first/kernel"], np.float32).ravel()


def quiet(_: str) -> None:
    pass


def test_a_last_layer_is_fitted_without_the_source(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_on: list[set[str]] = []
    fit = head.fit

    def noted(seen, truth, groups, spec, weights):
        fitted_on.append({group.split("/")[0] for group in groups})
        return fit(seen, truth, groups, spec, weights)

    monkeypatch.setattr(head, "fit", noted)
    start = train.start_model

    def strong(*given):
        """A network from nothing dims what it is shown, layer by layer; this one does not."""
        model = start(*given)
        for layer in model.layers:
            kernel, *rest = layer.get_weights() or [np.zeros(0)]
            if kernel.ndim == 4:
                layer.set_weights([3 * kernel, *rest])
        return model

    monkeypatch.setattr(train, "start_model", strong)
    report = leave_one_source_out(recipe(tmp_path, HEAD), tmp_path, tmp_path, log=quiet)
    assert fitted_on == [{"there"}, {"here"}]
    areas = [f for f in report["figures"] if f["measure"] == "AUC, source never seen"]
    assert [(f["label"], f["n"]) for f in areas] == [("here", 10), ("there", 10)]
    assert [f["mean"] for f in areas] == [1, 1]
    fitted = json.loads((tmp_path / "without-here" / "places" / "model.json").read_text())
    assert fitted["calibrated"]["cases"] == 10 and fitted["threshold"] != 0.5


def test_a_network_is_trained_without_the_source(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on: list[tuple[set[str], set[str], int, Path]] = []

    def noted(model, train, validation, recipe, folder, **_):
        sides = [{c.item.group.split("/")[0] for c in side} for side in (train, validation)]
        trained_on.append((*sides, recipe.training.steps, folder))

    monkeypatch.setattr(loop, "fit", noted)
    path = recipe(tmp_path, TRAINING)
    report = leave_one_source_out(path, tmp_path, tmp_path, steps=2, log=quiet)
    assert trained_on == [
        ({"there"}, {"here"}, 2, tmp_path / "without-here" / "places"),
        ({"here"}, {"there"}, 2, tmp_path / "without-there" / "places"),
    ]
    assert all(folder.is_dir() for *_, folder in trained_on)
    assert [(f["label"], f["n"], f["measure"].split(",")[0]) for f in report["figures"]] == [
        (place, n, measure)
        for place in PLACES
        for measure, n in (("AUC", 10), ("accuracy", 10), ("sensitivity", 5), ("specificity", 5))
    ]
    written = (tmp_path / "places-leave-one-source-out.json").read_text()
    assert json.loads(written)["steps"] == 2
    again = leave_one_source_out(path, tmp_path, tmp_path, steps=2, log=quiet)
    assert len(trained_on) == 2  # what was finished is measured only
    assert json.dumps(again, indent=1) + "\n" == written


def test_a_stage_on_the_same_set_never_saw_the_source_either(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(RECIPE.replace('"places"', '"first"', 1) + TRAINING)
    second.write_text(
        RECIPE.replace("[network]", '[network]\nstart_from = "first"')
        + TRAINING
        + "learning_rate = 1e-9\n"
    )
    monkeypatch.setattr(leave_out, "same_sets", lambda _: [first, second])
    trained_on: list[tuple[str, set[str]]] = []
    fit = loop.fit

    def noted(model, train, validation, recipe, folder, **options):
        trained_on.append((recipe.name, {c.item.group.split("/")[0] for c in train}))
        return fit(model, train, validation, recipe, folder, **options)

    monkeypatch.setattr(loop, "fit", noted)
    leave_one_source_out(second, tmp_path, tmp_path, log=quiet)
    assert trained_on == [
        ("first", {"there"}),
        ("first", {"here"}),
        ("places", {"there"}),
        ("places", {"here"}),
    ]
    for place in PLACES:
        runs = [tmp_path / f"without-{place}" / name for name in ("first", "places")]
        before, after = (weights_of(folder) for folder in runs)
        other = weights_of(tmp_path / f"without-{PLACES[place == PLACES[0]]}" / "places")
        # A rate of nothing leaves what it started from.
        assert np.abs(after - before).max() < 0.1 * np.abs(after - other).max()
        for folder in runs:
            assert json.loads((folder / "model.json").read_text())["split"] == held_out.FILE
            sides = [held_out.read(folder / name) for name in (held_out.FILE, held_out.LEARNT)]
            assert [{g.split("/")[0] for g in side["places"]} for side in sides] == [
                {place},
                {PLACES[place == PLACES[0]]},
            ]
            assert [len(side["places"]) for side in sides] == [10, 10]


def test_runs_of_another_schedule_are_not_taken_for_these(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "fit", lambda *_, **__: None)
    path = recipe(tmp_path, TRAINING)
    leave_one_source_out(path, tmp_path, tmp_path, steps=2, log=quiet)
    for changed in ({"steps": 3}, {"steps": 2, "rate": 1e-4}):
        with pytest.raises(CovidsegError, match="without-here/places holds a run of another"):
            leave_one_source_out(path, tmp_path, tmp_path, **changed, log=quiet)


def test_patients_are_not_taken_for_sources(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(folder: Path) -> Iterator[Item]:
        for item in places(folder):
            yield replace(item, group=item.group.replace("/", "_"))

    monkeypatch.setitem(sources.LOADERS, "places", nowhere)
    held = {"places": frozenset({"here_p0", "there_p1"})}
    monkeypatch.setattr(dataset, "read_split", lambda _: held)
    with pytest.raises(CovidsegError, match="do not come from several sources"):
        leave_one_source_out(recipe(tmp_path, TRAINING), tmp_path, tmp_path, log=quiet)
    assert not list(tmp_path.glob("without-*"))


@pytest.mark.parametrize("steered", ["early_stopping = {}\n", 'schedule = "plateau"\n'])
def test_the_source_left_out_steers_nothing(tmp_path: Path, data: None, steered: str) -> None:
    path = recipe(tmp_path, TRAINING + steered)
    with pytest.raises(CovidsegError, match="Recipe places ends its training, or lowers its rate"):
        leave_one_source_out(path, tmp_path, tmp_path, log=quiet)
    assert not (tmp_path / "places").exists()


def test_a_head_has_neither_steps_to_replace_nor_anything_to_steer(tmp_path: Path) -> None:
    fixed = load_recipe(recipe(tmp_path, HEAD))
    assert fixed.with_schedule(7) == fixed
    assert not fixed.steered
