"""Adversarial training: a critic learns to tell drawn masks from those of the network.

The network (the generator) makes two terms small, as in pix2pix: that the critic takes its
mask for a made one, and, times ``weight``, the recipe's own loss. Both learn in one step,
from the same pictures, with the same optimiser and learning rate. The generator is judged by
a copy of the critic that does not learn, for the critic must not learn to be fooled; so one
loss is made small in one step, which any Keras backend can do.

References
----------
Isola et al., "Image-to-image translation with conditional adversarial networks"
(pix2pix), CVPR 2017, arXiv:1611.07004.
Goodfellow et al., "Generative adversarial nets", NIPS 2014, arXiv:1406.2661 (the
generator's term that does not saturate).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from napari_covidseg.nets.critic import CriticConfig, critic
from napari_covidseg.training.learner import Learner
from napari_covidseg.training.precision import precision
from napari_covidseg.training.recipe import Recipe

COLUMNS = {"mask_loss": "loss", "fooled_loss": "adversarial_loss", "judged_loss": "critic_loss"}
"""Loss of each output to its column in ``history.csv``."""


class Shown(layers.Layer):
    """Masks as the critic sees a network's: probability of each label where a mask is told.

    Logits (n, h, w, classes) and told (n, h, w, 1) to (n, h, w, classes - 1).
    """

    def call(self, logits: Any, told: Any) -> Any:
        """Show them."""
        return ops.softmax(ops.cast(logits, "float32"))[..., 1:] * told


class Unlearned(layers.Layer):
    """Masks that the critic learns from, while the generator learns nothing."""

    def call(self, masks: Any) -> Any:
        """Let no gradient through."""
        return ops.stop_gradient(masks)


class Adversary(Learner):
    """A generator with its critic.

    Parameters
    ----------
    model : keras.Model
        The generator: pictures to logits.
    loss : MaskLoss
        The recipe's own loss.
    recipe : Recipe
        With an ``[adversary]``.
    """

    def __init__(self, model: Any, loss: Any, recipe: Recipe) -> None:
        assert recipe.adversary is not None and recipe.training is not None
        self.weight = recipe.adversary.weight
        self.labels = recipe.classes - 1
        self.halved = 2**recipe.adversary.depth
        config = CriticConfig(
            recipe.input.channels, self.labels, recipe.adversary.width, recipe.adversary.depth
        )
        with precision(recipe.training.precision):
            self.critic, self._judge = critic(config), critic(config, "judge")
            self._judge.trainable = False
            super().__init__(self._together(model), loss)

    def _together(self, model: Any) -> Any:
        picture = keras.Input(model.input.shape[1:], name="picture")
        drawn = keras.Input((None, None, self.labels), name="drawn", dtype="float32")
        told = keras.Input((None, None, 1), name="told", dtype="float32")
        logits = model(picture)
        made = Shown(name="shown", dtype="float32")(logits, told)
        apart = Unlearned(name="unlearned", dtype="float32")(made)
        verdicts = [self.critic([picture, drawn]), self.critic([picture, apart])]
        outputs = {
            "mask": logits,
            "fooled": self._judge([picture, made]),
            "judged": layers.Concatenate(name="verdicts", dtype="float32")(verdicts),
        }
        return keras.Model({"picture": picture, "drawn": drawn, "told": told}, outputs)

    def compile(self, optimizer: Any) -> None:
        """Give both one optimiser, whose variables are made at once.

        A drawn and a made mask each count half in the critic's loss, as in pix2pix.
        """
        verdict = keras.losses.BinaryCrossentropy(from_logits=True)
        self._compile(
            optimizer,
            loss={"mask": self.loss, "fooled": verdict, "judged": verdict},
            loss_weights={"mask": self.weight, "fooled": 1.0, "judged": 1.0},
        )

    def prepared(self, pictures: np.ndarray, truth: np.ndarray) -> tuple[Any, Any]:
        """Make what `step` takes, outside the graph.

        Where a mask does not tell the label of a pixel, the critic sees nothing in either
        mask.
        """
        x = {
            "picture": pictures,
            "drawn": (truth[..., np.newaxis] == np.arange(1, self.labels + 1)).astype(np.float32),
            "told": (truth[..., np.newaxis] <= self.labels).astype(np.float32),
        }
        n, h, w = truth.shape
        yes = np.ones((n, h // self.halved, w // self.halved, 1), np.float32)
        judged = np.concatenate([yes, 1 - yes], axis=-1)
        return x, {"mask": self.loss.target(truth), "fooled": yes, "judged": judged}

    def step(self, x: Any, y: Any) -> dict[str, float]:
        """Take one step; gives each loss by its column in ``history.csv``."""
        for judges, learns in zip(self._judge.variables, self.critic.variables, strict=True):
            judges.assign(learns)
        found = self.trained.train_on_batch(x, y, return_dict=True)
        return {column: float(found[name]) for name, column in COLUMNS.items()}
