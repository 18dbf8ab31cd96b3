"""Look at the data of a recipe before anything is trained on them.

A fault or a leak stops the run: a case on both sides of the split, even as another file of
the same picture, makes every figure of the model too good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training import held_out
from napari_covidseg.training.data_spec import SavedCases
from napari_covidseg.training.dataset import is_validation
from napari_covidseg.training.held_out import Split
from napari_covidseg.training.near_duplicates import alike, fingerprint
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.sources import Item, load_data
from napari_covidseg.training.sources.own import Loaded
from napari_covidseg.training.wording import counted, listed


class DataError(CovidsegError):
    """Data that must not be trained on."""


@dataclass(frozen=True)
class Finding:
    """One thing about the data.

    Attributes
    ----------
    kind : {"fact", "warning", "leak", "fault"}
        A leak or a fault stops the run.
    words : str
        What it is and what to do; items are named by set and alias.
    """

    kind: Literal["fact", "warning", "leak", "fault"]
    words: str

    @property
    def stops(self) -> bool:
        """Whether the data must not be trained on."""
        return self.kind in ("leak", "fault")

    def in_words(self) -> str:
        """Give the finding with its kind before it."""
        return f"{self.kind.capitalize()}: {self.words}"


@dataclass(frozen=True, eq=False)
class Gathered:
    """The data of a recipe, looked at.

    Attributes
    ----------
    loaded : mapping
        Data set to what was read of it, in the order of the recipe.
    split : mapping
        Data set to its validation groups.
    findings : tuple of Finding
        Facts first, then from the mildest to the worst.
    """

    loaded: Mapping[str, Loaded]
    split: Split
    findings: tuple[Finding, ...]

    def require(self) -> None:
        """Raise if the data must not be trained on.

        Raises
        ------
        DataError
            With every leak and fault.
        """
        worst = [f.in_words() for f in self.findings if f.stops]
        if worst:
            raise DataError(" ".join(worst))


def gather(
    recipe: Recipe, data: Path, folder: Path | None = None, places: Sequence[Path] = ()
) -> Gathered:
    """Load the data of a recipe, divide them, and look at them.

    Parameters
    ----------
    recipe : Recipe
        What to load.
    data : Path
        Folder with the data sets.
    folder : Path, optional
        Of a run that goes on: its split counts.
    places : sequence of Path
        Folders in which models to start from are looked for before the user's own.

    Raises
    ------
    CovidsegError
        If files are missing, damaged or do not fit each other, or the split cannot be read.
    """
    loaded = {
        spec.set: load_data(spec, data, recipe.scheme, Modality(recipe.modality))
        for spec in recipe.data
    }
    sets = {name: one.items for name, one in loaded.items()}
    split = held_out.split_of(recipe, sets, folder, places)
    for spec in recipe.data:
        if not spec.share:
            held = tuple(item for item in sets[spec.set] if is_validation(item, split))
            sets[spec.set], loaded[spec.set] = held, replace(loaded[spec.set], items=held)
    remarks = [Finding("warning", words) for one in loaded.values() for words in one.remarks]
    found = [*examine(recipe, sets, split), *remarks]
    order = ("fact", "warning", "leak", "fault")
    return Gathered(loaded, split, tuple(sorted(found, key=lambda f: order.index(f.kind))))


def examine(
    recipe: Recipe, sets: Mapping[str, Sequence[Item]], split: Split
) -> tuple[Finding, ...]:
    """Look at items and their split.

    Parameters
    ----------
    recipe : Recipe
        What they are for.
    sets : mapping
        Data set to its items.
    split : mapping
        Data set to its validation groups.
    """
    train: list[Item] = []
    validation: list[Item] = []
    for item in (item for items in sets.values() for item in items):
        (validation if is_validation(item, split) else train).append(item)
    return (
        *_counts(sets, split),
        *_masks(recipe, sets, train, validation),
        *_groups(recipe, sets),
        *_sides(train, validation),
        *_patients(train, validation),
        *_duplicates(train, validation, recipe.allow_duplicates),
    )


def _counts(sets: Mapping[str, Sequence[Item]], split: Split) -> Iterator[Finding]:
    for name, items in sets.items():
        train = _count([item for item in items if not is_validation(item, split)])
        validation = _count([item for item in items if is_validation(item, split)])
        yield Finding("fact", f"{name}: {train} for training, {validation} for validation.")


def _count(items: Sequence[Item]) -> str:
    patients = len({item.group for item in items})
    return f"{counted(len(items), 'picture')} of {counted(patients, 'patient')}"


def _masks(
    recipe: Recipe,
    sets: Mapping[str, Sequence[Item]],
    train: Sequence[Item],
    validation: Sequence[Item],
) -> Iterator[Finding]:
    """Values outside the scheme, and masks in which nothing is drawn."""
    if recipe.task == "classification":
        return
    # Two values beyond the classes say that a mask tells less, see `losses`.
    for item in (item for items in sets.values() for item in items):
        worst = int(np.max(item.labels))
        if worst > recipe.classes + 1:
            yield Finding(
                "fault",
                f"{_name(item)}: mask value {worst} is not in the scheme {recipe.scheme!r}: "
                "correct the mask or the recipe.",
            )
            break
    if (train or validation) and all(map(_is_empty, (*train, *validation))):
        yield Finding("fault", "All masks are empty: there is nothing to learn from.")
        return
    for name, items in sets.items():
        empty = sum(map(_is_empty, items))
        if empty:
            yield Finding("warning", f"{name}: {empty} of {len(items)} masks are empty.")
    for side, items in (("training", train), ("validation", validation)):
        if items and all(map(_is_empty, items)):
            kind: Literal["fault", "warning"] = "fault" if side == "training" else "warning"
            yield Finding(kind, f"All masks for {side} are empty: choose another split.")


def _groups(recipe: Recipe, sets: Mapping[str, Sequence[Item]]) -> Iterator[Finding]:
    """Images of a user's set that nobody said the patient of."""
    for spec in recipe.own_data:
        if spec.groups is None and len({item.group for item in sets[spec.set]}) > 1:
            yield Finding(
                "warning",
                f"{spec.set}: each {'study' if isinstance(spec, SavedCases) else 'file'} counts as "
                "a patient of its own; where a patient has several, tell them by `groups` in data.",
            )


def _sides(train: Sequence[Item], validation: Sequence[Item]) -> Iterator[Finding]:
    groups = {item.group for item in (*train, *validation)}
    if len(groups) == 1:
        yield Finding(
            "fault",
            "The data hold one case (one patient) only, and none is left for validation: "
            "add cases, or tell patients apart by `groups` in data.",
        )
    elif not train or not validation:
        yield Finding(
            "fault",
            "The split leaves no case for training or none for validation: "
            "name groups of these data sets in it.",
        )


def _patients(train: Sequence[Item], validation: Sequence[Item]) -> Iterator[Finding]:
    """Find groups that one set holds out and another trains on."""
    both = sorted({i.group for i in train} & {i.group for i in validation})
    if both:
        sets = {i.set for i in (*train, *validation) if i.group in both}
        yield Finding(
            "leak",
            f"{counted(len(both), 'patient')} {'is' if len(both) == 1 else 'are'} on both "
            f"sides of the split ({listed(both)}; sets {', '.join(sorted(sets))}): hold them "
            "out in every set, or give other patients other names.",
        )


def _duplicates(
    train: Sequence[Item], validation: Sequence[Item], allowed: bool
) -> Iterator[Finding]:
    """Find pictures that are on both sides of the split, as the same or another file."""
    prints = [[fingerprint(i.picture, i.window) for i in side] for side in (train, validation)]
    pairs = alike(prints[0], prints[1])
    if not pairs:
        return
    named = [f"{_name(train[i])} and {_name(validation[j])}" for i, j, _ in pairs]
    held = len({j for _, j, _ in pairs})
    said = (
        f"{held} of {len(validation)} validation pictures "
        f"{'is' if held == 1 else 'are'} nearly the same as training pictures ({listed(named)})"
    )
    if allowed:
        yield Finding("warning", f"{said}; the recipe allows it.")
    else:
        yield Finding(
            "leak",
            f"{said}: put them on one side of the split, or take one of each pair away.",
        )


def _is_empty(item: Item) -> bool:
    return not np.any(item.labels)


def _name(item: Item) -> str:
    return f"{item.set}/{item.name}"
