"""Which recipes lead up to a recipe, and which of them learn from the same cases."""

from importlib import resources
from pathlib import Path

import pytest

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.stages import same_sets, stages

PACKAGE = Path(str(resources.files("napari_covidseg")))


def shipped(name: str) -> Path:
    return PACKAGE / "models" / name / "recipe.toml"


def test_stages_come_in_the_order_in_which_they_are_trained() -> None:
    covid = [load_recipe(path).name for path in stages(shipped("ct-covid"))]
    assert covid[:2] == ["ct-infection-first", "ct-infection-second"]
    assert covid[2:5] == ["ct-infection-third", "ct-infection", "ct-covid-picture-first"]
    assert covid[5:] == ["ct-covid-picture", "ct-covid-features", "ct-covid-burden"]
    ggo = [load_recipe(path).name for path in stages(shipped("xray-ggo"))]
    assert ggo == ["xray-lungs", "xray-infection-first", "xray-infection"]
    assert not stages(PACKAGE / "training" / "recipes" / "ct-infection-first.toml")


def test_a_stage_without_a_recipe_is_named(tmp_path: Path) -> None:
    text = shipped("ct-infection").read_text().replace('"ct-infection-third"', '"elsewhere"')
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(CovidsegError, match="no recipe of 'elsewhere'"):
        stages(tmp_path / "r.toml")


def test_stages_on_other_sets_are_told_from_those_on_the_same() -> None:
    covid = [load_recipe(path).name for path in same_sets(shipped("ct-covid"))]
    members = ["ct-covid-picture", "ct-covid-features", "ct-covid-burden"]
    assert covid == ["ct-covid-picture-first", *members, "ct-covid"]
    ggo = [load_recipe(path).name for path in same_sets(shipped("xray-ggo"))]
    assert ggo == ["xray-infection", "xray-ggo"]  # both with normal films
