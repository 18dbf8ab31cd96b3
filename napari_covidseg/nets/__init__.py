"""Keras architectures, each a function of its config; found by name, never by code.

A model file names one of these and gives its config, so loading a model runs nothing
but what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARCHITECTURES = ("unet", "mobilenet_unet", "feature_classifier")


def build(architecture: str, config: Mapping[str, Any]) -> Any:
    """Build an untrained Keras model.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    config : mapping
        The fields of that architecture's config class.

    Raises
    ------
    ValueError
        If the name is unknown or the config does not fit it.
    """
    # Each import pulls Keras in, so it waits until a model is wanted.
    try:
        if architecture == "unet":
            from napari_covidseg.nets.unet import UNetConfig, unet

            return unet(UNetConfig(**config))
        if architecture == "mobilenet_unet":
            from napari_covidseg.nets.mobilenet_unet import MobileNetUNetConfig, mobilenet_unet

            return mobilenet_unet(MobileNetUNetConfig(**config))
        if architecture == "feature_classifier":
            from napari_covidseg.nets.feature_classifier import feature_classifier
            from napari_covidseg.nets.unet import UNetConfig

            return feature_classifier(UNetConfig(**config))
    except TypeError as error:
        raise ValueError(f"The config does not fit {architecture}: {error}.") from error
    raise ValueError(
        f"Unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}."
    )
