"""Find, load and run models. Importing this imports no TensorFlow."""

from __future__ import annotations

from napari_covidseg.inference.explain import classify_and_explain, explain
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
    "classify_and_explain",
    "defaults",
    "explain",
    "find",
    "run",
    "verify",
    "warm",
]
