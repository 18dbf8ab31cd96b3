"""What a training computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from napari_covidseg.inference.cpu import has_amx


def choose(wanted: str) -> str:
    """Resolve "auto" for this machine: mixed bfloat16 pays on a CPU with AMX only."""
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if has_amx() else "float32"


@contextmanager
def precision(wanted: str) -> Iterator[str]:
    """Build and train networks in a precision; weights and loss stay in float32.

    Parameters
    ----------
    wanted : "auto", "float32" or "mixed_bfloat16"

    Yields
    ------
    str
        The choice.
    """
    before = keras.config.dtype_policy()
    chosen = choose(wanted)
    keras.config.set_dtype_policy(chosen)
    try:
        yield chosen
    finally:
        keras.config.set_dtype_policy(before)
