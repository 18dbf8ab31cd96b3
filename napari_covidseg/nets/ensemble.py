"""Several classifiers whose logits are added up, as one network.

Networks that see different things err in different places, so that their sum is right more
often than each.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg import nets
from napari_covidseg.nets.config import EnsembleConfig


def ensemble(config: EnsembleConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1): the sum of those of the members, each
        times its share.

    Raises
    ------
    ValueError
        If a member does not fit.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    total: Any = 0.0
    for k, member in enumerate(config.members):
        model = nets.build(member.architecture, member.config)
        channels = model.input.shape[-1]
        if channels > config.channels:
            raise ValueError(f"member {k} takes {channels} channels, not {config.channels}")
        total = total + member.share * _answer(model, k, inputs[..., :channels])
    logit = layers.Activation("linear", dtype="float32", name="answer")(total)
    return keras.Model(inputs, logit, name="ensemble")


def fill(model: Any, k: int, member: Any) -> int:
    """Fill member `k` of an ensemble with the weights of that classifier.

    Returns
    -------
    int
        Arrays filled.
    """
    filled = 0
    for layer in member.layers:
        weights = layer.get_weights()
        if weights:
            model.get_layer(_name(k, layer.name)).set_weights(weights)
            filled += len(weights)
    return filled


def _answer(model: Any, k: int, shown: Any) -> Any:
    """Give a classifier's logit for another input, its layers under names of their own."""
    for operation in model.operations:
        operation.name = _name(k, operation.name)
    # Not as one nested layer: class activation maps look at the layers in it.
    return model.call(shown)


def _name(k: int, name: str) -> str:
    return f"member{k}_{name}"
