"""One step of training: what goes into a network, and what is made small."""

from __future__ import annotations

from typing import Any

import numpy as np


class Learner:
    """A network and its loss.

    Parameters
    ----------
    model : keras.Model
        The network.
    loss : MaskLoss or AnswerLoss
        What is made small.

    Attributes
    ----------
    trained : keras.Model
        What is compiled and takes the steps; its variables and those of its optimiser are
        all that a step changes.
    """

    def __init__(self, model: Any, loss: Any) -> None:
        self.trained = model
        self.loss = loss

    def compile(self, optimizer: Any) -> None:
        """Give it an optimiser, whose variables are made at once."""
        self._compile(optimizer, loss=self.loss)

    def _compile(self, optimizer: Any, **losses: Any) -> None:
        self.trained.compile(optimizer=optimizer, jit_compile=False, **losses)
        optimizer.build(self.trained.trainable_variables)

    def prepared(self, pictures: np.ndarray, truth: np.ndarray) -> tuple[Any, Any]:
        """Make what `step` takes, outside the graph.

        Parameters
        ----------
        pictures : ndarray of float32, shape (n, size, size, channels)
        truth : ndarray
            Masks (n, size, size) or classes (n,), see ``training.losses``.
        """
        return pictures, self.loss.target(truth)

    def step(self, x: Any, y: Any) -> dict[str, float]:
        """Take one step; gives each loss by its column in ``history.csv``."""
        return {"loss": float(self.trained.train_on_batch(x, y))}
