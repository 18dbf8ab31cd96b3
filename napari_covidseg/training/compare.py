"""Two models on the same held-out cases, each case scored by both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.training.evaluate import find_all
from napari_covidseg.training.found import Found


@dataclass(frozen=True)
class Scores:
    """Mean Dice of two models.

    Attributes
    ----------
    base, new : float
        0 to 1; NaN where there is no case to tell from.
    cases : int
        Cases behind the means, the same for both.
    """

    base: float
    new: float
    cases: int


def compare(
    base: ModelInfo, new: ModelInfo, data: Path, *, model_dirs: Iterable[Path] = ()
) -> Scores:
    """Score two models on the cases that the new one's training held out.

    Parameters
    ----------
    base, new : ModelInfo
        Models of one label scheme; `new` with its recipe and split in its folder.
    data : Path
        Data folder of that recipe.
    model_dirs : iterable of Path
        Further folders of models.

    Raises
    ------
    CovidsegError
        If data or models are missing.
    """
    dirs = tuple(model_dirs)
    found = [list(find_all(new, data, model=model, model_dirs=dirs)) for model in (base, new)]
    pairs = [pair for sets in zip(*found, strict=True) for pair in _paired(*sets)]
    if not pairs:
        return Scores(float("nan"), float("nan"), 0)
    means = np.mean(pairs, axis=0)
    return Scores(float(means[0]), float(means[1]), len(pairs))


def _paired(base: Found, new: Found) -> list[tuple[float, float]]:
    """Dice of both models case by case, the mean over labels."""
    labels = [label for label in new.counts if label != "any"]
    if any(len(new.counts[label]) < len(new.counts["any"]) for label in labels):
        labels = []  # of some cases the labels are not told apart
    dice = [
        np.array([[pair.dice for _, pair in found.counts[label]] for label in labels or ["any"]])
        for found in (base, new)
    ]
    return paired_means(*dice)


def paired_means(base: np.ndarray, new: np.ndarray) -> list[tuple[float, float]]:
    """Mean over labels of each case's Dice, for both models.

    Parameters
    ----------
    base, new : ndarray, shape (labels, cases)
        NaN where neither truth nor prediction has the label. Where that is so for one
        model only, it was right and the other was not: it counts as 1, or the model that
        marks too much would be spared its 0. Where it is so for both, it is left out.

    Returns
    -------
    list of (float, float)
        One pair for each case of which any label can tell.
    """
    told = ~(np.isnan(base) & np.isnan(new))
    filled = [np.where(np.isnan(dice), 1.0, dice) for dice in (base, new)]
    return [
        (float(filled[0][told[:, k], k].mean()), float(filled[1][told[:, k], k].mean()))
        for k in np.flatnonzero(told.any(axis=0))
    ]
