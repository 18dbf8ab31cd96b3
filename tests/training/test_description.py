"""What model.json says of terms, headline figures and recipe."""

import json
from pathlib import Path

import pytest

from napari_covidseg.inference.registry import ModelError, ModelInfo, read_model, shipped_folder
from napari_covidseg.training import description, reports
from napari_covidseg.training.recipe import load_recipe
from tests.inference.conftest import write_tiny

NAN = float("nan")


def row(measure: str, label: str, low: float = 0.5) -> dict:
    names = {"set": "s", "measure": measure, "label": label, "unit": "picture"}
    return {**names, "n": 9, "groups": 7, "mean": 0.6, "low": low, "high": low, "median": NAN}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny lung model."""
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def info(tiny: Path, tmp_path: Path) -> ModelInfo:
    facts = json.loads((tiny / "model.json").read_text())
    facts |= {"training_data": ["shenzhen_tb", "of my own"], "recipe": "as it was followed"}
    (tmp_path / "model.json").write_text(json.dumps(facts))
    (tmp_path / "recipe.toml").write_text("")
    return read_model(tmp_path)


def complete(info: ModelInfo, *rows: dict) -> dict:
    description.complete(info, {"figures": rows})
    text = (info.folder / "model.json").read_text()
    assert "NaN" not in text
    return json.loads(text)


def test_what_was_there_stays(info: ModelInfo) -> None:
    before = json.loads((info.folder / "model.json").read_text())
    after = complete(info)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"training_data", "metrics", "recipe_file"}
    assert after["recipe_file"] == "recipe.toml" and after["metrics"] == []
    assert complete(read_model(info.folder)) == after


def test_data_have_their_terms_as_far_as_they_are_known(info: ModelInfo) -> None:
    known, own = complete(info)["training_data"]
    assert known == {"name": "shenzhen_tb", "terms": "films said to be CC0"}
    assert own == {"name": "of my own", "terms": ""}
    assert [one.name for one in read_model(info.folder).spec.training_data] == [
        "shenzhen_tb",
        "of my own",
    ]


def test_figures_over_all_cases_are_headlines(info: ModelInfo) -> None:
    rows = [row("Dice", "any", NAN), row("Dice", "left lung"), row("sensitivity", "any")]
    rows += [row("sensitivity", "all"), row("AUC", "a source"), row("AUC, as given", "all")]
    made = complete(info, *rows)["metrics"]
    assert [one["measure"] for one in made] == ["Dice", "sensitivity"]
    ends = {"low": None, "high": None}
    about = {"set": "s", "measure": "Dice", "mean": 0.6, "n": 9, "groups": 7, "unit": "picture"}
    assert made[0] == {**about, **ends}


def test_data_that_are_no_data_are_said(info: ModelInfo) -> None:
    path = info.folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "training_data": [3]}))
    with pytest.raises(ModelError, match=r"training_data\.0"):
        read_model(info.folder)


@pytest.mark.parametrize("folder", sorted(shipped_folder().glob("*/")), ids=lambda p: p.name)
def test_the_models_that_ship_say_what_their_cards_say(folder: Path) -> None:
    facts = json.loads((folder / "model.json").read_text())
    report = reports.read(folder / reports.METRICS)
    assert report is not None
    assert facts["metrics"] and facts["metrics"] == list(description._headlines(report))
    sets = description.data_sets()
    assert facts["training_data"] == [
        {"name": one["name"], "terms": sets[one["name"]]["terms"]} for one in facts["training_data"]
    ]
    assert facts["recipe"] == load_recipe(folder / facts["recipe_file"]).digest
