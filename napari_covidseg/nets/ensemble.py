"""Several classifiers whose logits are added up, as one network.

Networks that see different things err in different places, so that their sum is right more
often than each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from napari_covidseg import nets


@dataclass(frozen=True)
class Member:
    """One of the classifiers.

    Attributes
    ----------
    architecture : str
    config : mapping
        As in `nets.build`.
    share : float
        What its logit is multiplied by.
    """

    architecture: str
    config: Mapping[str, Any]
    share: float


@dataclass(frozen=True)
class EnsembleConfig:
    """What decides the shape of the network.

    Attributes
    ----------
    members : sequence of mapping
        The fields of each `Member`.
    channels : int
        Input channels. A member is shown as many of them, from the first on, as it takes.
    """

    members: Sequence[Mapping[str, Any]]
    channels: int = 1


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
        If there is no member, or one does not fit.
    """
    if not config.members:
        raise ValueError("members must name a classifier at least")
    inputs = keras.Input((None, None, config.channels), name="image")
    total: Any = 0.0
    for k, member in enumerate(Member(**fields) for fields in config.members):
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
