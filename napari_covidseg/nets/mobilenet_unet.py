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

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.mobilenet import mobilenet
from napari_covidseg.nets.unet import conv_block, refined


@dataclass(frozen=True)
class MobileNetUNetConfig:
    """What decides the shape of the network.

    Attributes
    ----------
    channels : int
        Input channels. The first is the picture; ImageNet says nothing of the others.
    classes : int
        Output classes, background included.
    widths : tuple of int
        Channels of the way up at h/2, h/4, h/8 and h/16.
    dropout : float
        Spatial dropout at the deepest level, 0 to 1.
    refine : int
        Channels of the last step at full resolution that sees the picture again.
    """

    channels: int = 1
    classes: int = 2
    widths: tuple[int, ...] = (24, 32, 64, 128)
    dropout: float = 0.0
    refine: int = 12


def mobilenet_unet(config: MobileNetUNetConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to logits (n, h, w, classes); h and w multiples of 32.

    Raises
    ------
    ValueError
        If `widths` does not name four levels.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    *skips, x = mobilenet(layers.Rescaling(2.0, -1.0, name="to_range")(inputs)).levels
    if len(config.widths) != len(skips):
        raise ValueError(f"widths must name {len(skips)} levels, not {len(config.widths)}")
    if config.dropout:
        x = layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    for level, (skip, width) in reversed(list(enumerate(zip(skips, config.widths, strict=True)))):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([skip, x])
        x = conv_block(x, width, f"dec{level}")
    logits = refined(x, inputs, width=config.refine, block=2, classes=config.classes)
    return keras.Model(inputs, logits, name="mobilenet_unet")
