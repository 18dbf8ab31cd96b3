"""Temperature and threshold come from training patients that the network has not learnt from."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_covidseg.inference import find, run
from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError, Modality, from_array
from napari_covidseg.training import calibrate, dataset, loop, sources, train
from napari_covidseg.training.recipe import RecipeError, load_recipe
from napari_covidseg.training.sources import Item

RECIPE = """
name = "toy"
version = "0.0.1"
title = "Toy"
summary = "Dark squares."
task = "classification"
role = "classification"
modality = "XR"
finding = "squares"
split = "toy"
calibration = 0.25
data = [{ set = "toys" }]
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "mobilenet_classifier"
[training]
steps = 2
epoch_steps = 1
batch = 4
"""


def toys(_: Path) -> Iterator[Item]:
    """Two pictures a patient of two hospitals, each with and without a dark square."""
    rng = np.random.default_rng(0)
    for k in range(32):
        picture = rng.normal(200, 5, (32, 32)).astype(np.float32)
        positive = k // 2 % 2
        picture[8:20, 8:20] -= 150 * positive
        group = f"{'north' if k < 16 else 'south'}/p{k // 2}"
        frame = whole_frame(picture.shape)
        yield Item("toys", group, f"t{k}", picture, positive, Window(0.0, 255.0), frame)


@pytest.fixture
def toy_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setitem(sources.LOADERS, "toys", toys)
    held = {"toys": frozenset({"north/p0", "north/p1", "south/p8", "south/p9"})}
    monkeypatch.setattr(dataset, "read_split", lambda _: held)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def quiet(_: str) -> None:
    pass


def test_the_temperature_of_logits_that_are_too_sure_is_found() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 20_000)
    truth = (rng.random(honest.size) < 1 / (1 + np.exp(-honest))).astype(int)
    assert calibrate.temperature(3 * honest, truth) == pytest.approx(3, rel=0.05)
    assert calibrate.temperature(0.5 * honest, truth) == pytest.approx(0.5, rel=0.05)


def test_the_temperature_is_that_of_the_answer_in_use(toy_recipe: Path) -> None:
    recipe = load_recipe(toy_recipe)
    items = [dataset.cache(item, recipe.input, cut=False) for item in toys(toy_recipe)]

    def model(pictures: np.ndarray, training: bool) -> np.ndarray:
        """See the square from both sides; noise, of another pixel in a mirror, misleads it."""
        assert not training
        square = pictures[:, 10:18, 14:18].mean((1, 2)) < 0.5
        return 2.0 * square - 1 + 100 * (pictures[:, 2, 2] - 200 / 255)

    shown, truth = dataset.stack_still(items, recipe.input)
    plain, back = (model(s, training=False)[:, 0] for s in (shown, shown[:, :, ::-1]))
    expected = [calibrate.temperature(z, truth) for z in (plain, (plain + back) / 2)]
    assert expected[0] > 1.1 * expected[1]
    for mirrored, one in zip((False, True), expected, strict=True):
        fitted = calibrate.calibrate(model, items, recipe, mirrored=mirrored)
        assert fitted.temperature == pytest.approx(one, abs=2e-3)


def test_the_threshold_lies_midway_where_youdens_index_is_largest() -> None:
    p = np.array([0.1, 0.2, 0.6, 0.3, 0.8, 0.9, 0.95])
    truth = np.array([0, 0, 0, 1, 1, 1, 1])
    # from 0.8 on 3 of 4 are found and nobody is wrongly called; from 0.3 on all, and 1 of 3
    assert calibrate.youden(p, truth) == pytest.approx(0.7)
    shuffled = np.random.default_rng(0).permutation(7)
    assert calibrate.youden(p[shuffled], truth[shuffled]) == pytest.approx(0.7)


def test_a_model_that_tells_nothing_keeps_a_threshold_that_can_be_written() -> None:
    fitted = calibrate.fit(np.array([40.0, 40, -40, -40]), np.array([0, 0, 1, 1]), np.arange(4))
    assert 0 < fitted.threshold < 1
    assert (fitted.cases, fitted.groups) == (4, 4)


def test_whole_patients_of_each_class_and_source_are_kept_apart(toy_recipe: Path) -> None:
    recipe = load_recipe(toy_recipe)
    items = [SimpleNamespace(item=item, labels=item.labels) for item in toys(toy_recipe)]
    learn, kept = calibrate.keep_apart(items, recipe)
    assert len(learn) + len(kept) == len(items)
    sides = [{c.item.group for c in side} for side in (learn, kept)]
    assert not sides[0] & sides[1]
    kinds = [(g.split("/")[0], int(g.split("/p")[1]) % 2) for g in sides[1]]
    assert sorted(kinds) == [("north", 0), ("north", 1), ("south", 0), ("south", 1)]
    again, other = (
        calibrate.keep_apart(items, recipe.model_copy(update={"training": training}))[1]
        for training in (recipe.training, recipe.training.model_copy(update={"seed": 7}))
    )
    assert again == kept != other


def test_one_class_alone_cannot_be_calibrated_on(toy_recipe: Path) -> None:
    items = [
        SimpleNamespace(item=item, labels=item.labels)
        for item in toys(toy_recipe)
        if item.group in ("north/p2", "north/p4", "south/p11")
    ]
    with pytest.raises(CovidsegError, match="set calibration = 0"):
        calibrate.keep_apart(items, load_recipe(toy_recipe))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'task = "classification"\nrole = "classification"\n',
            'task = "segmentation"\nrole = "infection"\nscheme = "opacity"\n',
        ),
        ("calibration = 0.25", "calibration = 0.9"),
    ],
)
def test_where_there_is_nothing_to_calibrate_the_recipe_says_so(
    toy_recipe: Path, old: str, new: str
) -> None:
    text = toy_recipe.read_text()
    assert old in text
    toy_recipe.write_text(text.replace(old, new))
    with pytest.raises(RecipeError, match="calibration"):
        load_recipe(toy_recipe)


def test_a_run_learns_from_the_rest_and_writes_what_was_fitted(
    toy_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: set[str] = set()
    fitted_on: set[str] = set()
    fit, predict = loop.fit, calibrate.predict

    def spied_fit(model, learn, *rest, **more):
        learnt.update(c.item.group for c in learn)
        fit(model, learn, *rest, **more)

    def spied_predict(model, items, recipe):
        fitted_on.update(c.item.group for c in items)
        return 5 + 0 * predict(model, items, recipe) + np.array([[c.labels] for c in items])

    monkeypatch.setattr(loop, "fit", spied_fit)
    monkeypatch.setattr(calibrate, "predict", spied_predict)
    folder = train.run_recipe(toy_recipe, tmp_path, tmp_path / "runs", log=quiet)
    assert len(fitted_on) == 4 and not fitted_on & learnt
    assert not {"north/p0", "north/p1", "south/p8", "south/p9"} & (learnt | fitted_on)
    spec = json.loads((folder / "model.json").read_text())
    assert spec["temperature"] > 1  # the answers of the spy are too sure
    assert spec["threshold"] == load_recipe(toy_recipe).threshold
    assert (spec["calibrated"]["cases"], spec["calibrated"]["groups"]) == (8, 4)
    info = find("toy", [tmp_path / "runs"])
    assert (info.threshold, info.spec.temperature) == (spec["threshold"], spec["temperature"])
    picture = next(iter(toys(tmp_path))).picture
    study = from_array(picture, modality=Modality.XR)
    (answer,) = run(study, ["toy"], model_dirs=[tmp_path / "runs"]).classifications
    assert answer.threshold == spec["threshold"]


@pytest.mark.parametrize("flip", [0.0, 0.5])
def test_a_run_is_calibrated_as_it_will_answer(
    toy_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flip: float
) -> None:
    toy_recipe.write_text(f"{RECIPE}[augment]\nflip = {flip}\n")
    asked: list[bool] = []

    def spied(model, items, recipe, *, mirrored):
        asked.append(mirrored)
        return calibrate.Calibration(1.0, 0.5, 8, 4)

    monkeypatch.setattr(loop, "fit", lambda *_, **__: None)
    monkeypatch.setattr(calibrate, "calibrate", spied)
    folder = train.run_recipe(toy_recipe, tmp_path, tmp_path / "runs", log=quiet)
    assert asked == [json.loads((folder / "model.json").read_text())["mirrored"]] == [flip > 0]
