"""Measure a model on the cases that its split holds out, as a user would run it.

Every case goes through ``inference.run`` at its own resolution. Means are over cases;
their intervals resample patients (or whatever the split keeps together). What was found
case by case can be put together from several models, each with its own held-out cases,
before any mean is taken: that is cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg.inference import run
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.labels import SCHEMES
from napari_covidseg.measure.agreement import Counts, count
from napari_covidseg.study import Modality, Study, from_array
from napari_covidseg.training import held_out
from napari_covidseg.training.dataset import is_validation
from napari_covidseg.training.figures import Figure, auc_figure, in_words
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.sources import ANY, NOT_TOLD, Item, load_data

POOLED = {"covid_slices_lungs", "covid_slices_infection"}
"""Sets whose slices are a part of a volume: counts are pooled by patient."""

HEALTHY = "_healthy"
"""End of the names of sets in which there is nothing to find."""

DISPLAY_AFFINE = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
"""Display (z, y, x) to RAS+ for items, which are loaded in display order."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is run at once: a picture or a whole volume, with its truth."""

    study: Study
    truth: np.ndarray
    group: str
    lung_pixels: int


@dataclass
class Found:
    """What one or several models found on the cases of one data set.

    Attributes
    ----------
    set, unit : str
        Data set, and what a case is.
    counts : dict
        Label to (group, voxel counts) of each case, for a segmentation.
    shares : list
        (group, % of the lung that is marked), where there is nothing to find.
    answers : list
        (group, truth, probability, whether the threshold is reached), for a classification.
    """

    set: str
    unit: str
    counts: dict[str, list[tuple[str, Counts]]] = field(default_factory=dict)
    shares: list[tuple[str, float]] = field(default_factory=list)
    answers: list[tuple[str, int, float, bool]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Put another model's cases of the same set to these."""
        for label, pairs in other.counts.items():
            self.counts.setdefault(label, []).extend(pairs)
        self.shares += other.shares
        self.answers += other.answers

    def figures(self) -> list[Figure]:
        """Sum up; a label that is nowhere to find, and nowhere found, has no figure."""
        made = [*self._overlaps(), *self._false_alarms(), *self._classifications()]
        return [figure for figure in made if figure.n]

    def _overlaps(self) -> Iterator[Figure]:
        for label, pairs in self.counts.items():
            if self.set in POOLED:
                sums: dict[str, Counts] = {}
                for group, pair in pairs:
                    sums[group] = sums.get(group, Counts()) + pair
                pairs = list(sums.items())
            measures = ("dice", "sensitivity", "precision") if label == "any" else ("dice",)
            for measure in measures:
                yield Figure.of(
                    [getattr(pair, measure) for _, pair in pairs],
                    [group for group, _ in pairs],
                    set=self.set,
                    measure="Dice" if measure == "dice" else measure,
                    unit=self.unit,
                    label=label,
                )

    def _false_alarms(self) -> Iterator[Figure]:
        if self.shares:
            yield Figure.of(
                [share for _, share in self.shares],
                [group for group, _ in self.shares],
                high_is_bad=True,
                set=self.set,
                measure="% of lung marked",
                unit=self.unit,
                label="any",
            )

    def _classifications(self) -> Iterator[Figure]:
        if not self.answers:
            return
        sources = sorted({group.split("/")[0] for group, *_ in self.answers if "/" in group})
        for source in ("all", *sources):
            mine = [a for a in self.answers if source in ("all", a[0].split("/")[0])]
            truth = np.array([t for _, t, _, _ in mine])
            groups = np.array([g for g, *_ in mine])
            names: dict[str, Any] = {"set": self.set, "unit": self.unit, "label": source}
            p = np.array([v for _, _, v, _ in mine])
            yield auc_figure(truth, p, groups, measure="AUC", **names)
            right = [float(yes == bool(t)) for _, t, _, yes in mine]
            yield Figure.of(right, list(groups), measure="accuracy", **names)


def evaluate_model(
    info: ModelInfo,
    data: Path,
    *,
    split: str | None = None,
    model_dirs: Iterable[Path] = (),
    log: Callable[[str], None] = print,
) -> list[Figure]:
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
        Takes one line a figure.

    Raises
    ------
    CovidsegError
        If a data set is missing or the split is unknown.
    """
    figures = [
        figure
        for found in find_all(info, data, split=split, model_dirs=model_dirs)
        for figure in found.figures()
    ]
    for figure in figures:
        log(in_words(figure))
    return figures


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
    trained_with = (info.spec.model_extra or {}).get("split") or recipe.split or held_out.FILE
    held = held_out.named(split or trained_with, info.folder)
    dirs = (info.folder.parent, *model_dirs)
    for spec in recipe.data:
        loaded = load_data(spec, data, recipe.scheme, info.modality)
        items = [item for item in loaded.items if is_validation(item, held)]
        if items:
            yield _find(items, recipe, model or info, dirs)


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
        affine = DISPLAY_AFFINE if first.is_hu or first.volume else None
        study = from_array(array, affine=affine, modality=modality, is_hu=first.is_hu, stem=volume)
        pixels = sum(m.lung_pixels or 0 for m in members)
        yield Case(study, np.asarray(truth), first.group, pixels)


def _find(items: Sequence[Item], recipe: Recipe, info: ModelInfo, dirs: tuple[Path, ...]) -> Found:
    name = items[0].set
    unit = "patient" if name in POOLED else "volume" if items[0].volume else "picture"
    found = Found(name, unit)
    for case in cases(items, Modality(recipe.modality)):
        outcome = run(case.study, [info.reference], model_dirs=dirs)
        if recipe.task == "classification":
            answer = outcome.classifications[0]
            yes = answer.probability >= info.threshold
            found.answers.append((case.group, int(case.truth), answer.probability, yes))
        elif name.endswith(HEALTHY):
            marked = int((outcome.segmentations[0].labels > 0).sum())
            found.shares.append((case.group, 100.0 * marked / max(case.lung_pixels, 1)))
        else:
            _count(found, case, outcome.segmentations[0].labels, recipe)
    return found


def _count(found: Found, case: Case, predicted: np.ndarray, recipe: Recipe) -> None:
    assert recipe.scheme is not None
    labels = SCHEMES[recipe.scheme].names
    told = case.truth != NOT_TOLD
    predicted, truth = predicted[told], case.truth[told]
    pairs = {"any": count(predicted > 0, truth > 0)}
    if len(labels) > 1 and not (truth == ANY).any():
        pairs |= {name: count(predicted == v, truth == v) for v, name in labels.items()}
    for label, pair in pairs.items():
        found.counts.setdefault(label, []).append((case.group, pair))
