"""A card says what metrics.json holds, and how threshold and temperature were chosen."""

import json
import re
from pathlib import Path

import pytest

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.inference.registry import read_model
from napari_covidseg.measure.calibration import Bin
from napari_covidseg.training import card, description, reports, steering
from napari_covidseg.training.answers import Answer
from napari_covidseg.training.card_pictures import Pictures
from napari_covidseg.training.figures import Figure
from napari_covidseg.training.found import Found, Summary
from napari_covidseg.training.lineage import IMAGENET
from napari_covidseg.training.readers import Reading
from napari_covidseg.training.sources import LOADERS

MODELS = Path(card.__file__).parents[1] / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spec = {
        "name": "guess",
        "version": "1.2.3",
        "title": "Guess",
        "summary": "It guesses.",
        "task": "classification",
        "role": "classification",
        "modality": "XR",
        "scheme": None,
        "finding": "x",
        "threshold": 0.41,
        "temperature": 1.7,
        "input": {"values": "xray", "frame": "whole", "size": 32},
        "architecture": "mobilenet_classifier",
        "config": {},
        "weights": {"file": "weights.h5", "sha256": "0" * 64},
        "calibrated": {"cases": 36, "groups": 30, "how": "It was fitted on patients kept apart"},
    }
    (tmp_path / "model.json").write_text(json.dumps(spec))
    (tmp_path / "weights.h5").write_bytes(b"")
    (tmp_path / "notes.md").write_text("## Limits\n\nIt is a guess.\n")
    return tmp_path


def section(text: str, heading: str) -> str:
    return text.split(heading)[1].split("\n#")[0]


def test_a_classifiers_card(folder: Path) -> None:
    one = Found("films", "picture")
    one.answers = [
        Answer(f"p{k}", k % 2, 0.2 + 0.5 * (k % 2), k % 2 == 1, case=f"film {k}") for k in range(20)
    ]
    info = read_model(folder)
    summary = Summary.of([one])
    shortcut = Figure.of(
        [0.5], ["p"], set="films", measure="AUC, lungs blanked", unit="picture", label="all"
    )
    summary.figures.append(shortcut)
    card.write_card(info, {reports.METRICS: reports.of_model(info, summary)})
    text = info.card.read_text()
    assert "probability of 0.41; logits are divided by 1.7. It was fitted" in text
    assert "kept apart: 36 pictures of 30" in text
    figures = section(text, "## Figures on held-out cases")
    assert (
        "| films | sensitivity | all | 1.000 [1.000, 1.000] |  |  | 10 pictures of 10 |" in figures
    )
    assert "lungs blanked" not in figures
    assert "| films | AUC, lungs blanked | all | 0.500 |" in section(text, "### Shortcut test")
    table = section(text, "### Reliability, films")
    assert "| 0.200 | 0.000 | 10 |" in table and "| 0.700 | 1.000 | 10 |" in table
    assert "## Use and limits\n\n### Limits\n\nIt is a guess." in text
    assert "Two readers" not in text
    report = json.loads((folder / "metrics.json").read_text())
    assert report["reliability"]["films"] == [
        {"predicted": 0.2, "observed": 0.0, "n": 10},
        {"predicted": 0.7, "observed": 1.0, "n": 10},
    ]
    assert "Worst cases seen" not in text
    pictures = Pictures.of(info, report)
    assert (folder / "reliability.png").read_bytes() == pictures.plot
    assert table.endswith("![Reliability plot](reliability.png)\n")
    assert card.card_text(read_model(folder), report, pictures) == text


def test_the_surest_wrong_answers_stand_on_the_card(folder: Path) -> None:
    one = Found("films", "picture")
    one.answers = [Answer("p", 0, 0.9, True, case="film 1"), Answer("q", 1, 0.6, True, case="2")]
    text = card.card_text(read_model(folder), reports.as_report(Summary.of([one])))
    wrong = section(text, "### Worst cases seen, films")
    assert "| film 1 | 0 | 0.900 |" in wrong and "| 2 |" not in wrong


def test_two_readers_and_cross_validation_have_tables_of_their_own(folder: Path) -> None:
    info = read_model(folder)
    readers = {"volumes": [Reading("v1", 0.71, 0.72, 0.73, 900)]}
    report = reports.as_report(Summary([], {}, readers))
    folds = {"recipe": "guess", "split": "s", "folds": 3, "steps": 9}
    tables = {"reliability": {"films": [vars(Bin(0.25, 0.5, 7))]}, "figures": []}
    (folder / reports.CROSS_VALIDATION).write_text(json.dumps({**folds, **tables}))
    text = card.card_text(info, report)
    before, after = text.split("## Cross-validated")
    assert "| v1 | 0.710 | 0.720 | 0.730 | 900 |" in section(before, "### Two readers, volumes")
    assert "| 0.250 | 0.500 | 7 |" in section(after, "### Reliability, films")
    assert "its stages too, 9 steps each stage: every case" in after
    assert "of the first fold, for longer. Made again by" in after and "RUNS --steps 9`." in after


def test_a_recipe_that_was_followed_as_it_stands_is_not_called_shorter(folder: Path) -> None:
    folds = {"recipe": "guess", "split": "s", "folds": 3, "figures": []}
    (folder / reports.CROSS_VALIDATION).write_text(json.dumps(folds))
    text = card.card_text(read_model(folder), {"figures": []})
    assert "its stages too: every case" in text and "of the first fold. Made again by" in text
    assert "steps each stage" not in text and "--out RUNS`." in text


def test_terms_of_the_networks_that_it_starts_from_stand_on_the_card(folder: Path) -> None:
    path = folder / "model.json"
    sets = ["shenzhen_tb", "covid_films_opacity"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "training_data": sets}))
    row = {"set": "films_lungs", "measure": "Dice", "label": "any", "unit": "picture", "n": 1}
    numbers = dict.fromkeys(("mean", "low", "high", "median", "worst"), 0.5)
    text = card.card_text(read_model(folder), {"figures": [{**row, **numbers, "groups": 1}]})
    learnt, measured = section(text, "## Training data and terms").split("Measured on only:")
    assert learnt.index("`shenzhen_tb`: ") < learnt.index("`covid_films_opacity`: ")
    assert "`films_lungs`: " in measured and "films_lungs" not in learnt


def test_recipes_that_come_first_are_named() -> None:
    tb = card.card_text(read_model(MODELS / "xray-tb"), {"figures": []})
    before = "after `xray-infection-first.toml`, `xray-tb-first.toml`, `xray-tb-second.toml` of"
    assert before in tb
    lungs = card.card_text(read_model(MODELS / "xray-lungs"), {"figures": []})
    assert "--out RUNS`\n" in lungs


def test_nothing_is_said_of_a_threshold_that_was_not_fitted(folder: Path) -> None:
    spec = json.loads((folder / "model.json").read_text())
    del spec["calibrated"]
    (folder / "model.json").write_text(json.dumps(spec))
    assert "divided by" not in card.card_text(read_model(folder), {"figures": []})


def test_a_card_says_that_held_out_cases_steered_the_training(folder: Path) -> None:
    report, path = {"figures": []}, folder / "model.json"
    assert steering.STEERED not in card.card_text(read_model(folder), report)
    path.write_text(json.dumps({**json.loads(path.read_text()), "steered": True}))
    text = card.card_text(read_model(folder), report)
    assert f"**{steering.STEERED}**" in section(text, "## Figures on held-out cases")


def test_weights_from_elsewhere_are_among_the_data_on_the_card(folder: Path) -> None:
    path = folder / "model.json"
    sets = ["shenzhen_tb", "imagenet"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "training_data": sets}))
    text = card.card_text(read_model(folder), {"figures": []})
    (line,) = [one for one in text.splitlines() if one.startswith("- `imagenet`: ")]
    assert "MobileNetV2" in line and "Apache-2.0" in line


@pytest.mark.parametrize("name", [path.parent.name for path in MODELS.glob("*/model.json")])
def test_the_cards_that_ship_have_their_pictures(name: str) -> None:
    text = (MODELS / name / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert shown == sorted(path.name for path in (MODELS / name).glob("*.png"))
    assert len(shown) == 1 and (MODELS / name / shown[0]).stat().st_size < 80_000
    assert RESEARCH_ONLY in text


def test_each_set_of_a_recipe_that_ships_has_its_terms() -> None:
    assert {*LOADERS, *IMAGENET} == set(description.data_sets())
