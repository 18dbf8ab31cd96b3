"""Keras architectures, each a function of its config; found by name, never by code.

A model file names one of these and gives its config, so loading a model runs nothing
but what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from napari_covidseg.nets import config as configs

ARCHITECTURES: dict[str, type] = {
    # Name, which is that of the function too and of its module: its config.
    "unet": configs.UNetConfig,
    "resunet": configs.ResUNetConfig,
    "mobilenet_unet": configs.MobileNetUNetConfig,
    "mobilenet_classifier": configs.MobileNetClassifierConfig,
    "feature_classifier": configs.FeatureClassifierConfig,
    "burden_classifier": configs.MobileNetUNetConfig,
    "ensemble": configs.EnsembleConfig,
    "applications_classifier": configs.ApplicationsClassifierConfig,
}


def checked(architecture: str, config: Mapping[str, Any]) -> Any:
    """Give the typed config of an architecture; pulls in no Keras.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    config : mapping
        The fields of that architecture's config class.

    Raises
    ------
    ValueError
        If the name is unknown, or a field is unknown or out of its range; each is named.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"Unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}."
        )
    kind = ARCHITECTURES[architecture]
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    try:
        return kind(**config)
    except ValidationError as error:
        faults = "; ".join(_in_words(fault, known) for fault in error.errors())
        raise ValueError(f"The config does not fit {architecture}: {faults}.") from error


def build(architecture: str, config: Mapping[str, Any]) -> Any:
    """Build an untrained Keras model.

    Parameters are those of `checked`.

    Raises
    ------
    ValueError
        If the name is unknown or the config does not fit it.
    """
    typed = checked(architecture, config)
    # The import pulls Keras in, so it waits until a model is wanted.
    module = import_module(f"{__name__}.{architecture}")
    return getattr(module, architecture)(typed)


def _in_words(fault: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "unexpected_keyword_argument":
        return f"{where} is not one of {', '.join(known)}"
    return f"{where}: {fault['msg']}"
