"""The page of models tells what lies in their folders, and nothing else of ours."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs_script import DOCS, load


@pytest.fixture(scope="module")
def work() -> ModuleType:
    return load("make_models_page")


def row(measure: str, mean: float, label: str = "any", unit: str = "picture") -> dict:
    nan = float("nan")
    names = {"set": "semiseg_infection", "measure": measure, "unit": unit, "label": label}
    ends = {"low": mean - 0.1, "high": mean + 0.1, "median": nan, "worst": nan}
    return {**names, "n": 12, "groups": 10, "mean": mean, **ends}


def write(folder: Path, name: str, *rows: dict, **more: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text("{}")
    (folder / name).write_text(json.dumps({"figures": rows, **more}))


def test_a_figure_stands_beside_others_with_its_protocol(work: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "ct-infection"
    write(folder, "metrics.json", row("Dice", 0.7512), row("sensitivity", 0.6))
    write(folder, "cross-validation.json", row("Dice", 0.8), folds=5, steps=900)
    text = work.page(tmp_path)
    table = text.split("## Beside older systems")[1].split("## All models")[0]
    ours = [line for line in table.splitlines() if "**ct-infection**" in line]
    assert ["0.751 [0.651, 0.851]" in ours[0], "held out, 12 pictures of 10" in ours[0]] == [
        True
    ] * 2
    assert "0.800 [0.700, 0.900]" in ours[1] and "5-fold, 900 steps a stage" in ours[1]
    assert "Semi-Inf-Net | Dice 0.74" in table and "older U-Net | Dice 0.79" in table
    every = text.split("## All models")[1]
    assert "Dice (5-fold, 900 steps a stage) | 0.800" in every and "sensitivity" not in every


def test_cases_stand_at_each_figure_where_they_differ(work: ModuleType, tmp_path: Path) -> None:
    covid = {"set": "covid_classification", "label": "all"}
    blanked = {**row("AUC, lungs blanked", 0.5), **covid}
    still = {**row("still positive, lungs blanked", 0.1), **covid, "n": 5, "groups": 4}
    write(tmp_path / "ct-covid", "metrics.json", blanked, still)
    (line,) = [one for one in work.page(tmp_path).splitlines() if "**ct-covid**" in one]
    assert "0.600] (12 pictures of 10), still" in line and "0.200] (5 pictures of 4) |" in line
    assert line.endswith("`covid_classification`, held out |")


def test_it_is_said_whether_the_critic_helped(work: ModuleType, tmp_path: Path) -> None:
    films = {"set": "films_ground_glass"}
    write(tmp_path / "xray-ggo-alone", "metrics.json", {**row("Dice", 0.5), **films})
    assert "critic did" not in work.page(tmp_path)
    write(tmp_path / "xray-ggo-adversarial", "metrics.json", {**row("Dice", 0.3), **films})
    said = " ".join(work.page(tmp_path).split())
    assert "the critic did not help: by recipes that are the same but for it (240 steps" in said
    assert "alone has a Dice of 0.500 [0.400, 0.600] (12 pictures of 10), against" in said
    assert "one of 0.300 [0.200, 0.400] (12 pictures of 10). It is one short run" in said
    write(tmp_path / "xray-ggo-adversarial", "metrics.json", {**row("Dice", 0.6), **films})
    assert "the critic helped" in work.page(tmp_path)


def test_what_is_not_there_is_left_out(work: ModuleType, tmp_path: Path) -> None:
    text = work.page(tmp_path)
    assert "Beside older systems" not in text and "**" not in text.split("device.**")[1]
    write(tmp_path / "ct-infection", "metrics.json", row("Dice", 0.75))
    text = work.page(tmp_path)
    assert "Inf-Net" in text and "DenseNet121" not in text and "Tuberculosis" not in text


def test_the_page_is_that_of_the_models_that_ship(work: ModuleType) -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    assert page == work.page(work.MODELS, work.VARIANTS), "run: python docs/make_models_page.py"
