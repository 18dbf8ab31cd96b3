"""Find, load and run models. Importing this imports no TensorFlow."""

from __future__ import annotations

from napari_covidseg.inference.registry import (
    ModelError,
    ModelInfo,
    available,
    defaults,
    find,
    verify,
)
from napari_covidseg.inference.run import run, warm

__all__ = [
    "ModelError",
    "ModelInfo",
    "available",
    "defaults",
    "find",
    "run",
    "verify",
    "warm",
]
