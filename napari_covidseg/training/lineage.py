"""The models that a recipe starts from: what they learnt from, and whom they kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_covidseg.inference.registry import ModelInfo, find
from napari_covidseg.training import held_out, imagenet
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
    """Raise if a model that a recipe starts from has learnt from cases that it keeps apart.

    Raises
    ------
    RecipeError
        If they share a data set, but not its split, or not the patients kept for calibration.
    """
    path = info.folder / RECIPE
    if recipe.split is None or not path.is_file():
        return  # a user's own cases are divided by what the model has written of them
    other = load_recipe(path)
    shared = _shared(recipe) & _shared(other)
    if not shared:
        return
    trained = held_out.trained_with(info, other)
    mine = held_out.named(recipe.split, Path())
    theirs = mine if trained == recipe.split else held_out.named(trained, info.folder)
    for name in sorted(shared):
        if mine.get(name) != theirs.get(name):
            raise RecipeError(
                f"{info.name} held out other cases of {name} than {recipe.name} does, and may have "
                "learnt from those: train it anew, with the same split."
            )
    kept = (other.calibration, other.seed)
    both = recipe.calibration and other.task == recipe.task
    if both and kept != (recipe.calibration, recipe.seed):
        raise RecipeError(
            f"{info.name} may have learnt from patients that {recipe.name} is calibrated on: give "
            "both recipes the same calibration and seed."
        )


def _shared(recipe: Recipe) -> set[str]:
    return {spec.set for spec in recipe.data if isinstance(spec, SharedSet)}
