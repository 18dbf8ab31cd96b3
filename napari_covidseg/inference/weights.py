"""Weights on disk: plain float16 arrays by name in HDF5, nothing that can run.

Half precision halves the file. A model is measured after it was read back, so that
what ships is what was measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_covidseg.io.atomic import atomic


def save_weights(model: Any, path: Path) -> None:
    """Write the weights of a Keras model as float16 arrays named by variable path."""
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for name, variable in _variables(model):
            file.create_dataset(name, data=_halved(variable.numpy()), compression="gzip")


def _halved(values: np.ndarray) -> np.ndarray:
    """Values in half precision, unless one is too large for it."""
    largest = np.finfo(np.float16).max
    return values if np.abs(values).max(initial=0.0) > largest else values.astype(np.float16)


def load_weights(model: Any, path: Path, *, partly: bool = False) -> int:
    """Read weights into a Keras model of the same architecture and config.

    Parameters
    ----------
    model : keras.Model
        Built model; filled in place.
    path : Path
        File of `save_weights`.
    partly : bool
        Take what fits by name and shape and leave the rest as it is, to start a
        network from another.

    Returns
    -------
    int
        Variables filled.

    Raises
    ------
    ValueError
        If a variable is missing or has another shape, unless `partly`.
    """
    filled = 0
    with h5py.File(path, "r") as file:
        for name, variable in _variables(model):
            data = file.get(name)
            if data is None or tuple(data.shape) != tuple(variable.shape):
                if partly:
                    continue
                raise ValueError(f"{path.name} has no {name} of shape {tuple(variable.shape)}")
            variable.assign(np.asarray(data[()], np.float32))
            filled += 1
    return filled


def checksum(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _variables(model: Any) -> Iterator[tuple[str, Any]]:
    """Weights by layer and variable name; layers without a name of their own have none."""
    for layer in model.layers:
        for variable in layer.weights:
            if "seed_generator" not in variable.path:
                yield f"{layer.name}/{variable.name}", variable
