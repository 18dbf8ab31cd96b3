"""Data are looked at before anything is trained; a leak stops the run."""

from pathlib import Path

import numpy as np
import pytest
from own_data import films, picture, save, square
from own_data import recipe as write_recipe

from napari_covidseg.inference.registry import shipped_folder
from napari_covidseg.training import checks, held_out, train
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.sources.own import alias

NAMES = [f"p{k}_{side}" for k in range(5) for side in "ab"]
TABLE = """
[[data]]
kind = "pairs"
path = "{path}"
groups = "^(p[0-9]+)_"
labels = {{ 255 = "ground glass" }}
"""


def gather(folder: Path, *paths: str, more: str = ""):
    tables = "".join(TABLE.format(path=path) for path in paths or ("films",))
    return checks.gather(load_recipe(write_recipe(folder, tables, more=more)), folder)


def words(found: checks.Gathered, kind: str) -> str:
    return " ".join(f.words for f in found.findings if f.kind == kind)


def test_good_data_are_counted_and_pass(tmp_path: Path) -> None:
    films(tmp_path / "films", NAMES)
    found = gather(tmp_path)
    found.require()
    assert "8 pictures of 4 patients for training, 2 pictures of 1 patient for valid" in words(
        found, "fact"
    )
    assert words(found, "leak") == words(found, "fault") == ""


def test_a_copy_across_the_split_stops_and_is_named_by_alias(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    (held,) = gather(tmp_path).split["films"]
    inside = next(n for n in NAMES if alias(n[:2]) == held)
    outside = next(n for n in NAMES if alias(n[:2]) != held)
    twin = picture(NAMES.index(inside), 128)  # another size, darker
    save((twin * 0.8).astype(np.uint8), folder / "images" / f"{outside}.png")
    save(square(128), folder / "masks" / f"{outside}.png")
    found = gather(tmp_path)
    with pytest.raises(checks.DataError, match="Leak: 1 of 2 validation pictures is nearly"):
        found.require()
    said = words(found, "leak")
    assert f"films/{alias(outside)} and films/{alias(inside)}" in said
    assert "p0" not in said
    allowed = gather(tmp_path, more="allow_duplicates = true")
    allowed.require()
    assert "1 of 2 validation pictures is nearly" in words(allowed, "warning")


def test_alike_pictures_on_one_side_are_fine(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    for k, name in enumerate(NAMES):  # both pictures of a patient are the same
        save(picture(k // 2), folder / "images" / f"{name}.png")
    gather(tmp_path).require()


def test_a_set_without_a_share_is_measured_and_not_learnt_from(tmp_path: Path) -> None:
    films(tmp_path / "films", NAMES)
    folder = films(tmp_path / "more", NAMES)
    for k, name in enumerate(NAMES):
        save(picture(100 + k), folder / "images" / f"{name}.png")
    tables = TABLE.format(path="films") + TABLE.format(path="more") + "share = 0\n"
    found = checks.gather(load_recipe(write_recipe(tmp_path, tables)), tmp_path)
    found.require()
    assert "more: 0 pictures of 0 patients for training, 2 pictures" in words(found, "fact")
    assert {item.group for item in found.loaded["more"].items} == found.split["more"]
    assert len(found.loaded["films"].items) == len(NAMES)


def test_a_patient_of_two_sets_must_be_on_one_side(tmp_path: Path) -> None:
    films(tmp_path / "films", NAMES)
    folder = films(tmp_path / "more", NAMES)
    for k, name in enumerate(NAMES):
        save(picture(100 + k), folder / "images" / f"{name}.png")
    gather(tmp_path, "films", "more").require()  # a division from the seed is of both
    (tmp_path / "mine.json").write_text('{"films": ["p0"], "more": ["p1"]}')
    found = gather(tmp_path, "films", "more", more='split = "mine.json"')
    assert "2 patients are on both sides" in words(found, "leak")


def test_empty_masks_are_counted_and_all_empty_ones_stop(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    blank = np.zeros((64, 64), np.uint8)
    save(blank, folder / "masks" / f"{NAMES[0]}.png")
    assert "films: 1 of 10 masks are empty" in words(gather(tmp_path), "warning")
    for name in NAMES:
        save(blank, folder / "masks" / f"{name}.png")
    with pytest.raises(checks.DataError, match="All masks are empty"):
        gather(tmp_path).require()


def test_one_side_without_a_mask_is_told(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    (held,) = gather(tmp_path).split["films"]
    blank = np.zeros((64, 64), np.uint8)
    for name in (n for n in NAMES if alias(n[:2]) == held):
        save(blank, folder / "masks" / f"{name}.png")
    assert "All masks for validation are empty" in words(gather(tmp_path), "warning")


def test_one_case_is_too_few(tmp_path: Path) -> None:
    films(tmp_path / "films", ["p1_a", "p1_b"])
    with pytest.raises(checks.DataError, match="one case"):
        gather(tmp_path).require()


def test_an_empty_split_is_said(tmp_path: Path) -> None:
    films(tmp_path / "films", NAMES)
    (tmp_path / "mine.json").write_text('{"films": []}')
    with pytest.raises(checks.DataError, match="leaves no case"):
        gather(tmp_path, more='split = "mine.json"').require()


def test_files_without_patients_are_warned_of(tmp_path: Path) -> None:
    films(tmp_path / "films", ["a", "b", "c"])
    table = TABLE.replace('groups = "^(p[0-9]+)_"\n', "").format(path="films")
    found = checks.gather(load_recipe(write_recipe(tmp_path, table)), tmp_path)
    assert "each file counts as a patient of its own" in words(found, "warning")


def test_a_run_on_own_data_fixes_its_split_and_goes_on_with_it(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    path = write_recipe(tmp_path, TABLE.format(path="films"))
    said: list[str] = []
    model = train.run_recipe(path, tmp_path, tmp_path / "runs", log=said.append)
    split = held_out.read(model / held_out.FILE)
    assert len(split["films"]) == 1
    assert '"split": "split.json"' in (model / "model.json").read_text()
    assert not any("p0" in line for line in said)
    for k in range(20, 40):
        save(picture(k), folder / "images" / f"p{k}_a.png")
        save(square(), folder / "masks" / f"p{k}_a.png")
    recipe = load_recipe(path)
    train.load_items(recipe, tmp_path, tmp_path / "runs", said.append, resume=True)
    assert held_out.read(model / held_out.FILE) == split


def test_a_leak_stops_before_training(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", NAMES)
    for name in NAMES:
        save(picture(0), folder / "images" / f"{name}.png")
    path = write_recipe(tmp_path, TABLE.format(path="films"))
    with pytest.raises(checks.DataError, match="Leak: 2 of 2"):
        train.run_recipe(path, tmp_path, tmp_path / "runs", log=lambda _: None)
    assert not (tmp_path / "runs" / "own" / "history.csv").exists()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["xray-ggo", "xray-lungs", "ct-covid"])
def test_shipped_splits_hold_patients_and_look_alikes_apart(shared_data: Path, name: str) -> None:
    recipe = load_recipe(shipped_folder() / name / "recipe.toml")
    assert not recipe.allow_duplicates
    checks.gather(recipe, shared_data).require()
