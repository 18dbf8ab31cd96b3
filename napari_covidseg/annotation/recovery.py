"""Unsaved edits, kept on disk so that a killed viewer can give them back.

One file an edited mask, in the user's own data folder: the mask, the model's answer, and
JSON about the layer. It may hold the path of the image, so only its owner can read it;
it goes when the edits were saved, discarded or given back.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.io import owner
from napari_covidseg.io.atomic import atomic

FORMAT = 1


@dataclass(frozen=True)
class Unsaved:
    """Edits that were not saved.

    Attributes
    ----------
    file : Path
        Where they are kept.
    saved : datetime
        When they were last kept.
    facts : mapping
        What `keep` was told.
    """

    file: Path
    saved: datetime
    facts: Mapping[str, Any]


def folder() -> Path:
    """Folder of unsaved edits."""
    return Path(platformdirs.user_data_dir("napari-covidseg", appauthor=False)) / "unsaved"


def new_file() -> Path:
    """Name for the edits of one layer."""
    return folder() / f"{secrets.token_hex(8)}.npz"


def keep(
    file: Path, labels: np.ndarray, prediction: np.ndarray | None, facts: Mapping[str, Any]
) -> None:
    """Keep a mask as it is now; what was kept before goes only when this is whole.

    Parameters
    ----------
    file : Path
        From `new_file`.
    labels : ndarray of integers
        The mask.
    prediction : ndarray or None
        The model's answer, for the training case that may be made of it.
    facts : mapping
        What is needed to give it back; goes into JSON.

    Raises
    ------
    WriteError
        If the disk cannot take it.
    """
    described = {
        **facts,
        "format": FORMAT,
        "process": owner.describe(),
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    first = prediction if prediction is not None else np.empty(0, np.uint8)
    with atomic(file) as temporary:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as stream:
            text = np.array(json.dumps(described))
            np.savez_compressed(stream, facts=text, labels=labels, prediction=first)


def find() -> tuple[Unsaved, ...]:
    """List the edits that a viewer left behind, newest first; not those of a running one."""
    found = []
    for file in folder().glob("*.npz"):
        if file.name.startswith("."):
            continue
        # A file that cannot be read is left alone: another version may read it.
        with contextlib.suppress(Exception), np.load(file, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            if facts["format"] == FORMAT and not owner.lives(facts["process"]):
                found.append(Unsaved(file, datetime.fromisoformat(facts["saved"]), facts))
    return tuple(sorted(found, key=lambda unsaved: unsaved.saved, reverse=True))


def load(unsaved: Unsaved) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a kept mask and the model's answer.

    Raises
    ------
    CaseError
        If the file is damaged.
    """
    try:
        with np.load(unsaved.file, allow_pickle=False) as stored:
            prediction = stored["prediction"]
            return stored["labels"], prediction if prediction.size else None
    except Exception as error:
        raise CaseError("The unsaved edits cannot be read: their file is damaged.") from error


def discard(file: Path) -> None:
    """Drop kept edits."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
