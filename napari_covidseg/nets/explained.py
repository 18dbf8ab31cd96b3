"""Which features of a classifier a class activation map is made of."""

from __future__ import annotations

from typing import Any

from keras import layers

_POOLS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


def explained_features(model: Any) -> list[Any]:
    """Give the feature maps that a classifier pools: the last that know a place.

    That holds for every architecture whose answer is made of globally pooled features,
    with one backbone or several, so that none of them needs to name its layers.

    Returns
    -------
    list of keras tensors
        Each (n, h, w, channels), no two the same.

    Raises
    ------
    ValueError
        If nothing is pooled.
    """
    pooled = [layer.input for layer in model.layers if isinstance(layer, _POOLS)]
    if not pooled:
        raise ValueError(f"{model.name} pools no features")
    return list({id(features): features for features in pooled}.values())
