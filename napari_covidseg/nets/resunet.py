"""ResUNet: a U-Net whose steps are residual blocks, in full pre-activation.

Shortcuts let the gradient pass each block, so that a network with half of a U-Net's
weights learns as much; resolution falls by strided convolutions instead of pooling.

References
----------
Zhang et al., "Road extraction by deep residual U-Net", IEEE GRSL 2018, arXiv:1711.10684.
He et al., "Identity mappings in deep residual networks", ECCV 2016, arXiv:1603.05027.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import ResUNetConfig
from napari_covidseg.nets.norm import normalised


def resunet(config: ResUNetConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to logits (n, h, w, classes); h and w multiples of
        ``2**depth``.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    first = layers.Conv2D(config.width(0), 3, padding="same", name="enc0_conv1")(inputs)
    x = layers.Add(name="enc0_add")(
        [_conv(first, config.width(0), "enc0", 2), _shortcut(inputs, config.width(0), "enc0")]
    )
    skips = []
    for level in range(1, config.depth + 1):
        skips.append(x)
        x = residual_block(x, config.width(level), f"enc{level}", stride=2)
    if config.dropout:
        x = layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    for k in (1, 2):
        x = _conv(x, config.width(config.depth), "bridge", k)
    for level, skip in reversed(list(enumerate(skips))):
        x = layers.UpSampling2D(2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([x, skip])
        # Channels are halved one level later than in a U-Net, as the upsampling learns nothing.
        x = residual_block(x, config.width(level + 1), f"dec{level}")
    logits = layers.Conv2D(config.classes, 1, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="resunet")


def residual_block(x: Any, width: int, name: str, stride: int = 1) -> Any:
    """Two times batch normalisation, ReLU, convolution; what came in is added."""
    changed = _conv(_conv(x, width, name, 1, stride), width, name, 2)
    return layers.Add(name=f"{name}_add")([changed, _shortcut(x, width, name, stride)])


def _conv(x: Any, width: int, name: str, k: int, stride: int = 1) -> Any:
    x = normalised(x, f"{name}_norm{k}")
    x = layers.Activation("relu", name=f"{name}_relu{k}")(x)
    return layers.Conv2D(width, 3, strides=stride, padding="same", name=f"{name}_conv{k}")(x)


def _shortcut(x: Any, width: int, name: str, stride: int = 1) -> Any:
    x = layers.Conv2D(width, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(x)
    return normalised(x, f"{name}_shortcut_norm")
