"""Whether a run lies finished in a folder, so that nothing is trained twice or mixed up."""

from __future__ import annotations

import json
from pathlib import Path

from napari_covidseg.study import CovidsegError
from napari_covidseg.training import checkpoint
from napari_covidseg.training.recipe import Recipe

MODEL = "model.json"


def is_finished(folder: Path, recipe: Recipe) -> bool:
    """Tell whether a model of exactly this recipe lies in a folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    recipe : Recipe
        As it is followed: with the split and the schedule of this run.

    Raises
    ------
    CovidsegError
        If a model lies there that another recipe made, or the same with another split or
        schedule: its figures would be taken for those of this one.
    """
    if not (folder / MODEL).exists():
        return False
    try:
        made = json.loads((folder / MODEL).read_text(encoding="utf-8")).get("recipe")
    except (OSError, ValueError, AttributeError):
        made = None
    if made != recipe.digest:
        raise CovidsegError(
            f"{folder} holds a run of another recipe, split or schedule: name another folder for "
            "the runs, or delete it."
        )
    return True


def require_unused(folder: Path) -> None:
    """Raise if a run lies in a folder, finished or not: to begin anew would lose it."""
    if (folder / MODEL).exists():
        raise CovidsegError(
            f"{folder} holds a finished model: name another folder for the run, or delete that one "
            "to train it anew."
        )
    if (folder / checkpoint.FILE).exists():
        raise CovidsegError(
            f"{folder} holds a training that is not finished: go on with --resume, or delete the "
            "folder to begin anew."
        )
