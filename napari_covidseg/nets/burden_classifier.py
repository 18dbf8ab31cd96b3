"""Classifier of slices: one linear layer on how much of the lungs a network draws as ill.

Where a picture comes from hardly shows in how much of its lungs is ill, so that these few
numbers mean much the same in a place that was never seen.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from napari_covidseg.nets.config import MobileNetUNetConfig
from napari_covidseg.nets.feature_classifier import POOLED, linear
from napari_covidseg.nets.mobilenet_unet import mobilenet_unet

LEAST = 1e-3
"""Part of the lungs below which more or less of it tells nothing."""


def burden_classifier(config: MobileNetUNetConfig) -> Any:
    """Build the network; `config` is that of the `mobilenet_unet` that draws.

    Features are the logarithms of the parts of the lungs that each class takes and that all
    take together, by their probabilities, and the highest probability of any.

    Returns
    -------
    keras.Model
        (n, h, w, 2), picture and lungs in 0..1, to one logit (n, 1).

    Raises
    ------
    ValueError
        If the network that draws is not shown the lungs.
    """
    if config.channels != 2:
        raise ValueError("channels must be 2: the picture and the lungs")
    body = mobilenet_unet(config)
    lungs = body.input[..., 1:2]
    drawn = layers.Softmax(name="drawn")(body.output)[..., 1:] * lungs
    # Pooled by layers of their own, so that a map can be made of what was drawn.
    parts = layers.GlobalAveragePooling2D(name="mean_drawn")(drawn)
    parts = parts / ops.maximum(ops.mean(lungs, axis=(1, 2)), LEAST)
    total = ops.sum(parts, axis=-1, keepdims=True)
    largest = layers.GlobalMaxPooling2D(name="max_drawn")(ops.sum(drawn, axis=-1, keepdims=True))
    seen = [ops.log(parts + LEAST), ops.log(total + LEAST), largest]
    logit = linear(layers.Concatenate(name=POOLED)(seen))
    return keras.Model(body.input, logit, name="burden_classifier")
