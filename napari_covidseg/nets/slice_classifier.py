"""Slice classifier on the encoder of a segmentation U-Net.

The encoder may start from a network that has learnt to draw lungs and infection, so
that the answer is built on what such a network sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.unet import UNetConfig, encoder


@dataclass(frozen=True)
class SliceClassifierConfig:
    """What decides the shape of the network.

    Attributes
    ----------
    channels, base, depth, stem, widest
        As in `UNetConfig`.
    hidden : int
        Units of the layer between pooled features and the answer.
    dropout : float
        Dropout before and after that layer, 0 to 1.
    """

    channels: int = 1
    base: int = 24
    depth: int = 4
    stem: int = 2
    widest: int = 256
    hidden: int = 64
    dropout: float = 0.3


def slice_classifier(config: SliceClassifierConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1).
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    body = UNetConfig(
        channels=config.channels,
        base=config.base,
        depth=config.depth,
        stem=config.stem,
        widest=config.widest,
    )
    features = encoder(inputs, body)
    # A small lesion shows in the maximum, a diffuse one in the mean.
    pooled = layers.Concatenate(name="pooled")(
        [
            pool(name=f"{name}{level}")(features[level])
            for level in (config.depth - 1, config.depth)
            for name, pool in (
                ("mean", layers.GlobalAveragePooling2D),
                ("max", layers.GlobalMaxPooling2D),
            )
        ]
    )
    x = layers.Dropout(config.dropout, name="dropout1")(pooled)
    x = layers.Dense(config.hidden, activation="relu", name="hidden")(x)
    x = layers.Dropout(config.dropout, name="dropout2")(x)
    logit = layers.Dense(1, dtype="float32", name="logit")(x)
    return keras.Model(inputs, logit, name="slice_classifier")
