"""Which groups (patients) of each data set are held out for validation.

A recipe names a split that ships, or a JSON file of the user's; data that neither names are
divided by group from the seed. What was held out is written into the run's folder, so that
it stays fixed when the run goes on, and the model is measured on the same cases.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import dataset
from napari_covidseg.training.recipe import Recipe, RecipeError
from napari_covidseg.training.sources import Item
from napari_covidseg.training.sources.own import alias

FILE = "split.json"

Split = dict[str, frozenset[str]]

STEERED = (
    "The held-out cases steered the training (when it ended, or its learning rate): figures on "
    "them are too good. Measure on cases that had no part in it."
)

_CONTENT: TypeAdapter[Split] = TypeAdapter(Split)


def split_of(recipe: Recipe, sets: Mapping[str, Sequence[Item]], folder: Path | None) -> Split:
    """Tell the validation groups of each data set of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Names the split, or how large a part to hold out.
    sets : mapping
        Data set to its items.
    folder : Path or None
        Of a run that goes on, or of a model: what it has written counts.

    Returns
    -------
    dict of str to frozenset of str
        Data set to groups.

    Raises
    ------
    CovidsegError
        If the split is missing, damaged, or names a group that a user's set has not.
    """
    if folder is not None and (folder / FILE).is_file():
        return read(folder / FILE)
    split = _named(recipe, sets)
    own = {spec.set for spec in recipe.own_data}
    undivided = [
        name for name in sets if name not in split and (name in own or recipe.split is None)
    ]
    groups = {item.group for name in undivided for item in sets[name]}
    chosen = divide(groups, recipe.validation, recipe.seed)
    for name in undivided:
        split[name] = chosen & {item.group for item in sets[name]}
    return split


def named(name: str, folder: Path) -> Split:
    """Read a split that ships, or a file if the name ends in ``.json``.

    Parameters
    ----------
    name : str
        As in a recipe or a model's ``model.json``.
    folder : Path
        Where a file that is named without its folder lies.

    Raises
    ------
    CovidsegError
        If there is no such split.
    """
    if not name.endswith(".json"):
        return dataset.read_split(name)
    # A user's file may name groups as they are called, or by alias.
    return {key: groups | set(map(alias, groups)) for key, groups in read(folder / name).items()}


def ships(recipe: Recipe) -> bool:
    """Whether a recipe's split is one of ``training/splits`` alone: nothing needs writing."""
    named = recipe.split is not None and not recipe.split.endswith(".json")
    return named and not recipe.own_data


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


def divide(groups: Collection[str], part: float, seed: int) -> frozenset[str]:
    """Choose groups to hold out, by a hash of their names.

    Parameters
    ----------
    groups : collection of str
        All groups.
    part : float
        How many of them, as a part; at least one is chosen and one is left.
    seed : int
        Another seed chooses others.
    """
    count = min(max(1, round(part * len(groups))), len(groups) - 1)
    ranked = sorted(set(groups), key=lambda g: hashlib.blake2b(f"{seed}/{g}".encode()).digest())
    return frozenset(ranked[: max(0, count)])


def read(path: Path) -> Split:
    """Read a split: a JSON object of data set to list of groups.

    Raises
    ------
    CovidsegError
        If the file is missing or holds anything else.
    """
    try:
        return _CONTENT.validate_json(path.read_bytes())
    except OSError as error:
        raise CovidsegError(f"Split {path} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise CovidsegError(
            f"Split {path.name} must be a JSON object of data sets, each with a list of groups: "
            f"{error.errors()[0]['msg']}."
        ) from error


def write(split: Split, folder: Path) -> None:
    """Write a split into a run's folder."""
    groups = {name: sorted(held) for name, held in sorted(split.items())}
    write_text(folder / FILE, json.dumps(groups, indent=1) + "\n")


def _named(recipe: Recipe, sets: Mapping[str, Sequence[Item]]) -> Split:
    """Give what the recipe's split says about its sets, groups of a user's sets by alias."""
    if recipe.split is None:
        return {}
    if not recipe.split.endswith(".json"):
        shared = dataset.read_split(recipe.split)
        return {name: groups for name, groups in shared.items() if name in sets}
    split = {key: groups for key, groups in read(Path(recipe.split)).items() if key in sets}
    own = {spec.set for spec in recipe.own_data}
    for name in own & split.keys():
        there = {item.group for item in sets[name]}
        for group in sorted(split[name]):
            if group not in there and alias(group) not in there:
                raise CovidsegError(
                    f"Split {Path(recipe.split).name}: {name!r} has no group {group!r}: correct "
                    "the name, or `groups` in data."
                )
        split[name] = frozenset(g if g in there else alias(g) for g in split[name])
    return split
