"""Put trained classifiers together to one network that adds up their logits.

Nothing is learnt here but the temperature of the sum. It is fitted on training patients that
no member learnt from, so all members have to keep the same ones apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_covidseg import nets
from napari_covidseg.inference.network import load_network
from napari_covidseg.inference.registry import ModelInfo, find
from napari_covidseg.nets import ensemble
from napari_covidseg.training import lineage
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe


def start(recipe: Recipe, places: Sequence[Path]) -> Any:
    """Build the network and fill it with the members' weights.

    Parameters
    ----------
    recipe : Recipe
        With ``[ensemble]``; its ``network.start_from`` names the members.
    places : sequence of Path
        Folders to look for them in, before those that ship.

    Raises
    ------
    CovidsegError
        If a member is missing or damaged, or does not go with the recipe.
    """
    members = [find(name, places) for name in recipe.network.start_from]
    for info in members:
        _require_same(recipe, info)
    model = nets.build(recipe.network.architecture, config(recipe, places))
    for k, info in enumerate(members):
        ensemble.fill(model, k, load_network(info))
    return model


def config(recipe: Recipe, places: Sequence[Path]) -> dict[str, Any]:
    """Give the network's config: each member's, and what its logits are multiplied by.

    That is the member's share of the sum of all shares, over its temperature.
    """
    assert recipe.ensemble is not None
    total = sum(recipe.ensemble.shares)
    members = []
    for name, share in zip(recipe.network.start_from, recipe.ensemble.shares, strict=True):
        spec = find(name, places).spec
        part = share / total / spec.temperature
        members.append(
            {"architecture": spec.architecture, "config": dict(spec.config), "share": part}
        )
    return {"channels": recipe.input.channels, "members": members}


def mirrored(recipe: Recipe, places: Sequence[Path]) -> bool:
    """Whether all members learnt from mirrored pictures too."""
    return all(find(name, places).spec.mirrored for name in recipe.network.start_from)


def _require_same(recipe: Recipe, info: ModelInfo) -> None:
    """Raise where a member is shown other pictures, or answers another question."""
    other = load_recipe(info.folder / lineage.RECIPE)
    shown, theirs = recipe.input, other.input
    if theirs.model_copy(update={"lungs": shown.lungs}) != shown or theirs.lungs > shown.lungs:
        raise RecipeError(
            f"{info.name} is shown other pictures than {recipe.name}: give both recipes the same "
            "[input]; only lungs = true may be the ensemble's alone."
        )
    if (other.data, other.finding) != (recipe.data, recipe.finding):
        raise RecipeError(
            f"{info.name} learnt from other data than {recipe.name} names, or for another finding: "
            "give both recipes the same data and finding."
        )
