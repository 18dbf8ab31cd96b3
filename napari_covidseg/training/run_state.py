"""How the folder of a training stands: who is at work in it, and how far it has come.

Light enough for the process of the viewer, which asks it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import psutil

from napari_covidseg.io import owner
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError

PROCESS = "process.json"


def claim(out: Path, pid: int) -> None:
    """Write down that a process trains in a folder, for the other windows.

    Raises
    ------
    WriteError
        If the system cannot write there.
    """
    with suppress(psutil.Error):  # it has ended already, and so claims nothing
        write_text(out / PROCESS, json.dumps(owner.describe(pid)))


def is_running(out: Path) -> bool:
    """Whether the process that trains in a folder lives."""
    try:
        return owner.lives(json.loads((out / PROCESS).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def require_idle(out: Path) -> None:
    """Make sure that nobody trains in a folder.

    Raises
    ------
    CovidsegError
        If somebody does.
    """
    if is_running(out):
        what = " ".join(out.name.rsplit("-", 1))
        raise CovidsegError(
            f"{what} is being trained in another window: wait for it, or stop it there."
        )


def checkpoints(out: Path, name: str = "*") -> list[Path]:
    """Checkpoints in a folder, of the model of that name: one, or none."""
    return list(out.glob(f"{name}/checkpoint*"))


def finished_epochs(out: Path, name: str = "*") -> int:
    """Epochs that are kept in a folder; 0 where there is no checkpoint to go on from.

    The folder of a window holds one model, that of the command line may hold several: `name`
    says which is meant.
    """
    kept = _kept(checkpoints(out, name), "rows")
    return len(kept[0]) if kept else 0


def history(out: Path) -> list[dict[str, float]]:
    """Figures of the epochs that are kept in a folder, by name."""
    kept = _kept(checkpoints(out), "rows", "columns")
    if not kept:
        return []
    rows, names = kept
    return [dict(zip(names, row, strict=True)) for row in rows]


def _kept(paths: Sequence[Path], *names: str) -> list[Any]:
    """Read values from the first whole checkpoint; empty where there is none."""
    for path in paths:
        with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(path) as file:
            return [file[name].tolist() for name in names]
    return []
