from pathlib import Path

import pytest

from napari_covidseg.inference.registry import shipped_folder
from napari_covidseg.training.recipe import RecipeError, load_recipe

RECIPES = sorted(shipped_folder().glob("*/recipe.toml")) + sorted(
    Path(__file__).parents[2].glob("napari_covidseg/training/recipes/*.toml")
)
GOOD = (shipped_folder() / "ct-lungs" / "recipe.toml").read_text()


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
        ("size = 192", "size = 100", "input.size"),
        ("size = 192", "size = 192\nlungs = true", 'needs frame = "lungs"'),
        ("[training]", "[head]\n[training]", "either"),
        ('name = "ct-lungs"', 'name = "../ct"', "name"),
        ("[training]", "[training", "not valid TOML"),
    ],
)
def test_a_wrong_recipe_names_the_fault(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(RecipeError, match=said):
        load_recipe(path)


def test_a_missing_recipe_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
