"""Stages of a recipe: the recipes of the models that it starts from, one after the other.

A stage that was trained on all cases has seen what a later one holds out, so whoever holds
cases out anew has to train the stages anew too.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from napari_covidseg.study import CovidsegError
from napari_covidseg.training import imagenet
from napari_covidseg.training.recipe import load_recipe


def stages(recipe_path: Path, *, shipped: bool = True) -> list[Path]:
    """Give the recipes of the models that a recipe starts from, the earliest first.

    Parameters
    ----------
    recipe_path : Path
    shipped : bool
        Whether models that ship count, with their own stages; without them these are the
        recipes to run first.

    Raises
    ------
    CovidsegError
        If one of them is neither in ``training/recipes`` nor a model that ships.
    """
    found: list[Path] = []
    for name in load_recipe(recipe_path).network.start_from:
        if name in (imagenet.NAME, imagenet.KERAS):
            continue
        package = Path(str(resources.files("napari_covidseg")))
        places = (
            package / "training" / "recipes" / f"{name}.toml",
            package / "models" / name / "recipe.toml",
        )
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise CovidsegError(f"There is no recipe of {name!r}, which {recipe_path} starts from.")
        if shipped or path == places[0]:
            found += [p for p in [*stages(path, shipped=shipped), path] if p not in found]
    return found


def same_sets(recipe_path: Path) -> list[Path]:
    """Give a recipe, last, after those of its stages that are trained on a set of its own.

    Raises
    ------
    CovidsegError
        As `stages`.
    """
    own = _sets(recipe_path)
    return [*(path for path in stages(recipe_path) if own & _sets(path)), recipe_path]


def _sets(recipe_path: Path) -> set[str]:
    return {spec.set for spec in load_recipe(recipe_path).data}
