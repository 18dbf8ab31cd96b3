"""Whether a run lies finished in a folder, so that nothing is trained twice or mixed up."""

from __future__ import annotations

import json
from pathlib import Path

from napari_covidseg.study import CovidsegError
from napari_covidseg.training import checkpoint, held_out
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


def require_not_halfway(folder: Path) -> None:
    """Raise if a training that has not ended lies in a folder: to begin anew would lose it."""
    if (folder / checkpoint.FILE).exists() and not (folder / MODEL).exists():
        raise CovidsegError(
            f"{folder} holds a training that is not finished: go on with --resume, or delete the "
            "folder to begin anew."
        )


def require_split(folder: Path, split: held_out.Split) -> None:
    """Raise if a model lies in a folder that held out other cases than a run would now.

    Until the run ends, what it writes of its split would be taken for that model's.
    """
    written = folder / held_out.FILE
    if (folder / MODEL).exists() and written.exists() and held_out.read(written) != split:
        raise CovidsegError(
            f"{folder} holds a model that held out other cases: name another folder for the run, "
            "or delete it."
        )
