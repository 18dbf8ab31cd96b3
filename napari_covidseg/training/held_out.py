"""Which groups (patients) of each data set are held out for validation.

A recipe names a split that ships, or a JSON file of the user's; data that neither names are
divided by group from the seed. What was held out is written into the run's folder, so that
it stays fixed when the run goes on, and the model is measured on the same cases. What was
learnt from is written too: a model that starts from this one must not be measured on it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from napari_covidseg.inference.registry import ModelError, ModelInfo, find
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import dataset
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe
from napari_covidseg.training.sources import Item
from napari_covidseg.training.sources.own import alias
from napari_covidseg.training.wording import counted

FILE = "split.json"
LEARNT = "learnt.json"
"""Which groups a model learnt from, or one that it started from; written as `FILE` is."""

Split = dict[str, frozenset[str]]


class Division(Split):
    """A split that also says what is learnt from.

    Attributes
    ----------
    learnt : dict of str to frozenset of str
        Data set to groups, those included that the models to start from have learnt from.
    """

    def __init__(self, held: Split, learnt: Split) -> None:
        super().__init__(held)
        self.learnt = learnt


STEERED = (
    "The held-out cases steered the training (when it ended, or its learning rate): figures on "
    "them are too good. Measure on cases that had no part in it."
)

_CONTENT: TypeAdapter[Split] = TypeAdapter(Split)


def split_of(
    recipe: Recipe,
    sets: Mapping[str, Sequence[Item]],
    folder: Path | None,
    places: Sequence[Path] = (),
) -> Division:
    """Tell the validation groups of each data set of a recipe.

    What a model that the recipe starts from has learnt from is never held out, and what it
    held out stays so, whatever the data set is called now.

    Parameters
    ----------
    recipe : Recipe
        Names the split, or how large a part to hold out.
    sets : mapping
        Data set to its items.
    folder : Path or None
        Of a run that goes on, or of a model: what it has written counts.
    places : sequence of Path
        Folders in which models to start from are looked for before the user's own.

    Returns
    -------
    Division
        Data set to groups.

    Raises
    ------
    CovidsegError
        If the split is missing, damaged, names a group that a user's set has not, or one that
        a model to start from has learnt from; or if that has learnt from all there is.
    """
    groups = {name: frozenset(item.group for item in items) for name, items in sets.items()}
    before = _before(recipe, groups, places)
    if folder is not None and (folder / FILE).is_file():
        split = read(folder / FILE)
    else:
        split = _divided(recipe, groups, before)
    for name in groups.keys() & split.keys():
        if known := split[name] & groups[name] & _all(before.learnt):
            cases = counted(len(known), "case")
            raise CovidsegError(
                f"The split holds out {cases} of {name} that {_bases(recipe)} has learnt from: "
                "name others in it, or start from another model."
            )
    return Division(split, _together([before.learnt, _rest(recipe, groups, split)]))


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


def trained_with(info: ModelInfo, recipe: Recipe) -> str:
    """Name of the split that a model of a recipe was trained with, for `named`."""
    return (info.spec.model_extra or {}).get("split") or recipe.split or FILE


def learnt_by(info: ModelInfo, groups: Split) -> frozenset[str]:
    """Tell which of these groups a model has learnt from.

    Parameters
    ----------
    info : ModelInfo
        Model with a ``recipe.toml`` in its folder.
    groups : mapping
        Data set to the groups that are asked about.

    Raises
    ------
    CovidsegError
        If the model does not say what it has learnt from.
    """
    return _all(groups) & _all(_past(info, groups).learnt)


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


def divide(
    groups: Collection[str],
    part: float,
    seed: int,
    *,
    held: Collection[str] = (),
    learnt: Collection[str] = (),
) -> frozenset[str]:
    """Choose groups to hold out, by a hash of their names.

    Parameters
    ----------
    groups : collection of str
        All groups.
    part : float
        How many of them, as a part; at least one is chosen and one is left.
    seed : int
        Another seed chooses others.
    held, learnt : collection of str
        Groups that are chosen before all others, and groups that are not chosen.
    """
    count = min(max(1, round(part * len(groups))), len(groups) - 1)
    free = set(groups).difference(learnt)
    kept = free.intersection(held)
    ranked = sorted(free - kept, key=lambda g: hashlib.blake2b(f"{seed}/{g}".encode()).digest())
    return frozenset(kept.union(ranked[: max(0, count - len(kept))]))


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
    """Write a split into a run's folder, with what is learnt from if it says so."""
    _write(split, folder / FILE)
    if isinstance(split, Division):
        _write(split.learnt, folder / LEARNT)


def _write(groups: Split, path: Path) -> None:
    listed = {name: sorted(mine) for name, mine in sorted(groups.items())}
    write_text(path, json.dumps(listed, indent=1) + "\n")


def _divided(recipe: Recipe, groups: Split, before: Division) -> Split:
    """Give what the recipe's split says, and divide the rest from the seed."""
    split = _named(recipe, groups)
    own = {spec.set for spec in recipe.own_data}
    rest = {
        name: mine
        for name, mine in groups.items()
        if name not in split and (name in own or recipe.split is None)
    }
    there, learnt = _all(rest), _all(before.learnt)
    if there and there <= learnt:
        raise CovidsegError(
            f"{_bases(recipe)} has learnt from all {counted(len(there), 'case')}, and none is left "
            "to be held out: save more cases, or start from another model."
        )
    chosen = divide(there, recipe.validation, recipe.seed, held=_all(before), learnt=learnt)
    return split | {name: chosen & mine for name, mine in rest.items()}


def _before(recipe: Recipe, groups: Split, places: Sequence[Path]) -> Division:
    """Give what the models that a recipe starts from held out and learnt from."""
    own = {spec.set for spec in recipe.own_data}
    shared = {name: mine for name, mine in groups.items() if name not in own}
    bases = []
    # What ships is divided by its splits, one for all stages.
    for name in () if ships(recipe) else recipe.network.start_from:
        with suppress(ModelError):  # without it no training begins
            bases.append(find(name, places))
    every = [_past(info, shared) for info in bases]
    return Division(_together(every), _together([one.learnt for one in every]))


def _past(info: ModelInfo, shared: Split) -> Division:
    """Give what a model held out and learnt from: what it has written, or of shared sets its split.

    Raises
    ------
    CovidsegError
        If neither tells.
    """
    if (info.folder / LEARNT).is_file():
        return Division(read(info.folder / FILE), read(info.folder / LEARNT))
    path = info.folder / "recipe.toml"
    if not path.is_file():
        return Division({}, {})  # it comes from elsewhere, where these cases are not known
    recipe = load_recipe(path)
    recipe = recipe.with_split(trained_with(info, recipe))
    if not ships(recipe):
        raise CovidsegError(
            f"{info.reference} does not say which cases it has learnt from ({LEARNT} is missing), "
            "so that none can be held out: train it anew, or start from another model."
        )
    held = _named(recipe, shared)
    return Division(held, _rest(recipe, shared, held))


def _rest(recipe: Recipe, groups: Split, held: Split) -> Split:
    """Give the groups that a recipe learns from."""
    shown = [spec.set for spec in recipe.data if spec.share and spec.set in groups]
    return {name: groups[name] - held.get(name, frozenset()) for name in shown}


def _bases(recipe: Recipe) -> str:
    return " or ".join(recipe.network.start_from)


def _all(groups: Split) -> frozenset[str]:
    # A group of the same name in two sets is one patient, see `checks`.
    return frozenset().union(*groups.values())


def _together(splits: Sequence[Split]) -> Split:
    found: dict[str, set[str]] = defaultdict(set)
    for split in splits:
        for name, groups in split.items():
            found[name] |= groups
    return {name: frozenset(groups) for name, groups in found.items()}


def _named(recipe: Recipe, groups: Split) -> Split:
    """Give what the recipe's split says about its sets, groups of a user's sets by alias."""
    if recipe.split is None:
        return {}
    if not recipe.split.endswith(".json"):
        shared = dataset.read_split(recipe.split)
        return {name: held for name, held in shared.items() if name in groups}
    split = {key: held for key, held in read(Path(recipe.split)).items() if key in groups}
    own = {spec.set for spec in recipe.own_data}
    for name in own & split.keys():
        there = groups[name]
        for group in sorted(split[name]):
            if group not in there and alias(group) not in there:
                raise CovidsegError(
                    f"Split {Path(recipe.split).name}: {name!r} has no group {group!r}: correct "
                    "the name, or `groups` in data."
                )
        split[name] = frozenset(g if g in there else alias(g) for g in split[name])
    return split
