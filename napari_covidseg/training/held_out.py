"""Which groups (patients) of each data set are held out for validation.

A recipe names a split that ships, or a JSON file of the user's; data that neither names are
divided by group from the seed. What was held out is written into the run's folder, so that
it stays fixed when the run goes on, and the model is measured on the same cases. What was
learnt from is written too: a model that starts from this one must not be measured on it. It is
all that the weights have seen, what the models before learnt from included, whatever their sets
were called: a group of the same name in two sets is one patient.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from napari_covidseg.inference.registry import ModelError, ModelInfo, find
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import dataset
from napari_covidseg.training.recipe import Recipe, load_recipe
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
    return _apart(recipe, groups, split, before)


def of_sides(
    recipe: Recipe, train: Iterable[Item], unseen: Iterable[Item], places: Sequence[Path]
) -> Division:
    """Tell what is held out and learnt from where a recipe's split is not what divides its items.

    Parameters
    ----------
    recipe : Recipe
        Names what it starts from.
    train, unseen : iterable of Item
        What it is trained on, and what it is measured on.
    places : sequence of Path
        Folders in which models to start from are looked for before the user's own.

    Raises
    ------
    CovidsegError
        If a model to start from has learnt from one of those it is measured on.
    """
    held, mine = _by_set(unseen), _by_set(train)
    groups = _together([held, mine])
    return _apart(recipe, groups, held, _before(recipe, groups, places))


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
    split = _content(name, folder)
    if not name.endswith(".json"):
        return split
    # A user's file may name groups as they are called, or by alias.
    return {key: groups | set(map(alias, groups)) for key, groups in split.items()}


def trained_with(info: ModelInfo, recipe: Recipe) -> str:
    """Name of the split that a model of a recipe was trained with, for `named`."""
    return (info.spec.model_extra or {}).get("split") or recipe.split or FILE


def learnt_by(info: ModelInfo, groups: Split) -> frozenset[str]:
    """Tell which of these groups a model, or one that it started from, has learnt from.

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
    """Whether a recipe's split is one of ``training/splits`` alone: it need not be written."""
    named = recipe.split is not None and not recipe.split.endswith(".json")
    return named and not recipe.own_data


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


def write_learnt(recipe: Recipe, places: Sequence[Path], folder: Path) -> None:
    """Write what a recipe whose split ships learns from, while what it starts from is at hand."""
    assert recipe.split is not None
    groups = _listed(recipe.split)
    mine = _rest(recipe, groups, _named(recipe, groups))
    _write(_together([_before(recipe, groups, places).learnt, mine]), folder / LEARNT)


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
    for name in recipe.network.start_from:
        with suppress(ModelError):  # without it no training begins
            bases.append(find(name, places))
    every = [_past(info, shared) for info in bases]
    return Division(_together(every), _together([one.learnt for one in every]))


def _apart(recipe: Recipe, groups: Split, split: Split, before: Division) -> Division:
    """Add to a split what is learnt from; raise if a base has learnt from what it holds out."""
    for name in groups.keys() & split.keys():
        if known := split[name] & groups[name] & _all(before.learnt):
            cases = counted(len(known), "case")
            raise CovidsegError(
                f"The split holds out {cases} of {name} that {_bases(recipe)} has learnt from: "
                "hold out others, or start from another model."
            )
    return Division(split, _together([before.learnt, _rest(recipe, groups, split)]))


def _past(info: ModelInfo, shared: Split) -> Division:
    """Give what a model held out, and what it and those before it learnt from.

    It has written both, or its split ships: then it learnt from all that this does not hold out.

    Raises
    ------
    CovidsegError
        If neither tells.
    """
    path, written = info.folder / "recipe.toml", info.folder / LEARNT
    recipe = load_recipe(path) if path.is_file() else None
    if recipe is not None:
        recipe = recipe.with_split(trained_with(info, recipe))
    if recipe is None or not ships(recipe):
        if written.is_file():
            return Division(read(info.folder / FILE), read(written))
        if recipe is None:
            return Division({}, {})  # it comes from elsewhere, where these cases are not known
        raise _silent(info)
    assert recipe.split is not None
    there = _together([_listed(recipe.split), shared])
    held = _named(recipe, there)
    if written.is_file():
        before = [read(written)]
    else:
        before = [_rest(stage, there, held) for stage in _stages(info)]
    return Division(held, _together([*before, _rest(recipe, there, held)]))


def _stages(info: ModelInfo) -> list[Recipe]:
    """Give the recipes of the models before one that did not write what they learnt from.

    Raises
    ------
    CovidsegError
        If one of them is not known.
    """
    from napari_covidseg.training.stages import stages  # loads Keras, which checks do without

    try:
        return [load_recipe(path) for path in stages(info.folder / "recipe.toml")]
    except CovidsegError as error:
        raise _silent(info) from error


def _silent(info: ModelInfo) -> CovidsegError:
    return CovidsegError(
        f"{info.reference} does not say which cases it has learnt from ({LEARNT} is missing), "
        "so that none can be held out: train it anew, or start from another model."
    )


def _listed(split: str) -> Split:
    """Give all groups of the sets that a split that ships divides, as its folds list them."""
    stem = split.partition(":")[0].removesuffix("-folds")
    try:
        folds = dataset.fold_names(stem)
    except CovidsegError:
        return {}  # nobody has dealt it out
    return _together([dataset.read_split(name) for name in folds])


def _rest(recipe: Recipe, groups: Split, held: Split) -> Split:
    """Give the groups that a recipe learns from."""
    shown = [spec.set for spec in recipe.data if spec.share and spec.set in groups]
    return {name: groups[name] - held.get(name, frozenset()) for name in shown}


def _by_set(items: Iterable[Item]) -> Split:
    groups: dict[str, set[str]] = defaultdict(set)
    for item in items:
        groups[item.set].add(item.group)
    return {name: frozenset(mine) for name, mine in groups.items()}


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


def _content(name: str, folder: Path) -> Split:
    return read(folder / name) if name.endswith(".json") else dataset.read_split(name)


def _named(recipe: Recipe, groups: Split) -> Split:
    """Give what the recipe's split says about its sets, groups of a user's sets by alias."""
    if recipe.split is None:
        return {}
    every = _content(recipe.split, Path())
    split = {name: held for name, held in every.items() if name in groups}
    if not recipe.split.endswith(".json"):
        return split
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
