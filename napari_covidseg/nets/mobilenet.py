"""Slice classifier on MobileNetV2, whose ImageNet weights it can start from.

Batch normalisation is folded into the convolutions, as published ImageNet weights for
small devices have it: each convolution has a bias, and there are no running statistics
to drift when a few hundred pictures of another kind are learnt.

References
----------
Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018,
arXiv:1801.04381.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

BLOCKS = (
    # (expansion, channels, repeats, stride), table 2 of the paper.
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LAST = 1280


@dataclass(frozen=True)
class MobileNetConfig:
    """What decides the shape of the network.

    Attributes
    ----------
    channels : int
        Input channels; the first is shown to the network's three colours.
    hidden : int
        Units of the layer between pooled features and the answer.
    dropout : float
        Dropout before and after that layer, 0 to 1.
    """

    channels: int = 1
    hidden: int = 64
    dropout: float = 0.3


def mobilenet_classifier(config: MobileNetConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1).
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    grey = layers.Rescaling(2.0, -1.0, name="to_range")(inputs[..., :1])
    x = mobilenet(layers.Concatenate(name="colours")([grey, grey, grey]))
    # A small lesion shows in the maximum, a diffuse one in the mean.
    x = layers.Concatenate(name="pooled")(
        [layers.GlobalAveragePooling2D(name="mean")(x), layers.GlobalMaxPooling2D(name="max")(x)]
    )
    x = layers.Dropout(config.dropout, name="dropout1")(x)
    x = layers.Dense(config.hidden, activation="relu", name="hidden")(x)
    x = layers.Dropout(config.dropout, name="dropout2")(x)
    logit = layers.Dense(1, dtype="float32", name="logit")(x)
    return keras.Model(inputs, logit, name="mobilenet_classifier")


def mobilenet(x: Any) -> Any:
    """Features (n, h/32, w/32, 1280) of pictures (n, h, w, 3) in -1..1."""
    x = _conv(x, 32, 3, "first", stride=2)
    k = 0
    for expansion, width, repeats, stride in BLOCKS:
        for i in range(repeats):
            x = _block(x, expansion, width, stride if i == 0 else 1, f"block{k}")
            k += 1
    return _conv(x, LAST, 1, "last")


def convolutions(model: Any) -> list[Any]:
    """Give the convolutions of the backbone in the order of the data."""
    return [x for x in model.layers if isinstance(x, layers.Conv2D | layers.DepthwiseConv2D)]


def _block(x: Any, expansion: int, width: int, stride: int, name: str) -> Any:
    shown = x
    if expansion > 1:
        x = _conv(x, x.shape[-1] * expansion, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(width, 1, name=f"{name}_project")(x)
    if stride == 1 and shown.shape[-1] == width:
        x = layers.Add(name=f"{name}_add")([shown, x])
    return x


def _conv(x: Any, width: int, size: int, name: str, stride: int = 1) -> Any:
    x = layers.Conv2D(width, size, strides=stride, padding="same", name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
