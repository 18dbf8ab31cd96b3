"""Critic of adversarial training: tells drawn masks from masks that a network made.

It sees a mask beside its picture and answers part by part, so that it judges texture and
outline where they are rather than the mask as a whole (a "PatchGAN").

References
----------
Isola et al., "Image-to-image translation with conditional adversarial networks"
(pix2pix), CVPR 2017, arXiv:1611.07004.
He et al., "Identity mappings in deep residual networks", ECCV 2016, arXiv:1603.05027.
Wu, He, "Group normalization", ECCV 2018, arXiv:1803.08494.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

GROUPS = 4
"""Of channels that are normalised together, picture by picture: no batch decides."""


@dataclass(frozen=True)
class CriticConfig:
    """What decides the shape of the critic.

    Attributes
    ----------
    channels : int
        Of the picture.
    labels : int
        Channels of the mask: its labels, without background.
    width : int
        Channels of the finest level, a multiple of `GROUPS`; each level below has twice
        as many.
    depth : int
        Times the picture is halved, at least 1.
    """

    channels: int = 1
    labels: int = 1
    width: int = 16
    depth: int = 4


def critic(config: CriticConfig, name: str = "critic") -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        A picture (n, h, w, channels) and a mask (n, h, w, labels), both in 0..1, to
        logits (n, h / 2**depth, w / 2**depth, 1): above 0 for a drawn mask.
    """
    picture = keras.Input((None, None, config.channels), name="picture")
    mask = keras.Input((None, None, config.labels), name="mask")
    x = layers.Concatenate(name="beside")([picture, mask])
    x = layers.Conv2D(config.width, 4, strides=2, padding="same", name="stem")(x)
    for level in range(1, config.depth):
        x = _residual_block(x, config.width * 2**level, f"block{level}")
    x = layers.LeakyReLU(0.2, name="last_relu")(x)
    verdict = layers.Conv2D(1, 3, padding="same", dtype="float32", name="verdict")(x)
    return keras.Model([picture, mask], verdict, name=name)


def _residual_block(x: Any, width: int, name: str) -> Any:
    """Two convolutions in pre-activation at half the resolution, and what came in."""
    shortcut = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    shortcut = layers.Conv2D(width, 1, name=f"{name}_shortcut")(shortcut)
    for k, stride in ((1, 2), (2, 1)):
        x = layers.GroupNormalization(GROUPS, name=f"{name}_norm{k}")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu{k}")(x)
        x = layers.Conv2D(width, 3, strides=stride, padding="same", name=f"{name}_conv{k}")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])
