"""Classifier of slices and films: MobileNetV2, pooled, and one linear layer.

Every weight learns, from ImageNet's or from those of a `mobilenet_unet` that has learnt
what lungs or lesions look like: the layers of the backbone have the same names there.

References
----------
Sandler et al., "MobileNetV2", CVPR 2018, arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import MobileNetClassifierConfig
from napari_covidseg.nets.mobilenet import mobilenet


def mobilenet_classifier(config: MobileNetClassifierConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to one logit (n, 1); h and w multiples of 32.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    last = mobilenet(layers.Rescaling(2.0, -1.0, name="to_range")(inputs)).last
    # A small lesion shows in the maximum, a diffuse one in the mean.
    x = layers.Concatenate(name="pooled")(
        [
            layers.GlobalAveragePooling2D(name="mean")(last),
            layers.GlobalMaxPooling2D(name="max")(last),
        ]
    )
    # Features differ in size by a hundred times; the last layer should not.
    x = layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name="scale")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    return keras.Model(
        inputs, layers.Dense(1, dtype="float32", name="answer")(x), name="mobilenet_classifier"
    )
