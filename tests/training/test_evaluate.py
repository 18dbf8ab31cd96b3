import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from own_data import films, square
from own_data import recipe as write_recipe

from napari_covidseg.labels import OPACITY
from napari_covidseg.measure.agreement import auc
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training import evaluate, held_out, steering
from napari_covidseg.training.dataset import read_split
from napari_covidseg.training.figures import Figure
from napari_covidseg.training.sources import LOADERS
from napari_covidseg.training.sources.own import alias

NAMES = {"set": "s", "measure": "Dice", "unit": "picture", "label": "any"}


def test_empty_cases_are_left_out_of_a_mean() -> None:
    figure = Figure.of([0.5, math.nan, 0.7], ["a", "b", "c"], **NAMES)
    assert (figure.n, figure.groups) == (2, 2)
    assert figure.mean == pytest.approx(0.6)
    assert figure.low <= figure.mean <= figure.high
    assert figure.worst == 0.5


def test_auc_is_the_chance_that_a_positive_scores_higher() -> None:
    truth, p = np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.4, 0.4])
    assert auc(truth, p) == pytest.approx(3.5 / 4)
    assert math.isnan(auc(np.ones(3), np.ones(3)))


@pytest.mark.parametrize("name", ["ct", "xray"])
def test_splits_name_known_sets_and_hold_something_out(name: str) -> None:
    split = read_split(name)
    assert set(split) <= set(LOADERS)
    assert all(split.values())


def test_sets_that_share_patients_hold_the_same_ones_out() -> None:
    ct, xray = read_split("ct"), read_split("xray")
    for first, second in (
        ("covid_volumes_lungs", "covid_volumes_infection"),
        ("covid_slices_lungs", "covid_slices_infection"),
        ("kmader_lungs", "kmader_healthy"),
        ("volumes_lungs", "volumes_healthy"),
    ):
        assert ct[first] == ct[second]
    assert xray["films_ground_glass"] & xray["covid_films_lungs"]
    assert xray["shenzhen_lungs"] == xray["shenzhen_tb"] > xray["shenzhen_healthy"]


@pytest.mark.shared
def test_no_patient_is_on_both_sides_of_a_split(shared_data) -> None:
    from napari_covidseg.training.sources import load

    held = read_split("xray")
    sides: dict[str, set[bool]] = {}
    for name in ("films_ground_glass", "covid_films_lungs"):
        for item in load(name, shared_data):
            sides.setdefault(item.group, set()).add(item.group in held[name])
    assert all(len(side) == 1 for side in sides.values())


@pytest.mark.shared
def test_normal_films_show_nothing(shared_data) -> None:
    from napari_covidseg.training.sources import load

    films = load("shenzhen_healthy", shared_data)
    assert len(films) == 222
    assert all(film.name.endswith("_0") and not film.labels.any() for film in films)
    assert all(0.05 < film.lung_pixels / film.picture.size < 0.6 for film in films)


HEALTHY = '[[data]]\nkind = "pairs"\npath = "clinic_healthy"\nlabels = { 255 = "ground glass" }\n'


@pytest.fixture
def clinic(tmp_path, monkeypatch) -> SimpleNamespace:
    """A model that held out one film of three and draws what is there."""
    films(tmp_path / "clinic_healthy", ["a", "b", "c"])
    write_recipe(tmp_path, HEALTHY)
    held_out.write({"clinic_healthy": frozenset({alias("a")})}, tmp_path)
    marked = (square() > 0).astype(np.uint8)
    answer = Outcome((Segmentation(marked, OPACITY, ModelRef("m", "1.0.0"), 0.5, 1.0),))
    monkeypatch.setattr(evaluate, "run", lambda *_, **__: answer)
    return SimpleNamespace(
        folder=tmp_path,
        reference="m@1.0.0",
        modality=Modality.XR,
        spec=SimpleNamespace(model_extra={"split": held_out.FILE}),
    )


def test_a_set_of_ones_own_has_masks_whatever_it_is_called(clinic) -> None:
    (found,) = evaluate.find_all(clinic, clinic.folder)
    assert not found.shares
    assert [pair.dice for _, pair in found.counts["any"]] == [1]


def measured(clinic: SimpleNamespace, content: dict) -> list[str]:
    """Lines that are logged when the films are measured by another split."""
    split, lines = clinic.folder / "mine.json", []
    split.write_text(json.dumps(content))
    evaluate.evaluate_model(clinic, clinic.folder, split=str(split), log=lines.append)
    return lines


def test_it_is_told_if_another_split_holds_out_what_was_learnt_from(clinic) -> None:
    every = {"clinic_healthy": ["a", "b", "c"]}
    assert "m@1.0.0 does not say which cases it has learnt from" in measured(clinic, every)[-1]
    learnt = {"clinic_healthy": frozenset({alias("b"), alias("c"), alias("of before")})}
    held_out.write(
        held_out.Division({"clinic_healthy": frozenset({alias("a")})}, learnt), clinic.folder
    )
    said = "m@1.0.0 has learnt from 2 of the 3 groups (patients) that this split holds out"
    assert measured(clinic, every)[-1].startswith(said)
    assert not any("learnt from" in line for line in measured(clinic, {"clinic_healthy": ["a"]}))


def test_a_model_of_a_shipped_split_has_learnt_from_all_else(tmp_path) -> None:
    write_recipe(tmp_path, '[[data]]\nset = "films_ground_glass"\n', more='split = "xray"')
    info = SimpleNamespace(folder=tmp_path, spec=SimpleNamespace(model_extra={"split": "xray"}))
    held = read_split("xray")["films_ground_glass"]
    groups = {"films_ground_glass": held | {"another"}}
    assert held_out.learnt_by(info, groups) == {"another"}


@pytest.mark.parametrize("content", [{"clinics": ["a"]}, {"clinic_healthy": ["nobody"]}, {}])
def test_a_split_that_holds_none_of_the_cases_out_is_said(clinic, content) -> None:
    said = r"Split mine\.json holds out no case that m@1\.0\.0 .*names groups of clinic_healthy"
    with pytest.raises(CovidsegError, match=said):
        measured(clinic, content)


@pytest.mark.parametrize("steered", [False, True])
def test_it_is_told_that_held_out_cases_steered_the_training(
    tmp_path, monkeypatch, steered
) -> None:
    monkeypatch.setattr(evaluate, "find_all", lambda *_, **__: iter(()))
    info, lines = SimpleNamespace(spec=SimpleNamespace(model_extra={"steered": steered})), []
    evaluate.evaluate_model(info, tmp_path, log=lines.append)
    assert lines == ([steering.STEERED] if steered else [])
