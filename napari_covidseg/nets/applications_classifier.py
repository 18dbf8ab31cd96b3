"""Classifier of slices and films: a named backbone of Keras, pooled, and an MLP.

The backbones are those of ``keras.applications``, built without weights; a recipe says
whether they start from ImageNet's. What each expects of its pixels is a part of the model.

References
----------
Huang et al., "Densely connected convolutional networks", CVPR 2017, arXiv:1608.06993.
He et al., "Deep residual learning for image recognition", CVPR 2016, arXiv:1512.03385.
Simonyan, Zisserman, "Very deep convolutional networks", ICLR 2015, arXiv:1409.1556.
Szegedy et al., "Inception-v4, Inception-ResNet", AAAI 2017, arXiv:1602.07261.
Sandler et al., "MobileNetV2", CVPR 2018, arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import ApplicationsClassifierConfig

Pixels = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Factor and offset of each colour: how a backbone wants values of 0 to 1."""

SYMMETRIC: Pixels = ((2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))
"""-1 to 1."""
CENTRED: Pixels = ((255.0, 255.0, 255.0), (-103.939, -116.779, -123.68))
"""0 to 255, less the mean blue, green and red of ImageNet."""
STANDARDISED: Pixels = (
    (1 / 0.229, 1 / 0.224, 1 / 0.225),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
"""Less the mean red, green and blue of ImageNet, by their standard deviations."""

BACKBONES: dict[str, Pixels] = {
    "DenseNet121": STANDARDISED,
    "InceptionResNetV2": SYMMETRIC,
    "MobileNetV2": SYMMETRIC,
    "ResNet50": CENTRED,
    "VGG16": CENTRED,
}

PREFIX = "backbone_"
"""Begins the name of every layer of the backbone; a number in the order of the data follows."""


def applications_classifier(config: ApplicationsClassifierConfig) -> Any:
    """Build the network; its name is that of the backbone.

    Returns
    -------
    keras.Model
        (n, h, w, 1) in 0..1 to one logit (n, 1); h and w at least 32 (InceptionResNetV2: 96).
    """
    inputs = keras.Input((None, None, 1), name="image")
    x = layers.Concatenate(name="colours")([inputs] * 3)
    x = layers.Rescaling(*BACKBONES[config.backbone], name="to_range")(x)
    body = getattr(keras.applications, config.backbone)(
        include_top=False, weights=None, input_tensor=x
    )
    x = layers.GlobalAveragePooling2D(name="mean")(body.output)
    for k, width in enumerate(config.hidden, 1):
        x = layers.Dropout(config.dropout, name=f"dropout{k}")(x)
        x = layers.Dense(width, activation="relu", name=f"hidden{k}")(x)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    model = keras.Model(inputs, layers.Dense(1, dtype="float32", name="answer")(x))
    return _named(model, _of_backbone(body), config.backbone)


def backbone(model: Any) -> list[Any]:
    """Give the layers of a classifier's backbone, in the order of the data."""
    return [layer for layer in model.layers if layer.name.startswith(PREFIX)]


def _of_backbone(body: Any) -> list[Any]:
    return [layer for layer in body.layers if layer.name not in ("image", "colours", "to_range")]


def _named(model: Any, of_backbone: list[Any], name: str) -> Any:
    """Copy a model and name its layers: Keras counts some names up from model to model."""
    names = {layer.name: f"{PREFIX}{k:03d}" for k, layer in enumerate(of_backbone)}

    def copy(layer: Any) -> Any:
        return type(layer).from_config(
            {**layer.get_config(), "name": names.get(layer.name, layer.name)}
        )

    copied = keras.models.clone_model(model, clone_function=copy)
    return keras.Model(copied.input, copied.output, name=name)
