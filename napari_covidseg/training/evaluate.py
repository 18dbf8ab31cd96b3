"""Measure a model on the cases that its split holds out, as a user would run it.

Every case goes through ``inference.run`` at its own resolution. Means are over cases;
their intervals resample patients (or whatever the split keeps together).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg.inference import run
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.labels import SCHEMES
from napari_covidseg.measure.agreement import Counts, bootstrap_interval, count
from napari_covidseg.study import Modality, Study, from_array
from napari_covidseg.training.dataset import is_validation, read_split
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.sources import ANY, NOT_TOLD, Item, load

POOLED = {"covid_slices_lungs", "covid_slices_infection"}
"""Sets whose slices are a part of a volume: counts are pooled by patient."""

DISPLAY_AFFINE = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
"""Display (z, y, x) to RAS+ for items, which are loaded in display order."""


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    set : str
        Data set.
    measure : str
        What was measured, e.g. ``"Dice"``.
    unit : str
        What a case is: ``"picture"``, ``"volume"`` or ``"patient"``.
    label : str
        Which label; ``"any"`` for foreground as a whole.
    n, groups : int
        Cases, and patients (or groups) they come from.
    mean, low, high : float
        Mean with its 95% bootstrap interval.
    median, worst : float
    """

    set: str
    measure: str
    unit: str
    label: str
    n: int
    groups: int
    mean: float
    low: float
    high: float
    median: float
    worst: float

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        groups: Sequence[str],
        *,
        high_is_bad: bool = False,
        **names: Any,
    ) -> Figure:
        """Sum up one value a case; NaN (nothing to find, nothing found) is left out."""
        kept = [(v, g) for v, g in zip(values, groups, strict=True) if not np.isnan(v)]
        numbers = np.array([v for v, _ in kept])
        owners = [g for _, g in kept]
        if not kept:
            nan = float("nan")
            return cls(**names, n=0, groups=0, mean=nan, low=nan, high=nan, median=nan, worst=nan)
        low, high = bootstrap_interval(numbers, groups=owners)
        return cls(
            **names,
            n=len(numbers),
            groups=len(set(owners)),
            mean=float(numbers.mean()),
            low=low,
            high=high,
            median=float(np.median(numbers)),
            worst=float(numbers.max() if high_is_bad else numbers.min()),
        )


@dataclass(frozen=True, eq=False)
class Case:
    """What is run at once: a picture or a whole volume, with its truth."""

    study: Study
    truth: np.ndarray
    group: str
    lung_pixels: int


def evaluate_model(
    info: ModelInfo,
    data: Path,
    *,
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
    model_dirs : iterable of Path
        Folders with other models that it needs.
    log : callable
        Takes one line a figure.

    Raises
    ------
    CovidsegError
        If a data set is missing or the split is unknown.
    """
    recipe = load_recipe(info.folder / "recipe.toml")
    split = read_split(recipe.split)
    figures: list[Figure] = []
    for spec in recipe.data:
        items = [item for item in load(spec.set, data) if is_validation(item, split)]
        if recipe.task == "classification":
            found = _classification(items, recipe, info, tuple(model_dirs))
        elif spec.set.endswith("_healthy"):
            found = _false_alarm(items, recipe, info, tuple(model_dirs))
        else:
            found = _segmentation(items, recipe, info, tuple(model_dirs))
        # A label that is nowhere to find, and nowhere found, has no figure.
        found = [figure for figure in found if figure.n]
        for figure in found:
            log(in_words(figure))
        figures += found
    return figures


def in_words(f: Figure) -> str:
    """One line for people."""
    return (
        f"{f.set}: {f.measure} of {f.label} {f.mean:.3f} [{f.low:.3f}, {f.high:.3f}], "
        f"worst {f.worst:.3f}, n = {f.n} {f.unit}s of {f.groups}"
    )


def as_rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Plain values for JSON, rounded to four places."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(f).items()}
        for f in figures
    ]


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


def _segmentation(
    items: Sequence[Item], recipe: Recipe, info: ModelInfo, dirs: tuple[Path, ...]
) -> list[Figure]:
    assert recipe.scheme is not None
    labels = SCHEMES[recipe.scheme].names
    name = items[0].set if items else "?"
    pooled = name in POOLED
    unit = "patient" if pooled else "volume" if items and items[0].volume else "picture"
    counts: dict[str, list[tuple[str, Counts]]] = {key: [] for key in ("any", *labels.values())}
    for case in cases(items, Modality(recipe.modality)):
        predicted = run(case.study, [info.name], model_dirs=dirs).segmentations[0].labels
        told = case.truth != NOT_TOLD
        predicted, truth = predicted[told], case.truth[told]
        counts["any"].append((case.group, count(predicted > 0, truth > 0)))
        if len(labels) > 1 and not (truth == ANY).any():
            for value, label in labels.items():
                pair = count(predicted == value, truth == value)
                counts[label].append((case.group, pair))
    figures = []
    for label, found in counts.items():
        if pooled:
            sums: dict[str, Counts] = {}
            for group, pair in found:
                sums[group] = sums.get(group, Counts()) + pair
            found = list(sums.items())
        if not found:
            continue
        figures += [
            Figure.of(
                [getattr(pair, measure) for _, pair in found],
                [group for group, _ in found],
                set=name,
                measure="Dice" if measure == "dice" else measure,
                unit=unit,
                label=label,
            )
            for measure in (("dice", "sensitivity", "precision") if label == "any" else ("dice",))
        ]
    return figures


def _false_alarm(
    items: Sequence[Item], recipe: Recipe, info: ModelInfo, dirs: tuple[Path, ...]
) -> list[Figure]:
    """Share of the lung that is marked where there is no disease to mark, in percent."""
    shares, groups = [], []
    unit = "picture"
    for case in cases(items, Modality(recipe.modality)):
        marked = run(case.study, [info.name], model_dirs=dirs).segmentations[0].labels > 0
        shares.append(100.0 * int(marked.sum()) / max(case.lung_pixels, 1))
        groups.append(case.group)
        unit = "volume" if case.study.ndim == 3 else "picture"
    return [
        Figure.of(
            shares,
            groups,
            high_is_bad=True,
            set=items[0].set if items else "?",
            measure="% of lung marked",
            unit=unit,
            label="any",
        )
    ]


def _classification(
    items: Sequence[Item], recipe: Recipe, info: ModelInfo, dirs: tuple[Path, ...]
) -> list[Figure]:
    """Area under the ROC curve, overall and by source, and accuracy at the threshold."""
    rows = []
    for case in cases(items, Modality(recipe.modality)):
        answer = run(case.study, [info.name], model_dirs=dirs).classifications[0].probability
        rows.append((case.group, int(case.truth), answer))
    sources = sorted({group.split("/")[0] for group, _, _ in rows})
    figures = []
    for source in ("all", *sources):
        mine = [r for r in rows if source in ("all", r[0].split("/")[0])]
        truth = np.array([t for _, t, _ in mine])
        p = np.array([v for _, _, v in mine])
        groups = np.array([g for g, _, _ in mine])
        names: dict[str, Any] = {"set": items[0].set, "unit": "picture", "label": source}
        figures.append(auc_figure(truth, p, groups, measure="AUC", **names))
        right = ((p >= info.threshold) == truth.astype(bool)).astype(float)
        figures.append(Figure.of(right, list(groups), measure="accuracy", **names))
    return figures


def auc_figure(truth: np.ndarray, p: np.ndarray, groups: np.ndarray, **names: Any) -> Figure:
    """Area under the ROC curve as a figure."""
    low, high = _auc_interval(truth, p, groups)
    nan = float("nan")
    owners = len(set(groups))
    return Figure(
        **names,
        n=len(truth),
        groups=owners,
        mean=auc(truth, p),
        low=low,
        high=high,
        median=nan,
        worst=nan,
    )


def auc(truth: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative.

    Parameters
    ----------
    truth : ndarray of 0 and 1
    p : ndarray of float
        Scores; ties count one half.
    """
    from scipy.stats import rankdata

    positive = truth == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return float("nan")
    ranks = rankdata(p)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _auc_interval(
    truth: np.ndarray, p: np.ndarray, groups: np.ndarray, n: int = 1000
) -> tuple[float, float]:
    """95% interval of the AUC by resampling whole groups."""
    rng = np.random.default_rng(0)
    _, owner = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(owner == k) for k in range(owner.max() + 1)]
    values = []
    for _ in range(n):
        drawn = rng.integers(0, len(members), len(members))
        index = np.concatenate([members[k] for k in drawn])
        values.append(auc(truth[index], p[index]))
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)
