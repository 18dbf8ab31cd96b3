"""What a model starts from: its data count, and it was calibrated on the same patients."""

import json
from pathlib import Path

import pytest

from napari_covidseg.inference.registry import ModelInfo, read_model, shipped_folder
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import finished, lineage
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe
from napari_covidseg.training.stages import stages
from tests.inference.conftest import write_tiny

RECIPE = """
name = "next"
version = "0.0.1"
title = "Next"
summary = "Dark squares."
task = "classification"
role = "classification"
finding = "dark"
modality = "XR"
split = "toy"
calibration = 0.2
data = [{ set = "shenzhen_tb" }, { set = "shenzhen_healthy", share = 0 }]
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "mobilenet_classifier"
start_from = ["imagenet", "tiny"]
[training]
steps = 4
seed = 3
"""


def recipe(folder: Path, *changes: tuple[str, str]) -> Recipe:
    text = RECIPE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_text(text)
    return load_recipe(folder / "recipe.toml")


@pytest.fixture
def before(tmp_path: Path) -> ModelInfo:
    """A model to start from, of the same recipe."""
    folder = write_tiny(tmp_path, "tiny")
    recipe(folder)
    path = folder / "model.json"
    made = {"training_data": ["shenzhen_tb", "covid_films_opacity"]}
    path.write_text(json.dumps({**json.loads(path.read_text()), **made}))
    return read_model(folder)


def test_data_of_the_models_before_are_inherited(tmp_path: Path, before: ModelInfo) -> None:
    learnt = lineage.learnt_from(recipe(tmp_path / "next"), [tmp_path])
    assert learnt == ["shenzhen_tb", "covid_films_opacity", "imagenet"]


def test_imagenet_is_inherited_through_earlier_stages(tmp_path: Path, before: ModelInfo) -> None:
    path = before.folder / "model.json"
    made = {"training_data": [{"name": "imagenet", "terms": "t"}, {"name": "films_lungs"}]}
    path.write_text(json.dumps({**json.loads(path.read_text()), **made}))
    start = ('start_from = ["imagenet", "tiny"]', 'start_from = "tiny"')
    learnt = lineage.learnt_from(recipe(tmp_path / "next", start), [tmp_path])
    assert learnt == ["shenzhen_tb", "films_lungs", "imagenet"]


@pytest.mark.parametrize("folder", sorted(shipped_folder().glob("*/")), ids=lambda p: p.name)
def test_the_models_that_ship_name_all_that_they_learnt_from(folder: Path) -> None:
    path = folder / "recipe.toml"
    recipes = [load_recipe(one) for one in [*stages(path), path]]
    sets = {spec.set for one in recipes for spec in one.data if spec.share}
    weights = {name for one in recipes for name in one.network.start_from} & set(lineage.IMAGENET)
    assert {one.name for one in read_model(folder).spec.training_data} == sets | weights


@pytest.mark.parametrize(
    "change", [("seed = 3", "seed = 4"), ("calibration = 0.2", "calibration = 0.3")]
)
def test_a_stage_that_calibrates_on_others_is_refused(
    tmp_path: Path, before: ModelInfo, change: tuple[str, str]
) -> None:
    lineage.require_kept_apart(recipe(tmp_path / "next"), before)
    with pytest.raises(RecipeError, match="patients that next is calibrated on"):
        lineage.require_kept_apart(recipe(tmp_path / "next", change), before)
    uncalibrated = ("calibration = 0.2\n", "")
    lineage.require_kept_apart(recipe(tmp_path / "next", uncalibrated), before)


def test_a_stage_on_other_data_may_be_calibrated_on_whom_it_likes(
    tmp_path: Path, before: ModelInfo
) -> None:
    other = ('"shenzhen_tb"', '"covid_classification"'), ("seed = 3", "seed = 4")
    shares_nothing = recipe(
        tmp_path / "next", *other, ('"shenzhen_healthy"', '"covid_films_lungs"')
    )
    lineage.require_kept_apart(shares_nothing, before)


def test_a_finished_run_is_known_by_what_made_it(tmp_path: Path) -> None:
    followed = recipe(tmp_path)
    assert not finished.is_finished(tmp_path, followed)
    (tmp_path / "model.json").write_text(json.dumps({"recipe": followed.digest}))
    assert finished.is_finished(tmp_path, followed)
    renamed = recipe(tmp_path, ("Dark squares", "Squares"), ("seed = 3", "seed = 3\nema = 0.99"))
    assert finished.is_finished(tmp_path, renamed)  # words, and a default that is named
    for other in (followed.with_schedule(5), followed.with_split("toy:1")):
        with pytest.raises(CovidsegError, match="another recipe, split or schedule"):
            finished.is_finished(tmp_path, other)
    for damaged in ("{", "[]", "{}"):
        (tmp_path / "model.json").write_text(damaged)
        with pytest.raises(CovidsegError, match="another recipe"):
            finished.is_finished(tmp_path, followed)
