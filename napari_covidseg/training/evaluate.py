"""Measure a model on the cases that its split holds out, as a user would run it.

Every case goes through ``inference.run`` at its own resolution. Means are over cases;
their intervals resample patients (or whatever the split keeps together).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from napari_covidseg.inference import run
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.labels import SCHEMES
from napari_covidseg.measure.agreement import count, hd95
from napari_covidseg.study import CovidsegError, Modality, Study, from_array
from napari_covidseg.training import held_out, steering
from napari_covidseg.training.answers import Answer
from napari_covidseg.training.data_spec import SharedSet
from napari_covidseg.training.dataset import is_validation
from napari_covidseg.training.figures import in_words
from napari_covidseg.training.found import POOLED, Found, Summary
from napari_covidseg.training.readers import Reading
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.sides import LEFT, RIGHT
from napari_covidseg.training.sources import ANY, NOT_TOLD, Item, load_data
from napari_covidseg.training.sources.own import not_told
from napari_covidseg.training.wording import counted

HEALTHY = "_healthy"
"""End of the names of shared sets in which there is nothing to find."""

DISPLAY_AXES = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
"""Display (z, y, x) to RAS+ for items, which are loaded in display order; steps of 1 mm."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is run at once: a picture or a whole volume, with its truth.

    Attributes
    ----------
    study : Study
    truth : ndarray
        Mask, same shape, or a class.
    group : str
    lung_pixels : int
        Drawn lung.
    spacing : tuple of float or None
        mm per axis, where the data set's are true.
    second : ndarray or None
        Foreground as a second reader drew it, on a grid of its own.
    """

    study: Study
    truth: np.ndarray
    group: str
    lung_pixels: int
    spacing: tuple[float, ...] | None = None
    second: np.ndarray | None = None


def evaluate_model(
    info: ModelInfo,
    data: Path,
    *,
    split: str | None = None,
    model_dirs: Iterable[Path] = (),
    log: Callable[[str], None] = print,
) -> Summary:
    """Measure a model on the held-out cases of every data set of its recipe.

    Parameters
    ----------
    info : ModelInfo
        Model with a ``recipe.toml`` in its folder.
    data : Path
        Folder with the data sets.
    split : str, optional
        Split that says which cases are held out; by default the one that the model was
        trained with.
    model_dirs : iterable of Path
        Folders with other models that it needs.
    log : callable
        Takes one line a figure, and one if the model may have learnt from the cases.

    Raises
    ------
    CovidsegError
        If a data set is missing, or the split is unknown or holds out none of the cases.
    """
    every = list(find_all(info, data, split=split, model_dirs=model_dirs))
    if split is not None and not every:
        sets = ", ".join(spec.set for spec in load_recipe(info.folder / "recipe.toml").data)
        raise CovidsegError(
            f"Split {Path(split).name} holds out no case that {info.reference} can be measured "
            f"on: give one that names groups of {sets}."
        )
    summary = Summary.of(every)
    for figure in summary.figures:
        log(in_words(figure))
    if split is not None and (seen := _seen(info, every)):
        log(seen)
    if steering.was_steered(info):
        log(steering.STEERED)
    return summary


def find_all(
    info: ModelInfo,
    data: Path,
    *,
    split: str | None = None,
    model_dirs: Iterable[Path] = (),
    model: ModelInfo | None = None,
) -> Iterator[Found]:
    """Run a model on its held-out cases, one data set after another; see `evaluate_model`.

    With `model`, that other model is run on them instead.
    """
    recipe = load_recipe(info.folder / "recipe.toml")
    held = held_out.named(split or held_out.trained_with(info, recipe), info.folder)
    dirs = (info.folder.parent, *model_dirs)
    for spec in recipe.data:
        loaded = load_data(spec, data, recipe.scheme, info.modality)
        items = [item for item in loaded.items if is_validation(item, held)]
        if items:
            healthy = isinstance(spec, SharedSet) and spec.set.endswith(HEALTHY)
            yield _find(items, recipe, model or info, dirs, healthy=healthy)


def _seen(info: ModelInfo, founds: Sequence[Found]) -> str:
    """Say how many of the groups that were measured a model learnt from; nothing for none."""
    groups = {found.set: _groups(found) for found in founds}
    try:
        learnt = held_out.learnt_by(info, groups)
    except CovidsegError:
        return (
            f"{info.reference} does not say which cases it has learnt from: it may have seen "
            "these, and then the figures are too good."
        )
    if not learnt:
        return ""
    count = len(frozenset().union(*groups.values()))
    return (
        f"{info.reference} has learnt from {len(learnt)} of the {counted(count, 'group')} "
        "(patients) that this split holds out: the figures are not of unseen cases."
    )


def _groups(found: Found) -> frozenset[str]:
    drawn = [group for pairs in found.counts.values() for group, _ in pairs]
    healthy = [group for group, _ in found.shares]
    return frozenset([*drawn, *healthy, *(answer.group for answer in found.answers)])


def cases(items: Sequence[Item], modality: Modality) -> Iterator[Case]:
    """Put slices of one volume together; a picture is a case of its own."""
    for volume, group in groupby(items, key=lambda item: item.volume or item.name):
        members = list(group)
        first = members[0]
        if first.volume is None:
            array, truth = first.picture, first.labels
        else:
            array = np.stack([m.picture for m in members])
            truth = np.stack([m.labels for m in members])
        # Files in HU say how they lie; a picture does not.
        lies = first.is_hu or first.volume is not None
        affine = DISPLAY_AXES @ np.diag([*(first.spacing or (1.0,) * 3), 1.0]) if lies else None
        study = from_array(array, affine=affine, modality=modality, is_hu=first.is_hu, stem=volume)
        pixels = sum(m.lung_pixels or 0 for m in members)
        again = [m.second for m in members if m.second is not None]
        second = np.stack(again) if again else None
        yield Case(study, np.asarray(truth), first.group, pixels, first.spacing, second)


def _find(
    items: Sequence[Item],
    recipe: Recipe,
    info: ModelInfo,
    dirs: tuple[Path, ...],
    *,
    healthy: bool = False,
) -> Found:
    name = items[0].set
    unit = "patient" if name in POOLED else "volume" if items[0].volume else "picture"
    found = Found(name, unit, small=recipe.scheme not in (None, "lungs"))
    for case in cases(items, Modality(recipe.modality)):
        outcome = run(case.study, [info.reference], model_dirs=dirs)
        if recipe.task == "classification":
            said = outcome.classifications[0]
            found.answers.append(
                Answer(
                    case.group,
                    int(case.truth),
                    said.probability,
                    said.positive,
                    said.shortcut,
                    case.study.source.stem,
                )
            )
        elif healthy:
            marked = int((outcome.segmentations[0].labels > 0).sum())
            found.shares.append((case.group, 100.0 * marked / max(case.lung_pixels, 1)))
        else:
            predicted = outcome.segmentations[0].labels
            _count(found, case, predicted, recipe)
            if recipe.scheme == "lungs":
                _borders(found, case, predicted)
            if case.second is not None:
                volume = case.study.source.stem
                found.readings.append(Reading.of(volume, predicted, case.truth, case.second))
    return found


def _count(found: Found, case: Case, predicted: np.ndarray, recipe: Recipe) -> None:
    assert recipe.scheme is not None
    scheme = SCHEMES[recipe.scheme]
    labels, told = scheme.names, case.truth != not_told(scheme)
    predicted, truth = predicted[told], case.truth[told]
    pairs = {"any": count(predicted > 0, truth > 0)}
    if len(labels) > 1 and not (truth == ANY).any():
        pairs |= {name: count(predicted == v, truth == v) for v, name in labels.items()}
    for label, pair in pairs.items():
        found.counts.setdefault(label, []).append((case.group, pair))


def _borders(found: Found, case: Case, predicted: np.ndarray) -> None:
    """How far the lungs' borders are off, and whether the sides are swapped.

    Distances are in mm where the spacing is true, in pixels on a picture; a volume of
    unknown spacing has none. Where one mask is empty it is the image's diagonal.
    """
    if not (case.truth == NOT_TOLD).any() and (case.spacing or case.truth.ndim == 2):
        spacing = case.spacing or (1.0, 1.0)
        distance = hd95(predicted, case.truth, spacing)
        if math.isinf(distance):
            distance = math.hypot(*np.multiply(case.truth.shape, spacing))
        unit = "mm" if case.spacing else "pixels"
        found.distances.setdefault(unit, []).append((case.group, distance))
    right, left = case.truth == RIGHT, case.truth == LEFT
    if right.any() and left.any():
        same = (predicted[right] == RIGHT).sum() + (predicted[left] == LEFT).sum()
        other = (predicted[right] == LEFT).sum() + (predicted[left] == RIGHT).sum()
        found.swaps.append((case.group, float(other > same)))
