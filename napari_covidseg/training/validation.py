"""What a network makes of validation pictures: figures after each epoch, and a few to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops
from scipy.special import softmax

from napari_covidseg.study import CovidsegError
from napari_covidseg.training import metrics
from napari_covidseg.training.dataset import Cached, stack_still
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.watch import Preview

MOST = 96
"""Validation pictures looked at after an epoch, evenly chosen."""

SHOWN = 4
"""Of these, kept to be looked at."""

BATCH = 8


class Validation:
    """The pictures, ready to be shown to a network again and again.

    Parameters
    ----------
    items : sequence of Cached
        Validation items, at least one.
    recipe : Recipe
        How they are shown, and what is measured.
    loss : MaskLoss or AnswerLoss
        The loss that is trained with.
    """

    def __init__(self, items: Sequence[Cached], recipe: Recipe, loss: Any) -> None:
        chosen = [items[k] for k in _evenly(len(items), MOST)]
        self.recipe = recipe
        self.loss = loss
        self.names = [f"{c.item.set}/{c.item.name}" for c in chosen]
        self.pictures, self.truth = stack_still(chosen, recipe.input)
        self.target = loss.target(self.truth)
        self.shown = _to_show(self.truth) if recipe.task == "segmentation" else ()

    def __call__(self, model: Any) -> tuple[dict[str, float], tuple[Preview, ...]]:
        """Measure a network.

        Returns
        -------
        figures : dict of str to float
            ``val_loss`` and those of ``metrics``.
        preview : tuple of Preview
            The same few pictures every time; none for a classification.

        Raises
        ------
        CovidsegError
            If the network gives the same answer everywhere.
        """
        logits = _logits(model, self.pictures)
        _require_alive(logits)
        parts = [slice(k, k + BATCH) for k in range(0, len(logits), BATCH)]
        losses = [float(self.loss(self.target[part], logits[part])) for part in parts]
        sizes = [len(logits[part]) for part in parts]
        figures = {"val_loss": float(np.average(losses, weights=sizes))}
        scheme = self.recipe.labels
        if scheme is None:
            return figures | metrics.answer_figures(logits[:, 0], self.truth), ()
        likely = probabilities(logits)
        labels = drawn(likely, self.recipe.threshold)
        figures |= metrics.mask_figures(
            labels, self.truth, scheme, self.recipe.metrics, likely.sum(-1)
        )
        preview = tuple(
            Preview(self.names[k], self.pictures[k, ..., 0], self.truth[k], labels[k])
            for k in self.shown
        )
        return figures, preview


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Give the probability of each label (n, h, w, labels); `logits` begin with background."""
    return np.asarray(softmax(logits, axis=-1)[..., 1:])


def drawn(likely: np.ndarray, threshold: float) -> np.ndarray:
    """Draw labels as they are drawn in use.

    Parameters
    ----------
    likely : ndarray of float, shape (n, h, w, labels)
        From `probabilities`.
    threshold : float
        What all labels together must reach; then the likeliest of them is drawn.

    Returns
    -------
    ndarray of uint8, shape (n, h, w)
    """
    return np.where(likely.sum(-1) >= threshold, likely.argmax(-1) + 1, 0).astype(np.uint8)


def predict(model: Any, items: Sequence[Cached], recipe: Recipe) -> np.ndarray:
    """Logits of items as they are, batch by batch: float32 (n, ...)."""
    return np.concatenate(
        [
            _logits(model, stack_still(items[k : k + BATCH], recipe.input)[0])
            for k in range(0, len(items), BATCH)
        ]
    )


def _logits(model: Any, pictures: np.ndarray) -> np.ndarray:
    parts = [model(pictures[k : k + BATCH], training=False) for k in range(0, len(pictures), BATCH)]
    # A network of mixed precision may answer in half of it, which NumPy has no type for.
    return np.concatenate([ops.convert_to_numpy(ops.cast(part, "float32")) for part in parts])


def _require_alive(logits: np.ndarray) -> None:
    """Raise if nothing that is shown changes the answer.

    Units of a ReLU that are driven out of its range stay there: a training that goes on looks
    like one that learns slowly, and ends with a model that says one thing for all pictures.
    """
    each = logits.reshape(-1, logits.shape[-1])
    # To the bit: a network from nothing that has learnt little yet differs by little.
    if len(logits) > 1 and (each == each[0]).all():
        raise CovidsegError(
            "The network gives the same answer whatever it is shown, and will not recover: lower "
            "learning_rate or raise warmup_steps in the recipe. The last checkpoint is kept."
        )


def _to_show(truth: np.ndarray) -> tuple[int, ...]:
    """Choose a few masks evenly, from those with foreground if there are any."""
    drawn = np.flatnonzero(truth.any(axis=(1, 2)))
    of = drawn if drawn.size else np.arange(len(truth))
    return tuple(int(of[k]) for k in _evenly(len(of), SHOWN))


def _evenly(count: int, most: int) -> list[int]:
    """Choose at most so many of the indices below `count`, from the first to the last."""
    return [round(k) for k in np.linspace(0, count - 1, min(most, count)).tolist()]
