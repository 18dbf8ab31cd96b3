import re
from pathlib import Path

import pytest

from napari_covidseg.inference.registry import shipped_folder
from napari_covidseg.training.recipe import RecipeError, load_recipe

RECIPES = sorted(shipped_folder().glob("*/recipe.toml")) + sorted(
    Path(__file__).parents[2].glob("napari_covidseg/training/recipes/*.toml")
)
GOOD = Path(__file__).with_name("lungs.toml").read_text()


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_recipe_that_ships_is_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name in (path.parent.name, path.stem)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('split = "ct"', 'spilt = "ct"', "spilt"),
        ("batch = 8", "batch = -8", "training.batch"),
        ("learning_rate = 1e-3", "learning_rate = 0", "training.learning_rate"),
        ('architecture = "unet"', 'architecture = "unit"', "architecture must be one of"),
        ('scheme = "lungs"', 'scheme = "lung"', "scheme must be one of"),
        ('role = "lungs"', 'role = "classification"', "a segmentation cannot have the role"),
        ("size = 192", "size = 100", "input.size"),
        ("size = 192", "size = 192\nlungs = true", 'needs frame = "lungs"'),
        ("[training]", "[head]\n[training]", "either"),
        ('name = "ct-lungs"', 'name = "../ct"', "name"),
        ("[training]", "[training", "not valid TOML"),
        ("base = 16", "bass = 16", "bass is not one of channels, classes, base"),
        ("depth = 4", "depth = 6", "input.size must be a multiple of 128 for this network"),
        ("stem = 2 }", 'stem = 2 }\nstart_from = "imagenet"', "begin with MobileNetV2"),
        (
            'scheme = "lungs"',
            'scheme = "lungs"\ncolours = { heart = "#ff0000" }',
            "'heart' is not a",
        ),
        ('scheme = "lungs"', 'scheme = "lungs"\nmetrics = ["f2"]', "metrics"),
        ("[training]", '[training]\noptimizer = "adam"', "training.optimizer"),
    ],
)
def test_a_wrong_recipe_names_the_fault(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(RecipeError, match=said):
        load_recipe(path)


def test_something_must_be_learnt_from(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(re.sub(r"share = [\d.]+", "share = 0", GOOD))
    with pytest.raises(RecipeError, match="share is 0 in all data"):
        load_recipe(path)


def test_a_missing_recipe_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_older_recipes_weigh_dice_in_training(tmp_path: Path) -> None:
    older = "batch = 8\ndice_weight = 2.0\nclass_dice = 0.3\npicture_dice = 0.4"
    recipe = load_recipe(changed(tmp_path, ("batch = 8", older)))
    assert recipe.loss is not None and list(recipe.loss.terms) == ["cross_entropy", "dice"]
    dice = recipe.loss.dice
    assert dice is not None
    assert (dice.weight, dice.class_weight, dice.picture_share) == (2.0, 0.3, 0.4)


def test_a_loss_is_a_sum_of_named_terms(tmp_path: Path) -> None:
    table = "[loss]\nfocal = 0.5\ntversky = { weight = 2, beta = 0.8 }\n[training]"
    recipe = load_recipe(changed(tmp_path, ("[training]", table)))
    assert recipe.loss is not None
    assert {name: term.weight for name, term in recipe.loss.terms.items()} == {
        "focal": 0.5,
        "tversky": 2.0,
    }
    assert recipe.loss.tversky is not None and recipe.loss.tversky.beta == 0.8


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[loss]\nlovasz = 1", "unknown loss 'lovasz'.*known are cross_entropy, focal, dice, tver"),
        ("[loss]\nbinary_cross_entropy = 1", "unknown loss 'binary_cross_entropy' for a segment"),
        ("[loss]", "needs a term"),
        ("[loss]\ndice = 0", "loss.dice.weight"),
        ("[loss]\nfocal = { gama = 2 }", "loss.focal.gama"),
        ("[loss]\nfocal = 1\n[training]\nclass_dice = 1", "training.class_dice"),
        ('[training]\nmonitor = "val_auc"', "monitor must be one of loss, val_loss, val_dice,"),
        ('[training]\nmonitor = "learning_rate"', "monitor must be one of"),
        ('[training]\nschedule = "step"', "training.schedule"),
        ("[training]\nplateau = { factor = 0.5 }", 'plateau needs schedule = "plateau"'),
        ("[training]\nearly_stopping = { patience = 0 }", "early_stopping.patience"),
        ('[training]\nprecision = "half"', "training.precision"),
    ],
)
def test_a_wrong_loss_or_schedule_names_the_fault(tmp_path: Path, table: str, said: str) -> None:
    new = table if "[training]" in table else f"{table}\n[training]"
    with pytest.raises(RecipeError, match=said):
        load_recipe(changed(tmp_path, ("[training]", new)))


def test_a_classification_has_losses_of_its_own(tmp_path: Path) -> None:
    yes_or_no = (
        ('task = "segmentation"', 'task = "classification"\nfinding = "COVID-19"'),
        ('role = "lungs"', 'role = "classification"'),
        ('scheme = "lungs"', ""),
    )
    recipe = load_recipe(changed(tmp_path, *yes_or_no))
    assert recipe.loss is not None and list(recipe.loss.terms) == ["binary_cross_entropy"]
    assert recipe.monitor == "val_auc"
    dice = ("[training]", "[loss]\ndice = 1\n[training]")
    with pytest.raises(RecipeError, match="known are binary_cross_entropy, focal"):
        load_recipe(changed(tmp_path, *yes_or_no, dice))


def test_steps_and_split_are_replaced_and_all_else_stays() -> None:
    recipe = load_recipe(Path(__file__).with_name("lungs.toml"))
    short = recipe.with_schedule(7).with_split("ct-folds:1")
    assert short.training is not None and recipe.training is not None
    assert (short.training.steps, short.split) == (7, "ct-folds:1")
    assert short.training.batch == recipe.training.batch
    assert short.with_schedule(recipe.training.steps).with_split(recipe.split) == recipe
    assert recipe.with_schedule(None).with_split(None) == recipe


@pytest.mark.parametrize(
    ("line", "steered"),
    [("", False), ("early_stopping = {}\n", True), ('schedule = "plateau"\n', True)],
)
def test_a_recipe_tells_whether_validation_steers_it(
    tmp_path: Path, line: str, steered: bool
) -> None:
    recipe = load_recipe(changed(tmp_path, ("[training]\n", f"[training]\n{line}")))
    assert recipe.steered is steered


def test_colours_are_of_the_pictures_and_not_of_the_weights(tmp_path: Path) -> None:
    plain = load_recipe(changed(tmp_path))
    other = load_recipe(
        changed(
            tmp_path,
            ('scheme = "lungs"', 'scheme = "lungs"\ncolours = { "left lung" = "#ff0000" }'),
        )
    )
    assert plain.labels is not None and other.labels is not None
    assert plain.digest == other.digest
    assert other.labels.colours == {**plain.labels.colours, 2: "#ff0000"}
    more = load_recipe(
        changed(tmp_path, ('scheme = "lungs"', 'scheme = "lungs"\nmetrics = ["iou"]'))
    )
    assert more.history == (*plain.history, "val_iou") and more.digest != plain.digest
