"""U-Net that works at half resolution and gives logits at full resolution.

A plain U-Net spends most of its time on the two finest levels, where few channels see
little of the chest. Here 2x2 pixels first become channels (space to depth), and at the
end channels become 2x2 pixels again, so that the same arithmetic buys about four times
the pixels or twice the width.

References
----------
Ronneberger et al., "U-Net", MICCAI 2015, arXiv:1505.04597.
Shi et al., "Efficient sub-pixel convolution", CVPR 2016, arXiv:1609.05158.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from napari_covidseg.nets.config import UNetConfig
from napari_covidseg.nets.norm import normalised

# ---------------------------------------------------------------- Layers


class _Blocks(layers.Layer):
    """Base of the two rearrangements of b x b pixels and channels."""

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block


class SpaceToDepth(_Blocks):
    """(n, h, w, c) to (n, h/b, w/b, c*b*b)."""

    def call(self, x: Any) -> Any:
        """Rearrange."""
        b = self.block
        n, h, w, c = keras.ops.shape(x)
        x = keras.ops.reshape(x, (n, h // b, b, w // b, b, c))
        x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return keras.ops.reshape(x, (n, h // b, w // b, b * b * c))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the result."""
        n, h, w, c = shape
        b = self.block
        return (n, h and h // b, w and w // b, c and c * b * b)


class DepthToSpace(_Blocks):
    """(n, h, w, c*b*b) to (n, h*b, w*b, c): the inverse of `SpaceToDepth`."""

    def call(self, x: Any) -> Any:
        """Rearrange."""
        b = self.block
        n, h, w, c = keras.ops.shape(x)
        x = keras.ops.reshape(x, (n, h, w, b, b, c // (b * b)))
        x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return keras.ops.reshape(x, (n, h * b, w * b, c // (b * b)))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the result."""
        n, h, w, c = shape
        b = self.block
        return (n, h and h * b, w and w * b, c and c // (b * b))


def conv_block(
    x: Any, width: int, name: str, *, times: int = 2, kernel: int = 3, dilation: int = 1
) -> Any:
    """Give features after convolution, batch normalisation and ReLU, that many times."""
    for i in range(1, times + 1):
        x = layers.Conv2D(
            width,
            kernel,
            padding="same",
            dilation_rate=dilation,
            use_bias=False,
            name=f"{name}_conv{i}",
        )(x)
        x = normalised(x, f"{name}_norm{i}")
        x = layers.Activation("relu", name=f"{name}_relu{i}")(x)
    return x


def encoder(x: Any, config: UNetConfig) -> list[Any]:
    """Features of every level, finest first."""
    if config.stem > 1:
        x = SpaceToDepth(config.stem, name="stem")(x)
    deepest = len(config.widths) - 1
    features = []
    for level, width in enumerate(config.widths):
        if level:
            x = layers.MaxPooling2D(2, name=f"down{level}")(x)
        x = conv_block(
            x,
            width,
            f"enc{level}",
            times=config.convolutions,
            kernel=config.kernel,
            dilation=config.dilation if level == deepest else 1,
        )
        features.append(x)
    return features


# ---------------------------------------------------------------- Functional model


def unet(config: UNetConfig) -> Any:
    """Build the network.

    Returns
    -------
    keras.Model
        (n, h, w, channels) in 0..1 to logits (n, h, w, classes); h and w multiples of
        `UNetConfig.stride`.
    """
    inputs = keras.Input((None, None, config.channels), name="image")
    *skips, x = encoder(inputs, config)
    if config.dropout:
        x = layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    for level, (skip, width) in reversed(
        list(enumerate(zip(skips, config.widths[:-1], strict=True)))
    ):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([skip, x])
        x = conv_block(x, width, f"dec{level}", times=config.convolutions, kernel=config.kernel)
    if config.refine:
        logits = refined(x, inputs, width=config.refine, block=config.stem, classes=config.classes)
    else:
        logits = layers.Conv2D(config.classes * config.stem**2, 1, dtype="float32", name="head")(x)
        if config.stem > 1:
            logits = DepthToSpace(config.stem, name="logits")(logits)
    return keras.Model(inputs, logits, name="unet")


def refined(x: Any, inputs: Any, *, width: int, block: int, classes: int) -> Any:
    """Logits at full resolution from features `block` times as coarse and the picture itself."""
    x = layers.Conv2D(width * block**2, 1, name="widen")(x)
    if block > 1:
        x = DepthToSpace(block, name="features")(x)
    x = layers.Concatenate(name="join_picture")([x, inputs])
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name="refine_conv")(x)
    x = normalised(x, "refine_norm")
    x = layers.Activation("relu", name="refine_relu")(x)
    return layers.Conv2D(classes, 3, padding="same", dtype="float32", name="logits")(x)
