"""U-Net whose way down is a MobileNetV2, so that it can start from ImageNet.

A few hundred labelled slices teach a fresh network little about edges and textures;
a backbone that has seen a million photographs brings them along. It is also cheaper
than the plain U-Net's first levels: most of its arithmetic is in 1x1 convolutions.

References
----------
Ronneberger et al., "U-Net", MICCAI 2015, arXiv:1505.04597.
Iglovikov, Shvets, "TernausNet", 2018, arXiv:1801.05746 (a pretrained way down).
Sandler et al., "MobileNetV2", CVPR 2018, arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import MobileNetUNetConfig
from napari_covidseg.nets.mobilenet import mobilenet
from napari_covidseg.nets.unet import conv_block, refined


def mobilenet_unet(config: MobileNetUNetConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to logits (n, h, w, classes); h and w multiples of 32.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    *skips, x = mobilenet(layers.Rescaling(2.0, -1.0, name="to_range")(inputs)).levels
    if config.dropout:
        x = layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    for level, (skip, width) in reversed(list(enumerate(zip(skips, config.widths, strict=True)))):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([skip, x])
        x = conv_block(x, width, f"dec{level}")
    logits = refined(x, inputs, width=config.refine, block=2, classes=config.classes)
    return keras.Model(inputs, logits, name="mobilenet_unet")
