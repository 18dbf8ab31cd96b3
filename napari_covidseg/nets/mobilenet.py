"""MobileNetV2, whose published ImageNet weights a network can start from.

Batch normalisation is folded into the convolutions, as weights for small devices have
it: each convolution has a bias, and nothing else needs to be known.

References
----------
Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018,
arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import layers

PREFIX = "mobilenet_"
"""Begins the name of every layer."""

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

MIDDLE = 12
"""Block whose features, at a sixteenth of the resolution, a classifier looks at."""


class Features(NamedTuple):
    """What the backbone sees in pictures (n, h, w, ...).

    Attributes
    ----------
    levels : list of keras tensors
        The last features of each resolution: h/2 (16 channels), h/4 (24), h/8 (32),
        h/16 (96) and h/32 (320).
    middle : keras tensor
        (n, h/16, w/16, 96), before its block's input is added.
    last : keras tensor
        (n, h/32, w/32, 1280).
    """

    levels: list[Any]
    middle: Any
    last: Any


def mobilenet(x: Any) -> Features:
    """Features of pictures (n, h, w, channels) in -1..1."""
    x = _conv(x, 32, 3, "first", stride=2)
    k, middle, levels = 0, x, []
    for expansion, width, repeats, stride in BLOCKS:
        if stride > 1:
            levels.append(x)
        for i in range(repeats):
            x, projected = _block(x, expansion, width, stride if i == 0 else 1, f"block{k}")
            middle = projected if k == MIDDLE else middle
            k += 1
    return Features([*levels, x], middle, _conv(x, LAST, 1, "last"))


def convolutions(model: Any) -> list[Any]:
    """Give the backbone's convolutions, in the order of the data."""
    kinds = layers.Conv2D | layers.DepthwiseConv2D
    return [x for x in model.layers if isinstance(x, kinds) and x.name.startswith(PREFIX)]


def _block(x: Any, expansion: int, width: int, stride: int, name: str) -> tuple[Any, Any]:
    shown = x
    if expansion > 1:
        x = _conv(x, x.shape[-1] * expansion, 1, f"{name}_expand")
    depthwise = f"{PREFIX}{name}_depthwise"
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", name=depthwise)(x)
    x = layers.ReLU(6.0, name=f"{depthwise}_relu")(x)
    projected = layers.Conv2D(width, 1, name=f"{PREFIX}{name}_project")(x)
    if stride == 1 and shown.shape[-1] == width:
        return layers.Add(name=f"{PREFIX}{name}_add")([shown, projected]), projected
    return projected, projected


def _conv(x: Any, width: int, size: int, name: str, stride: int = 1) -> Any:
    name = f"{PREFIX}{name}"
    x = layers.Conv2D(width, size, strides=stride, padding="same", name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
