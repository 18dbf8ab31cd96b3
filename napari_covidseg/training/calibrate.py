"""Fit what a classifier's logits are divided by, and the probability from which it says yes.

Where ``head`` fits the last layer both are chosen in cross-validation over training patients.
A network that is trained step by step keeps a part of them apart (``calibration`` in the
recipe) for what its logits are divided by; its threshold is the recipe's. Batches show both
classes equally often, so of calibrated probabilities one half is where sensitivity and
specificity together are best, and a few dozen pictures would only move it by chance.
Cases that a model is measured on choose neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from napari_covidseg.inference.network import both_ways
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.dataset import Cached
from napari_covidseg.training.held_out import divide
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.validation import predict


@dataclass(frozen=True)
class Calibration:
    """What turns logits into probabilities and a yes or no.

    Attributes
    ----------
    temperature : float
        What logits are divided by, so that probabilities mean what they say.
    threshold : float
        Probability from which the answer is yes.
    cases, groups : int
        Pictures that it was fitted on, and patients they come from.
    """

    temperature: float
    threshold: float
    cases: int
    groups: int

    def card(self, how: str) -> dict[str, Any]:
        """Fields of ``model.json``; `how` the cases were kept out of training, in words."""
        return {
            "temperature": self.temperature,
            "threshold": self.threshold,
            "calibrated": {"cases": self.cases, "groups": self.groups, "how": how},
        }

    def in_words(self) -> str:
        """One line for people."""
        return (
            f"temperature {self.temperature} by {self.cases} pictures of {self.groups}, "
            f"threshold {self.threshold}"
        )


def keep_apart(items: Sequence[Cached], recipe: Recipe) -> tuple[list[Cached], list[Cached]]:
    """Divide training items into those to learn from and those to calibrate on.

    Whole groups are kept apart, the same part of each class of each source.

    Parameters
    ----------
    items : sequence of Cached
        Training items of a classification.
    recipe : Recipe
        With ``calibration``, the part to keep apart; 0 keeps nothing apart.

    Returns
    -------
    learn, calibrate : list of Cached

    Raises
    ------
    CovidsegError
        If one of the classes is missing on either side.
    """
    if not recipe.calibration:
        return list(items), []
    kinds: defaultdict[str, set[tuple[str, str, int]]] = defaultdict(set)
    for c in items:
        source = c.item.group.rpartition("/")[0]
        kinds[c.item.group].add((c.item.set, source, int(c.labels)))
    alike: defaultdict[tuple[tuple[str, str, int], ...], list[str]] = defaultdict(list)
    for group, kind in kinds.items():
        alike[tuple(sorted(kind))].append(group)
    kept = {g for groups in alike.values() for g in divide(groups, recipe.calibration, recipe.seed)}
    learn = [c for c in items if c.item.group not in kept]
    calibrate = [c for c in items if c.item.group in kept]
    if any(len({int(c.labels) for c in side}) < 2 for side in (learn, calibrate)):
        raise CovidsegError(
            f"calibration = {recipe.calibration} leaves one class without training pictures, or "
            "without any to calibrate on: add patients, or set calibration = 0 in the recipe."
        )
    return learn, calibrate


def calibrate(
    model: Any, items: Sequence[Cached], recipe: Recipe, *, mirrored: bool
) -> Calibration:
    """Fit the temperature of a trained network on items that it did not learn from.

    Parameters
    ----------
    model : keras.Model
    items : sequence of Cached
        Both classes.
    recipe : Recipe
    mirrored : bool
        Whether a picture is shown mirrored too in use. The mean of two answers is less sure
        than each, so that it has a temperature of its own.
    """
    truth = np.array([int(c.labels) for c in items])
    logits = predict(_both_ways(model) if mirrored else model, items, recipe)[:, 0]
    found = temperature(logits, truth)
    return Calibration(found, recipe.threshold, len(items), len({c.item.group for c in items}))


def _both_ways(model: Any) -> Callable[..., Any]:
    """Let a network answer for a picture as it does in use, from two sides."""
    return lambda pictures, training: both_ways(partial(model, training=training), pictures)


def fit(logits: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> Calibration:
    """Fit temperature and threshold.

    Parameters
    ----------
    logits : ndarray of float, shape (n,)
        Of pictures that had no part in making them.
    truth : ndarray of 0 and 1, shape (n,)
        Both classes.
    groups : ndarray of str, shape (n,)
        Patients.
    """
    found = temperature(logits, truth)
    cut = youden(expit(logits / found), truth)
    # A model that tells nothing may have its best cut at 0 or 1, which is no threshold.
    threshold = min(max(round(cut, 3), 0.001), 0.999)
    return Calibration(found, threshold, len(truth), len(set(groups)))


def temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Temperature of the least cross-entropy (Guo et al., ICML 2017, arXiv:1706.04599)."""

    def cost(log_t: float) -> float:
        z = logits / np.exp(log_t)
        return float(np.mean(np.logaddexp(0, z) - truth * z))

    return round(float(np.exp(minimize_scalar(cost, bounds=(-3, 4), method="bounded").x)), 3)


def youden(p: np.ndarray, truth: np.ndarray) -> float:
    """Threshold of the largest sensitivity + specificity - 1 (Youden, Cancer 1950).

    It lies half way between the lowest probability that counts as positive and the next one
    below: what is between them is not known, and the middle favours neither class.

    Parameters
    ----------
    p : ndarray of float, shape (n,)
        Probabilities.
    truth : ndarray of 0 and 1, shape (n,)
        Both classes.
    """
    cuts = np.unique(p)
    positive, negative = np.sort(p[truth == 1]), np.sort(p[truth == 0])
    missed = np.searchsorted(positive, cuts) / len(positive)
    left_alone = np.searchsorted(negative, cuts) / len(negative)
    best = int(np.argmax(left_alone - missed))
    return float(cuts[max(0, best - 1) : best + 1].mean())
