"""Classifier of slices: one linear layer on what MobileNetV2 sees.

The features stay those of ImageNet, so that a few thousand pictures are enough to learn the
rest, and no picture is learnt by heart.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import FeatureClassifierConfig
from napari_covidseg.nets.mobilenet import mobilenet

POOLED, SCALE, ANSWER = "pooled", "scale", "answer"
"""Layers of the features, their standardisation and the logit."""


def feature_classifier(config: FeatureClassifierConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1).
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    grey = layers.Rescaling(2.0, -1.0, name="to_range")(inputs[..., :1])
    backbone = mobilenet(layers.Concatenate(name="colours")([grey, grey, grey]))
    # A small lesion shows in the maximum, a diffuse one in the mean.
    pooled = [
        pool(name=f"{name}{k}")(x)
        for k, x in enumerate((backbone.middle, backbone.last))
        for name, pool in (
            ("mean", layers.GlobalAveragePooling2D),
            ("max", layers.GlobalMaxPooling2D),
        )
    ]
    logit = linear(layers.Concatenate(name=POOLED)(pooled))
    return keras.Model(inputs, logit, name="feature_classifier")


def linear(pooled: Any) -> Any:
    """Give the logit of features (n, k), the layer that ``training.head`` fits."""
    x = layers.BatchNormalization(center=False, scale=False, name=SCALE)(pooled)
    return layers.Dense(1, dtype="float32", name=ANSWER)(x)
