"""Keras architectures, each a function of its config; found by name, never by code.

A model file names one of these and gives its config, so loading a model runs nothing
but what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

ARCHITECTURES: dict[str, tuple[str, str]] = {
    # Name, which is that of the function too: its module and its config.
    "unet": ("unet", "UNetConfig"),
    "resunet": ("resunet", "ResUNetConfig"),
    "mobilenet_unet": ("mobilenet_unet", "MobileNetUNetConfig"),
    "mobilenet_classifier": ("mobilenet_classifier", "MobileNetClassifierConfig"),
    "feature_classifier": ("feature_classifier", "FeatureClassifierConfig"),
    "burden_classifier": ("burden_classifier", "MobileNetUNetConfig"),
    "ensemble": ("ensemble", "EnsembleConfig"),
    "applications_classifier": ("applications_classifier", "ApplicationsClassifierConfig"),
}


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
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"Unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}."
        )
    name, config_class = ARCHITECTURES[architecture]
    # The import pulls Keras in, so it waits until a model is wanted.
    module = import_module(f"{__name__}.{name}")
    try:
        return getattr(module, architecture)(getattr(module, config_class)(**config))
    except TypeError as error:
        raise ValueError(f"The config does not fit {architecture}: {error}.") from error
