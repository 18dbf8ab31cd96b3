"""Members that were trained are put together, and calibrated on whom none of them learnt from."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import read_model
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import calibrate, dataset, sources, train
from napari_covidseg.training.recipe import RecipeError, load_recipe
from tests.training.test_calibrate import RECIPE, toys

START = 'architecture = "mobilenet_classifier"\n'
TRAINING = RECIPE[RECIPE.index("[training]") :]


def quiet(_: str) -> None:
    pass


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.LOADERS, "toys", toys)
    held = {"toys": frozenset({"north/p0", "north/p1", "south/p8", "south/p9"})}
    monkeypatch.setattr(dataset, "read_split", lambda _: held)


def recipe(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    text = RECIPE.replace('name = "toy"', f'name = "{name}"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def headed(folder: Path, *changes: tuple[str, str]) -> Path:
    to_head = ((TRAINING, "[head]\n"), ("mobilenet_classifier", "feature_classifier"))
    return recipe(folder, "fixed", *to_head, *changes)


def together(folder: Path, *changes: tuple[str, str]) -> Path:
    members = 'architecture = "ensemble"\nstart_from = ["learnt", "fixed"]\n'
    to_sum = ((TRAINING, "[ensemble]\nshares = [3, 1]\n"), (START, members))
    return recipe(folder, "sum", *to_sum, *changes)


def test_members_are_added_up_and_their_sum_is_calibrated(
    tmp_path: Path, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated_on: list[set[str]] = []
    predict = calibrate.predict

    def spied(model, items, recipe):
        calibrated_on.append({c.item.group for c in items})
        return predict(model, items, recipe)

    monkeypatch.setattr(calibrate, "predict", spied)
    runs = tmp_path / "runs"
    for path in (recipe(tmp_path, "learnt"), headed(tmp_path), together(tmp_path)):
        train.run_recipe(path, tmp_path, runs, log=quiet)
    learnt, fixed, whole = (read_model(runs / name) for name in ("learnt", "fixed", "sum"))
    assert calibrated_on[0] == calibrated_on[1] == calibrated_on[2] and calibrated_on[0]
    shown = np.random.default_rng(1).random((3, 32, 32)).astype(np.float32)
    parts = [Network(info)(shown) / info.spec.temperature for info in (learnt, fixed)]
    assert np.allclose(Network(whole)(shown), (3 * parts[0] + parts[1]) / 4, atol=2e-2)
    said = json.loads((runs / "sum" / "model.json").read_text())
    assert said["calibrated"]["groups"] == len(calibrated_on[2])
    assert said["parameters"] == learnt.spec.parameters + fixed.spec.parameters
    assert said["mirrored"] == (learnt.spec.mirrored and fixed.spec.mirrored)


@pytest.mark.parametrize(
    ("head", "flip", "mirrored"),
    [("copies = 1", 0.5, True), ("copies = 1", 0.0, False), ("copies = 0", 0.5, False)],
)
def test_a_last_layer_is_asked_of_mirrored_pictures_if_it_learnt_from_some(
    tmp_path: Path, head: str, flip: float, mirrored: bool
) -> None:
    changes = (("[head]\n", f"[augment]\nflip = {flip}\n[head]\n{head}\n"),)
    assert train.is_mirrored(load_recipe(headed(tmp_path, *changes)), ()) is mirrored


def test_what_is_drawn_has_no_side_to_learn() -> None:
    recipes = Path(train.__file__).with_name("recipes")
    recipe = load_recipe(recipes / "ct-covid-burden.toml")
    assert recipe.head is not None and recipe.head.copies == 0
    assert train.is_mirrored(recipe, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("calibration = 0.25", "calibration = 0.3"), "may have learnt from patients"),
        (("size = 32", "size = 64"), "is shown other pictures"),
        (('"learnt"', '"nobody"'), "no model named 'nobody'"),
    ],
)
def test_members_that_do_not_go_together_are_refused(
    tmp_path: Path, data: None, change: tuple[str, str], said: str
) -> None:
    runs = tmp_path / "runs"
    train.run_recipe(headed(tmp_path), tmp_path, runs, log=quiet)
    members = ('["learnt", "fixed"]', '["fixed", "fixed"]')
    path = together(tmp_path, *((change,) if "nobody" in said else (members, change)))
    with pytest.raises(CovidsegError, match=said):
        train.run_recipe(path, tmp_path, runs, log=quiet)
    assert not (runs / "sum" / "model.json").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("shares = [3, 1]", "shares = [3, 1, 1]"), "one number for each"),
        (("calibration = 0.25\n", ""), "needs calibration"),
        (('"ensemble"', '"feature_classifier"'), "go together"),
        (("[ensemble]\n", "[head]\n[ensemble]\n"), "either"),
    ],
)
def test_a_recipe_of_an_ensemble_that_does_not_fit_says_why(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(together(tmp_path, change))
