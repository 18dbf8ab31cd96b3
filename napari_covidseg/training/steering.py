"""Whether held-out cases steered a training: then figures on them are not held out."""

from __future__ import annotations

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.training.recipe import Recipe, RecipeError

STEERED = (
    "The held-out cases steered the training (when it ended, or its learning rate): figures on "
    "them are too good. Measure on cases that had no part in it."
)


def require_unsteered(recipe: Recipe) -> None:
    """Raise if what is held out would steer the training, and so not be held out.

    Raises
    ------
    RecipeError
        If so.
    """
    if recipe.steered:
        raise RecipeError(
            f"Recipe {recipe.name} ends its training, or lowers its rate, by what is held out "
            "(early_stopping, plateau): its figures would be too good. Measure it with fixed "
            'steps and schedule = "cosine".'
        )


def was_steered(info: ModelInfo) -> bool:
    """Whether a model's training was steered by its held-out cases, as its ``model.json`` says."""
    return bool((info.spec.model_extra or {}).get("steered", False))
