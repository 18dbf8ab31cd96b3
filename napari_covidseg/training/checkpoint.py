"""All that a killed run needs to go on as if it had never been killed, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from keras import ops

from napari_covidseg.io.atomic import atomic
from napari_covidseg.io.errors import WriteError
from napari_covidseg.study import CovidsegError

FILE = "checkpoint.npz"


@dataclass
class Progress:
    """What a run has come to, beside the network and its optimiser.

    Attributes
    ----------
    rows : list of dict
        Figures of each finished epoch: column to value. Learning rate and end follow from
        them alone (see ``schedule``).
    best : list of ndarray
        Weights of the best epoch, by the order of ``model.variables``; empty where only
        the last ones count.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)


def store(model: Any, progress: Progress, path: Path, recipe: str) -> None:
    """Write network, optimiser and progress, and the digest of the recipe that they follow.

    Raises
    ------
    WriteError
        If the disk is full, or the like; the checkpoint before is kept.
    """
    columns = list(progress.rows[-1])
    arrays = {f"v{i}": ops.convert_to_numpy(v) for i, v in enumerate(_state(model))}
    arrays |= {f"best{i}": values for i, values in enumerate(progress.best)}
    arrays["recipe"] = np.array(recipe)
    arrays["columns"] = np.array(columns)
    arrays["rows"] = np.array([[row[name] for name in columns] for row in progress.rows])
    try:
        with atomic(path) as temporary:
            np.savez(temporary, **arrays)
    except WriteError as error:
        kept = len(progress.rows) - 1
        if not kept:
            raise
        raise WriteError(
            f"{error} The checkpoint of epoch {kept} is kept; go on with --resume."
        ) from error


def restore(model: Any, path: Path, recipe: str) -> Progress:
    """Read what `store` wrote into a compiled model, for a recipe of that digest.

    Raises
    ------
    CovidsegError
        If the file is damaged or belongs to another recipe.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise CovidsegError(f"{path} cannot be read ({error}): train without --resume.") from error
    variables = _state(model)
    if str(arrays.get("recipe")) != recipe or not _fits(arrays, variables):
        raise CovidsegError(
            f"{path} belongs to another recipe, split or schedule: train without --resume, or in "
            "another folder."
        )
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"v{i}"])
    columns = [str(name) for name in arrays["columns"]]
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in arrays["rows"]]
    best = [arrays[f"best{i}"] for i in range(len(model.variables)) if f"best{i}" in arrays]
    return Progress(rows, best)


def _fits(arrays: dict[str, np.ndarray], variables: Sequence[Any]) -> bool:
    written = [name for name in arrays if name.startswith("v")]
    return (
        {"rows", "columns"} <= arrays.keys()
        and len(written) == len(variables)
        and all(arrays[f"v{i}"].shape == tuple(v.shape) for i, v in enumerate(variables))
    )


def _state(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]
