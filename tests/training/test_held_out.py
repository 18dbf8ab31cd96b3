"""Which groups are held out: as named, as a user says, or from the seed."""

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from own_data import recipe as write_recipe

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.registry import find, read_model
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import held_out, train
from napari_covidseg.training.dataset import read_split
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe
from napari_covidseg.training.sources import LOADERS, Item
from napari_covidseg.training.sources.own import alias
from napari_covidseg.training.stages import stages

TABLE = '[[data]]\nkind = "pairs"\npath = "films"\n'


def sets(groups: list[str], name: str = "films") -> dict[str, list[Item]]:
    blank = np.zeros((8, 8), np.uint8)
    return {
        name: [
            Item(name, alias(g), g, blank, blank, Window(0, 1), whole_frame((8, 8))) for g in groups
        ]
    }


GROUPS = [f"p{k}" for k in range(10)]

Installed = Callable[..., None]


@pytest.fixture
def installed(own_models: Path) -> Installed:
    """Put a model among the user's own, as a run with this split left it."""
    facts = (find("xray-ggo").folder / "model.json").read_text()

    def put(version: str, split: held_out.Split | None, recipe: Path | None = None) -> None:
        folder = own_models / f"mine-{version}"
        folder.mkdir(parents=True)
        card = {**json.loads(facts), "name": "mine", "version": version}
        (folder / "model.json").write_text(json.dumps(card))
        if split is not None:
            held_out.write(split, folder)
        if recipe is not None:
            shutil.copy(recipe, folder / "recipe.toml")

    return put


def after(recipe: Recipe, *bases: str) -> Recipe:
    """The recipe, starting from other models."""
    network = recipe.network.model_copy(update={"start_from": bases})
    return recipe.model_copy(update={"network": network})


def aliases(groups: list[str]) -> set[str]:
    return {alias(group) for group in groups}


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


@pytest.mark.parametrize("seed", range(5))
def test_a_division_keeps_to_what_was_held_out_and_learnt_from(seed: int) -> None:
    held, learnt = held_out.divide(GROUPS, 0.2, seed), frozenset(GROUPS[:6])
    more = [f"q{k}" for k in range(10)]
    later = held_out.divide(GROUPS + more, 0.2, seed, held=held, learnt=learnt)
    assert held - learnt <= later
    assert not later & learnt
    assert len(later) == 4
    assert held_out.divide(GROUPS, 0.2, seed, learnt=GROUPS) == frozenset()
    assert held_out.divide(GROUPS, 0.2, seed, held=GROUPS[:5]) == frozenset(GROUPS[:5])


def test_no_round_of_training_is_measured_on_what_another_learnt_from(
    tmp_path: Path, installed: Installed
) -> None:
    recipe = load_recipe(write_recipe(tmp_path, TABLE, more="validation = 0.25"))
    learnt: set[str] = set()
    held: set[str] = set()
    rounds = [8, 12, 14, 15, 24, 60]
    for k, count in enumerate(rounds):
        there = [f"c{n}" for n in range(count)]
        split = held_out.split_of(after(recipe, f"mine@1.{k}.0"), sets(there), None)
        assert held <= split["films"]
        assert not split["films"] & learnt
        assert len(split["films"]) == round(0.25 * count)
        held, learnt = set(split["films"]), learnt | (aliases(there) - split["films"])
        installed(f"1.{k + 1}.0", split)
    # Older rounds need not be there any more, and a set may be called otherwise.
    installed("2.0.0", held_out.split_of(after(recipe, "mine@1.6.0"), sets(["new"], "more"), None))
    split = held_out.split_of(after(recipe, "mine@2.0.0"), sets(["c1", "new", *GROUPS]), None)
    assert not split["films"] & learnt


def test_a_run_that_goes_on_says_what_it_learns_from(tmp_path: Path, installed: Installed) -> None:
    recipe = after(load_recipe(write_recipe(tmp_path, TABLE)), "mine")
    first = held_out.split_of(recipe, sets(GROUPS), None)
    installed("1.0.0", first)
    run = tmp_path / "run"
    held_out.write(held_out.split_of(recipe, sets([*GROUPS, "x"]), None), run)
    held_out.write(held_out.split_of(recipe, sets([*GROUPS, "x", "y"]), run), run)
    assert held_out.read(run / held_out.FILE) == first
    rest = aliases([*GROUPS, "x", "y"]) - first["films"]
    assert held_out.read(run / held_out.LEARNT) == {"films": rest}


def test_where_all_was_learnt_from_more_cases_are_asked_for(
    tmp_path: Path, installed: Installed
) -> None:
    recipe = load_recipe(write_recipe(tmp_path, TABLE))
    split = held_out.split_of(recipe, sets(GROUPS), None)
    installed("1.0.0", split)
    gone = [g for g in GROUPS if alias(g) not in split["films"]]
    with pytest.raises(CovidsegError, match=r"learnt from all 8 cases.*: save more cases"):
        held_out.split_of(after(recipe, "mine"), sets(gone), None)


def test_a_model_that_does_not_say_what_it_learnt_from_is_refused(
    tmp_path: Path, installed: Installed
) -> None:
    path = write_recipe(tmp_path, TABLE)
    recipe = load_recipe(path)
    installed("1.0.0", None, path)
    with pytest.raises(CovidsegError, match=r"mine@1\.0\.0 does not say .*: train it anew"):
        held_out.split_of(after(recipe, "mine@1.0.0"), sets(GROUPS), None)
    installed("1.1.0", None)  # from elsewhere
    known = after(recipe, "mine@1.1.0", "imagenet")
    assert held_out.split_of(known, sets(GROUPS), None) == held_out.split_of(
        recipe, sets(GROUPS), None
    )


def test_a_named_split_must_not_hold_out_what_was_learnt_from(
    tmp_path: Path, installed: Installed
) -> None:
    installed("1.0.0", held_out.Division({"films": frozenset()}, {"films": aliases(["p3"])}))
    (tmp_path / "mine.json").write_text(json.dumps({"films": ["p3", "p4"]}))
    recipe = load_recipe(write_recipe(tmp_path, TABLE, more='split = "mine.json"'))
    held_out.split_of(recipe, sets(GROUPS), None)
    with pytest.raises(CovidsegError, match="1 case of films that mine has learnt from: hold out"):
        held_out.split_of(after(recipe, "mine"), sets(GROUPS), None)


def test_a_shipped_model_has_learnt_from_what_its_split_does_not_hold_out(tmp_path: Path) -> None:
    table = '[[data]]\nset = "films_ground_glass"\n' + TABLE
    recipe = after(load_recipe(write_recipe(tmp_path, table)), "xray-ggo")
    held = sorted(read_split("xray")["films_ground_glass"])
    shared = [
        Item("films_ground_glass", g, g, *[np.zeros((8, 8), np.uint8)] * 2, Window(0, 1), frame)
        for frame in [whole_frame((8, 8))]
        for g in [*held, *(f"other{k}" for k in range(4 * len(held)))]
    ]
    split = held_out.split_of(recipe, {"films_ground_glass": shared, **sets(GROUPS)}, None)
    assert split["films_ground_glass"] == set(held)
    assert 0 < len(split["films"]) < len(GROUPS)


LISTED = {**held_out._listed("ct"), **held_out._listed("xray")}
"""All groups of all shared sets."""

SHIPPED = Path(str(resources.files("napari_covidseg")))
RECIPES = sorted([*SHIPPED.glob("training/recipes/*.toml"), *SHIPPED.glob("models/*/recipe.toml")])


def shared(recipe: Recipe) -> dict[str, list[SimpleNamespace]]:
    """Items of a recipe's shared sets, one of each group."""
    names = [spec.set for spec in recipe.data]
    return {name: [SimpleNamespace(set=name, group=g) for g in LISTED[name]] for name in names}


def divided(recipe: Recipe, *places: Path) -> held_out.Division:
    return held_out.split_of(recipe, shared(recipe), None, places)


def names_of(groups: held_out.Split) -> frozenset[str]:
    return frozenset().union(*groups.values())


def test_the_groups_of_every_shared_set_are_known() -> None:
    assert LISTED.keys() == LOADERS.keys()


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_what_ships_holds_out_none_that_was_learnt_from(path: Path) -> None:
    division = divided(load_recipe(path))
    assert division and not names_of(division) & names_of(division.learnt)


@pytest.mark.parametrize("written", [True, False])
def test_a_fold_may_start_from_its_own_stages(tmp_path: Path, written: bool) -> None:
    last = SHIPPED / "models" / "xray-tb" / "recipe.toml"
    for path in [*stages(last), last]:
        recipe = load_recipe(path).with_split("xray-folds:1")
        division = divided(recipe, tmp_path)
        assert not names_of(division) & names_of(division.learnt)
        folder = made(tmp_path, path, split=recipe.split)
        if written:
            held_out.write_learnt(recipe, [tmp_path], folder)
            assert held_out.read(folder / held_out.LEARNT) == division.learnt
    for split, known in (("xray-folds:1", 0), ("xray-folds:0", 82)):
        asked = {"shenzhen_tb": read_split(split)["shenzhen_tb"]}
        assert len(held_out.learnt_by(read_model(folder), asked)) == known


def made(folder: Path, path: Path, **facts: object) -> Path:
    """A folder as a training with this recipe leaves it."""
    recipe = load_recipe(path)
    into = folder / recipe.name
    into.mkdir()
    shutil.copy(path, into / "recipe.toml")
    card = json.loads((find("xray-ggo").folder / "model.json").read_text())
    card |= {"name": recipe.name, "version": recipe.version, **facts}
    (into / "model.json").write_text(json.dumps(card))
    return into


@pytest.fixture
def xray_tb() -> Recipe:
    return load_recipe(SHIPPED / "models" / "xray-tb" / "recipe.toml")


@pytest.mark.parametrize(
    ("base", "known"),
    [
        ("xray-infection", 92),  # through the networks before it, that learnt to draw lungs
        ("xray-lungs", 92),
        ("ct-covid", 0),
    ],
)
def test_a_patient_is_known_whatever_the_set_was_called(
    tmp_path: Path, xray_tb: Recipe, base: str, known: int
) -> None:
    held = read_split("xray-folds:1")["shenzhen_tb"]
    (tmp_path / "mine.json").write_text(json.dumps({"shenzhen_tb": sorted(held)}))
    for split in ("xray-folds:1", str(tmp_path / "mine.json")):
        recipe = after(xray_tb, base).with_split(split)
        if not known:
            assert divided(recipe)["shenzhen_tb"] == held
            continue
        said = f"The split holds out {known} cases of shenzhen_tb that {base} has learnt from"
        with pytest.raises(CovidsegError, match=said):
            divided(recipe)


@pytest.mark.parametrize("count", [82, 1])
def test_a_file_may_hold_out_what_the_base_held_out_or_less(
    tmp_path: Path, xray_tb: Recipe, count: int
) -> None:
    held = sorted(read_split("xray")["shenzhen_tb"])[:count]
    (tmp_path / "mine.json").write_text(json.dumps({"shenzhen_tb": held}))
    recipe = after(xray_tb, "xray-infection").with_split(str(tmp_path / "mine.json"))
    division = divided(recipe)
    assert division == {"shenzhen_tb": frozenset(held)}
    assert names_of(division.learnt) > LISTED["shenzhen_tb"] - set(held)


def test_what_a_stage_of_ones_own_learnt_from_stays_known(
    tmp_path: Path, installed: Installed, xray_tb: Recipe
) -> None:
    known = sorted(read_split("xray")["shenzhen_tb"])[:3]
    installed("1.0.0", held_out.Division({}, {"films": frozenset(known)}))
    path = tmp_path / "between.toml"
    path.write_text(
        (SHIPPED / "models" / "xray-ggo" / "recipe.toml")
        .read_text()
        .replace('start_from = "xray-infection"', 'start_from = "mine"')
        .replace('name = "xray-ggo"', 'name = "between"')
    )
    folder = made(tmp_path, path, split="xray")
    later = after(xray_tb, "between")
    with pytest.raises(CovidsegError, match=r"between@2\.2\.0 does not say which cases"):
        divided(later, tmp_path)
    held_out.write_learnt(load_recipe(path), [], folder)
    with pytest.raises(CovidsegError, match="3 cases of shenzhen_tb that between has learnt from"):
        divided(later, tmp_path)


def test_items_that_no_split_divides_are_unseen_by_the_base_too(
    installed: Installed, xray_tb: Recipe
) -> None:
    installed("1.0.0", held_out.Division({}, {"more": frozenset({"a/1"})}))
    one, other = ([SimpleNamespace(set="shenzhen_tb", group=f"{k}/1")] for k in "ab")
    division = held_out.of_sides(after(xray_tb, "mine"), one, other, [])
    assert division == {"shenzhen_tb": {"b/1"}}
    assert division.learnt == {"more": {"a/1"}, "shenzhen_tb": {"a/1"}}
    with pytest.raises(CovidsegError, match="1 case of shenzhen_tb that mine has learnt from"):
        held_out.of_sides(after(xray_tb, "mine"), other, one, [])


def test_a_model_of_a_split_that_ships_says_what_it_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "save_weights", lambda _, path: path.write_bytes(b""))
    path = SHIPPED / "models" / "xray-ggo" / "recipe.toml"
    model = SimpleNamespace(count_params=lambda: 1)
    train.write_model(model, load_recipe(path), path, [], tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["split"] == "xray"
    learnt = held_out.read(tmp_path / held_out.LEARNT)
    sets = ("covid_films_lungs", "covid_films_opacity", "shenzhen_lungs", "shenzhen_healthy")
    assert learnt.keys() == {"films_ground_glass", *sets}
    held = read_split("xray")
    assert all(groups == LISTED[name] - held[name] for name, groups in learnt.items())


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
