"""Fit the last layer of a classifier on fixed features by logistic regression.

The networks below stay as they are, so their features are computed once, and what is
left to learn has one best answer. How strongly to hold it back, the temperature of its
probabilities and its threshold are chosen on training patients alone, by
cross-validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from napari_covidseg.nets.feature_classifier import ANSWER, POOLED, SCALE
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import calibrate
from napari_covidseg.training.dataset import Cached, show, stack_still
from napari_covidseg.training.recipe import HeadSpec, Recipe

BATCH = 32
EPSILON = 1e-3
"""That of Keras's batch normalisation, which carries the standardisation."""


@dataclass(frozen=True, eq=False)
class Head:
    """A fitted last layer.

    Attributes
    ----------
    mean, variance, weights : ndarray of float, shape (features,)
        Logit = weights . (x - mean) / sqrt(variance + EPSILON) + bias.
    bias : float
    strength : float
        Inverse of the regularisation, as scikit-learn's ``C``.
    calibration : Calibration
        Temperature and threshold, in cross-validation over training patients.
    auc : float
        In cross-validation over training patients.
    """

    mean: np.ndarray
    variance: np.ndarray
    weights: np.ndarray
    bias: float
    strength: float
    calibration: calibrate.Calibration
    auc: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits (n,) of features (n, features)."""
        scaled = (features - self.mean) / np.sqrt(self.variance + EPSILON)
        return np.asarray(scaled @ self.weights + self.bias)

    def put_into(self, model: Any) -> None:
        """Write the layer into the network."""
        model.get_layer(SCALE).set_weights([self.mean, self.variance])
        model.get_layer(ANSWER).set_weights([self.weights[:, np.newaxis], np.array([self.bias])])


def features(model: Any, items: Sequence[Cached], recipe: Recipe, copies: int = 0) -> np.ndarray:
    """Compute what the networks below the last layer see.

    Returns
    -------
    ndarray of float32, shape (1 + copies, n, features)
        Of the pictures as they are, then of changed copies.
    """
    extractor = keras.Model(model.input, model.get_layer(POOLED).output)
    rounds = []
    for k in range(1 + copies):
        found = []
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            pictures = _changed(part, recipe, k, start) if k else stack_still(part, recipe.input)[0]
            found.append(ops.convert_to_numpy(extractor(pictures, training=False)))
        rounds.append(np.concatenate(found))
    return np.stack(rounds)


def _changed(part: Sequence[Cached], recipe: Recipe, k: int, start: int) -> np.ndarray:
    rng = np.random.default_rng((recipe.seed, k, start))
    shown, spec = recipe.input, recipe.augment
    return np.stack([show(c.picture, c.labels, shown, spec, False, rng, c.lungs)[0] for c in part])


def fit(
    seen: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    spec: HeadSpec,
    weights: np.ndarray | None = None,
) -> Head:
    """Fit the layer.

    Parameters
    ----------
    seen : ndarray, shape (rounds, n, features)
        From `features`.
    truth : ndarray of 0 and 1, shape (n,)
    groups : ndarray of str, shape (n,)
        Patients, which are held together.
    spec : HeadSpec
        Strengths to choose from.
    weights : ndarray of float, shape (n,), optional
        How much each picture counts; by default all the same.

    Raises
    ------
    CovidsegError
        If scikit-learn is not installed, or only one class is there.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import GroupKFold
    except ImportError as error:
        raise CovidsegError(
            'Training a classifier needs scikit-learn: pip install "napari-covidseg[train]".'
        ) from error
    if len(np.unique(truth)) < 2:
        raise CovidsegError("All training pictures are of one class: add pictures of the other.")
    mean = seen.mean((0, 1), dtype=float)
    variance = seen.var((0, 1), dtype=float)
    counts = np.ones(len(truth)) if weights is None else weights / np.mean(weights)
    scaled = ((seen - mean) / np.sqrt(variance + EPSILON)).astype(np.float32)

    def learn(rows: np.ndarray, strength: float) -> Any:
        x = scaled[:, rows].reshape(-1, scaled.shape[-1])
        model = LogisticRegression(C=strength, max_iter=500)
        truths, shares = (np.tile(each[rows], len(scaled)) for each in (truth, counts))
        return model.fit(x, truths, sample_weight=shares)

    folds = list(GroupKFold(min(5, len(np.unique(groups)))).split(truth, truth, groups))
    best: tuple[float, float, np.ndarray] | None = None
    for strength in spec.strengths:
        held_out = np.zeros(len(truth))
        for train, held in folds:
            held_out[held] = learn(train, strength).decision_function(scaled[0, held])
        auc = float(roc_auc_score(truth, held_out, sample_weight=counts))
        if best is None or auc > best[0]:
            best = auc, strength, held_out
    assert best is not None
    auc, strength, held_out = best
    last = learn(np.arange(len(truth)), strength)
    return Head(
        mean,
        variance,
        last.coef_[0],
        float(last.intercept_[0]),
        strength,
        calibrate.fit(held_out, truth, groups),
        auc,
    )
