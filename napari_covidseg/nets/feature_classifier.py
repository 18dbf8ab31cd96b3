"""Slice classifier: one linear layer on what two networks see.

A U-Net that has learnt to draw infection tells what is ill and how much of it; a
MobileNetV2 trained on ImageNet tells what else the picture looks like. Their features
stay as they are, so that a few thousand pictures are enough to learn the rest.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.mobilenet import mobilenet
from napari_covidseg.nets.unet import UNetConfig, unet

POOLED, SCALE, ANSWER = "pooled", "scale", "answer"
"""Layers of the features, their standardisation and the logit."""


def feature_classifier(config: UNetConfig) -> Any:
    """Build the network; `config` is that of its U-Net.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1).

    Raises
    ------
    ValueError
        If the U-Net is too shallow to have the levels that are looked at.
    """
    if config.depth < 2:
        raise ValueError("depth must be at least 2")
    body = unet(config)
    grey = layers.Rescaling(2.0, -1.0, name="to_range")(body.input[..., :1])
    backbone = mobilenet(layers.Concatenate(name="colours")([grey, grey, grey]))
    drawn = layers.Softmax(name="drawn")(body.output)[..., 1:]
    seen = [
        body.get_layer(f"enc{level}_relu2").output for level in (config.depth, config.depth - 1)
    ]
    seen += [body.get_layer("dec1_relu2").output, drawn, backbone.middle, backbone.last]
    # A small lesion shows in the maximum, a diffuse one in the mean.
    pooled = [
        pool(name=f"{name}{k}")(x)
        for k, x in enumerate(seen)
        for name, pool in (
            ("mean", layers.GlobalAveragePooling2D),
            ("max", layers.GlobalMaxPooling2D),
        )
    ]
    x = layers.Concatenate(name=POOLED)(pooled)
    x = layers.BatchNormalization(center=False, scale=False, name=SCALE)(x)
    logit = layers.Dense(1, dtype="float32", name=ANSWER)(x)
    return keras.Model(body.input, logit, name="feature_classifier")
