"""Batches for training: items cut to the network's frame, drawn and changed by seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import numpy as np

from napari_covidseg.inference.frame import Frame, with_rim
from napari_covidseg.inference.histogram import shown_window
from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.inference.shortcut import Blanked, blank
from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training.augment import augment
from napari_covidseg.training.augment_lesions import Bank, Donor, gather
from napari_covidseg.training.augment_spec import AugmentSpec
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.sources import ANY, Item

MARGIN = 1.3
"""A cached picture shows this many times its frame, for shifts and rotations."""

HEADROOM = 0.25
"""A cached picture keeps values this far beyond the window, for window shifts."""


@dataclass(frozen=True, eq=False)
class Cached:
    """One item as bytes, ready to be changed and shown.

    Attributes
    ----------
    item : Item
        Where it came from.
    picture, labels : ndarray of uint8, shape (s, s)
        The body (or whole) frame, `MARGIN` times its side; values ``HEADROOM`` beyond
        the window. ``labels`` of a classification is a single 0 or 1.
    cut_picture, cut_labels : ndarray or None
        The same for the frame of the lungs.
    lungs : ndarray of uint8 or None, shape (s, s)
        Lungs that were found, 0 or 255, for a network that is shown them.
    """

    item: Item
    picture: np.ndarray
    labels: np.ndarray
    cut_picture: np.ndarray | None = None
    cut_labels: np.ndarray | None = None
    lungs: np.ndarray | None = None


def read_split(name: str) -> dict[str, frozenset[str]]:
    """Read the validation groups of each data set from the split file of that name.

    ``"ct"`` names a file with the held-out groups of each set; ``"ct-folds:2"`` is the
    third part of a file that gives each group of each set its fold, for cross-validation.

    Raises
    ------
    CovidsegError
        If there is no such split.
    """
    stem, _, fold = name.partition(":")
    values = _read(stem)
    if fold:
        return {
            key: frozenset(group for group, k in groups.items() if str(k) == fold)
            for key, groups in values.items()
        }
    return {key: frozenset(groups) for key, groups in values.items()}


def fold_names(name: str) -> list[str]:
    """Name the splits of the folds that go with a split, for `read_split`.

    Raises
    ------
    CovidsegError
        If that split has no file of folds.
    """
    folds = {k for groups in _read(f"{name}-folds").values() for k in groups.values()}
    return [f"{name}-folds:{k}" for k in sorted(folds)]


def _read(stem: str) -> dict[str, Any]:
    file = resources.files("napari_covidseg.training") / "splits" / f"{stem}.json"
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CovidsegError(f"There is no split named {stem!r} in training/splits.") from error
    return values


def is_validation(item: Item, split: dict[str, frozenset[str]]) -> bool:
    """Whether an item's group is held out."""
    return item.group in split.get(item.set, frozenset())


def cache(item: Item, spec: InputSpec, cut: bool) -> Cached:
    """Cut an item to the frame that the recipe names, in the window that it asks for."""
    item = replace(item, window=shown_window(item.picture, item.window, spec))
    frame = _shown_frame(item, spec)
    picture, labels = _cut(item, frame, spec.size)
    if spec.needs_lungs:
        assert item.found is not None
        larger, side = frame.grow(MARGIN), round(spec.size * MARGIN)
        return Cached(item, picture, labels, lungs=larger.cut_labels(item.found, side))
    if not cut or item.lungs is None:
        return Cached(item, picture, labels)
    return Cached(item, picture, labels, *_cut(item, item.lungs, spec.size))


def _shown_frame(item: Item, spec: InputSpec) -> Frame:
    return item.lungs if spec.frame == "lungs" and item.lungs is not None else item.body


def lesion_bank(items: Sequence[Cached], recipe: Recipe) -> Bank:
    """Cut the lesions of training items that hold drawn infection and lungs.

    Raises
    ------
    CovidsegError
        If there are none.
    """
    bank = gather(donor for c in items if (donor := _donor(c, recipe)) is not None)
    if not bank:
        raise CovidsegError(
            "No training item holds a drawn lesion in its lungs: add a data set with infection, "
            "or set augment.lesions = 0 in the recipe."
        )
    return bank


def _donor(cached: Cached, recipe: Recipe) -> Donor | None:
    """Give what an item adds to a bank of lesions; None where no infection is drawn."""
    item, lungs = cached.item, cached.lungs
    if recipe.scheme == "infection":
        infection = np.where(cached.labels <= ANY, cached.labels, 0)
        inside = None if lungs is None else lungs > 127
    elif item.infection is not None:
        larger = _shown_frame(item, recipe.input).grow(MARGIN)
        infection = larger.cut_labels(item.infection, len(cached.picture))
        inside = (cached.labels > 0) & (cached.labels <= ANY)
    else:
        return None
    if inside is None or not infection.any():
        return None
    return Donor(item.group, _values(cached.picture), infection, inside)


def _values(picture: np.ndarray) -> np.ndarray:
    """Windowed values of a cached picture."""
    return picture.astype(np.float32) * ((1 + 2 * HEADROOM) / 255) - HEADROOM


def _cut(item: Item, frame: Frame, size: int) -> tuple[np.ndarray, np.ndarray]:
    width = item.window.high - item.window.low
    wide = type(item.window)(
        item.window.low - HEADROOM * width, item.window.high + HEADROOM * width
    )
    larger, side = frame.grow(MARGIN), round(size * MARGIN)
    picture = (larger.cut(item.picture, wide, side) * 255).astype(np.uint8)
    if isinstance(item.labels, np.ndarray):
        return picture, larger.cut_labels(item.labels, side)
    return picture, np.array(item.labels, np.uint8)


def show(
    picture: np.ndarray,
    labels: np.ndarray,
    shown: InputSpec,
    spec: AugmentSpec,
    sides: bool,
    rng: np.random.Generator,
    lungs: np.ndarray | None = None,
    bank: Bank = (),
) -> tuple[np.ndarray, np.ndarray]:
    """One changed version of a cached picture (size, size, channels) with its mask or class."""
    values = _values(picture)
    mask = labels if labels.ndim == 2 else np.zeros(picture.shape, np.uint8)
    values, mask = augment(values, mask, shown.size, MARGIN, spec, sides, rng, lungs, bank)
    if lungs is not None and shown.outside == "blank":
        modality = Modality.CT if shown.values == "ct" else Modality.XR
        kept = with_rim(values[..., 1])
        values[..., 0] = blank(values[..., 0], kept, Blanked.REST, modality)
    return values[..., : shown.channels], mask if labels.ndim == 2 else labels


STILL = AugmentSpec(
    rotate=0,
    zoom=0,
    shift=0,
    turn=0,
    flip=0,
    elastic=0,
    barrel=0,
    window=0,
    gamma=0,
    contrast=0,
    local_contrast=0,
    noise=0,
    blur=0,
    jpeg=0,
    lesions=0,
    opacity=0,
    cut=0,
    wear=0,
)
"""No change at all: how a picture is shown in validation and in use."""


class Batches:
    """Batches of one epoch after another, the same for the same seed.

    Parameters
    ----------
    items : sequence of Cached
        Training items.
    recipe : Recipe
        Sizes, shares, changes and seed.
    """

    def __init__(self, items: Sequence[Cached], recipe: Recipe) -> None:
        self.items = items
        self.recipe = recipe
        self.odds = _odds(items, recipe)
        # Side labels are a property of the scheme: a mirror swaps right and left.
        self.sides = recipe.scheme == "lungs"
        self.bank = lesion_bank(items, recipe) if recipe.augment.lesions else ()

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (n, size, size, channels) and masks (n, size, size) or classes (n,)."""
        training = self.recipe.training
        assert training is not None
        rng = np.random.default_rng((training.seed, epoch, step))
        chosen = rng.choice(len(self.items), training.batch, p=self.odds)
        shown = [self._draw(self.items[i], rng) for i in chosen]
        return np.stack([p for p, _ in shown]), np.stack([m for _, m in shown])

    def _draw(self, cached: Cached, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        spec, shown = self.recipe.augment, self.recipe.input
        if cached.cut_picture is not None and rng.random() < spec.cut:
            assert cached.cut_labels is not None
            picture, labels, lungs = cached.cut_picture, cached.cut_labels, None
        else:
            picture, labels, lungs = cached.picture, cached.labels, cached.lungs
        return show(picture, labels, shown, spec, self.sides, rng, lungs, self.bank)


def _odds(items: Sequence[Cached], recipe: Recipe) -> np.ndarray:
    """Chance of each item: each set its share, and within a set as `weights` says."""
    share = {spec.set: spec.share for spec in recipe.data}
    weight = weights(items, recipe)
    odds = np.zeros(len(items))
    for name, part in share.items():
        mine = np.array([c.item.set == name for c in items])
        if mine.any():
            odds[mine] = part * weight[mine] / weight[mine].sum()
    return odds / odds.sum()


def weights(items: Sequence[Cached], recipe: Recipe) -> np.ndarray:
    """Weight of each item: a foreground slice more than twice an empty one.

    In a classification the classes of a source ("source/patient" in the group) count the
    same: where a picture comes from must say nothing about its class. A source counts by
    the square root of its pictures, so that a small one is heard and yet not learnt by heart.
    """
    if recipe.task != "classification":
        return np.array([1.0 if (c.labels > 0).any() else 0.4 for c in items])
    sources = [(c.item.set, c.item.group.rpartition("/")[0]) for c in items]
    kinds = [(*source, int(c.labels)) for source, c in zip(sources, items, strict=True)]
    of_source, of_kind = Counter(sources), Counter(kinds)
    return np.array([of_source[s] ** 0.5 / of_kind[k] for s, k in zip(sources, kinds, strict=True)])


def stack_still(items: Sequence[Cached], spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and masks without any change, for validation."""
    rng = np.random.default_rng(0)
    shown = [show(c.picture, c.labels, spec, STILL, False, rng, c.lungs) for c in items]
    return np.stack([p for p, _ in shown]), np.stack([m for _, m in shown])
