"""Which groups are held out: as named, as a user says, or from the seed."""

import json
from pathlib import Path

import numpy as np
import pytest
from own_data import recipe as write_recipe

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import held_out
from napari_covidseg.training.recipe import RecipeError, load_recipe
from napari_covidseg.training.sources import Item
from napari_covidseg.training.sources.own import alias

TABLE = '[[data]]\nkind = "pairs"\npath = "films"\n'


def sets(groups: list[str]) -> dict[str, list[Item]]:
    blank = np.zeros((8, 8), np.uint8)
    return {
        "films": [
            Item("films", alias(g), g, blank, blank, Window(0, 1), whole_frame((8, 8)))
            for g in groups
        ]
    }


GROUPS = [f"p{k}" for k in range(10)]


def test_a_division_is_by_group_and_follows_the_seed() -> None:
    held = held_out.divide(GROUPS, 0.2, seed=0)
    assert len(held) == 2
    assert held == held_out.divide(GROUPS[::-1], 0.2, seed=0)
    assert len({held_out.divide(GROUPS, 0.2, seed=k) for k in range(5)}) > 1


@pytest.mark.parametrize(("count", "held"), [(0, 0), (1, 0), (2, 1), (3, 1), (20, 4)])
def test_a_division_leaves_something_on_either_side(count: int, held: int) -> None:
    assert len(held_out.divide([str(k) for k in range(count)], 0.2, seed=0)) == held
    assert len(held_out.divide([str(k) for k in range(count)], 0.99, seed=0)) == max(0, count - 1)


def test_without_a_split_the_seed_divides_and_what_is_written_counts(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, TABLE))
    split = held_out.split_of(recipe, sets(GROUPS), None)
    assert len(split["films"]) == 2
    held_out.write(split, tmp_path / "run")
    more = sets([f"q{k}" for k in range(90)] + GROUPS)
    assert held_out.split_of(recipe, more, None) != split
    assert held_out.split_of(recipe, more, tmp_path / "run") == split
    assert held_out.named("split.json", tmp_path / "run")["films"] >= split["films"]


def test_a_split_beside_the_recipe_names_groups_as_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps({"films": ["p3", alias("p4")], "x": ["y"]}))
    recipe = load_recipe(write_recipe(tmp_path, TABLE, more='split = "mine.json"'))
    split = held_out.split_of(recipe, sets(GROUPS), None)
    assert split == {"films": {alias("p3"), alias("p4")}}
    held_out.write(split, tmp_path / "run")
    assert "p3" not in (tmp_path / "run" / "split.json").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"films": ["p99"]}', "has no group 'p99'"),
        ('["p1"]', "must be a JSON object"),
        ('{"films": "p1"}', "must be a JSON object"),
        ("{", "must be a JSON object"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_split_is_said(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "mine.json").write_text(content)
    recipe = load_recipe(write_recipe(tmp_path, TABLE, more='split = "mine.json"'))
    with pytest.raises(CovidsegError, match=said):
        held_out.split_of(recipe, sets(GROUPS), None)


def test_an_own_set_that_a_shipped_split_does_not_name_is_divided(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, TABLE, more='split = "xray"'))
    assert len(held_out.split_of(recipe, sets(GROUPS), None)["films"]) == 2


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ('[[data]]\nkind = "pears"\npath = "a"\n', "kind must be one of pairs, nifti"),
        ('[[data]]\nkind = "pairs"\n', "pairs.path: Field required"),
        ('[[data]]\npath = "films"\n', "data.0.set"),
        (TABLE + 'mask = "x"\n', "pairs.mask: Extra"),
        (TABLE + 'groups = "p[0-9]+"\n', "in parentheses"),
        (TABLE + 'groups = "(p"\n', "no regular expression"),
        (TABLE + "labels = { 300 = 'ground glass' }\n", "less than or equal to 255"),
        (TABLE + TABLE, "two data sets are called 'films'"),
        (TABLE + "fixes = ['all']\n", "fixes"),
    ],
)
def test_a_wrong_table_names_the_fault(tmp_path: Path, tables: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(write_recipe(tmp_path, tables))
