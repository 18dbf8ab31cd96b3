"""The models that a recipe starts from: their data sets, and whom they are calibrated on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_covidseg.inference.registry import ModelInfo, find
from napari_covidseg.training import imagenet
from napari_covidseg.training.data_spec import SharedSet
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe

RECIPE = "recipe.toml"

IMAGENET = (imagenet.NAME, imagenet.KERAS)
"""What a recipe starts from that is no model of ours; called so in ``data_sets.toml`` too."""


def started_from(recipe: Recipe, places: Sequence[Path]) -> Iterator[ModelInfo]:
    """Find the models that a recipe starts from, in `places` before those that ship."""
    for name in recipe.network.start_from:
        if name not in IMAGENET:
            yield find(name, places)


def learnt_from(recipe: Recipe, places: Sequence[Path]) -> list[str]:
    """Give the data sets that a recipe learns from, and then those of what it starts from.

    ImageNet is the last of them, where this recipe or an earlier one starts from its weights.
    The new weights carry the terms of all.
    """
    own = [spec.set for spec in recipe.data if spec.share]
    before = [one.name for info in started_from(recipe, places) for one in info.spec.training_data]
    weights = [name for name in recipe.network.start_from if name in IMAGENET]
    found = dict.fromkeys([*own, *before, *weights])
    return sorted(found, key=lambda name: name in IMAGENET)


def require_kept_apart(recipe: Recipe, info: ModelInfo) -> None:
    """Raise if a model to start from may know the patients that a recipe is calibrated on.

    That it does not know those who are held out is asked where these are chosen, see ``held_out``.

    Raises
    ------
    RecipeError
        If both classify a data set, but keep other patients of it apart for calibration.
    """
    path = info.folder / RECIPE
    if not recipe.calibration or not path.is_file():
        return
    other = load_recipe(path)
    alike = other.task == recipe.task and _shared(recipe) & _shared(other)
    if alike and (other.calibration, other.seed) != (recipe.calibration, recipe.seed):
        raise RecipeError(
            f"{info.name} may have learnt from patients that {recipe.name} is calibrated on: give "
            "both recipes the same calibration and seed."
        )


def _shared(recipe: Recipe) -> set[str]:
    return {spec.set for spec in recipe.data if isinstance(spec, SharedSet)}
