"""Where a user's own trainings lie, and which of them wait to go on.

Each has a folder ``NAME-VERSION`` with its recipe, its job, and what the training writes.
The job stays there until its model is installed: a run that was stopped, or died with the
viewer, is found again by it. Only `drop` removes a training, and no new one takes its place.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_bytes
from napari_covidseg.segmentation import ModelRef
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import run_state
from napari_covidseg.training.messages import Job
from napari_covidseg.training.own_recipe import write_recipe

JOB = "job.json"
RECIPE = "recipe.toml"

_jobs: TypeAdapter[Job] = TypeAdapter(Job)


def folder() -> Path:
    """Folder of all trainings."""
    return Path(platformdirs.user_data_dir("napari-covidseg", appauthor=False)) / "trainings"


def folder_of(name: str, version: str) -> Path:
    """Folder of one training."""
    return folder() / f"{name}-{version}"


def begin(
    base: ModelInfo,
    dataset: Path,
    name: str,
    version: str,
    schedule: str | Path,
    settings: EngineSettings,
) -> Job:
    """Write recipe and job of a new training into its folder.

    Parameters
    ----------
    base, dataset, name, version, schedule
        As in ``own_recipe.write_recipe``.
    settings : EngineSettings
        Where to compute, and where models lie.

    Raises
    ------
    CovidsegError
        If there is a training of this name and version already, no recipe comes of it, or
        the system cannot write there.
    """
    out = folder_of(name, version)
    if why := _why_taken(out):
        raise CovidsegError(why)
    path = out / RECIPE
    write_recipe(path, base, dataset, name=name, version=version, schedule=schedule)
    job = Job(
        path,
        dataset.parent,
        out,
        base.reference,
        settings.model_dirs,
        settings.threads,
        settings.device,
    )
    keep(job)
    return job


def keep(job: Job) -> None:
    """Write a job into its folder.

    Raises
    ------
    WriteError
        If the system cannot write there.
    """
    write_bytes(job.out / JOB, _jobs.dump_json(job))


def forget(job: Job) -> None:
    """Take note that a job is done."""
    (job.out / JOB).unlink(missing_ok=True)


def drop(job: Job) -> None:
    """Remove a training with its checkpoint.

    Raises
    ------
    CovidsegError
        If it is under way.
    """
    run_state.require_idle(job.out)
    shutil.rmtree(job.out, ignore_errors=True)


def taken() -> dict[ModelRef, str]:
    """Names and versions that no new training may have, and why not, for the user."""
    found = {}
    for out in folder().glob("*"):
        if why := _why_taken(out):
            name, _, version = out.name.rpartition("-")
            found[ModelRef(name, version)] = why
    return found


def unfinished() -> tuple[Job, ...]:
    """Jobs that nobody works at and that have a checkpoint to go on from, the latest first."""
    found = []
    for path in folder().glob(f"*/{JOB}"):
        checkpoints = [file.stat().st_mtime for file in run_state.checkpoints(path.parent)]
        if not checkpoints or run_state.is_running(path.parent):
            continue
        try:
            job = _jobs.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        found.append((max(checkpoints), replace(job, resume=True)))
    return tuple(job for _, job in sorted(found, key=lambda pair: -pair[0]))


def _why_taken(out: Path) -> str:
    """Say why no training may begin in a folder; empty where one may."""
    what = " ".join(out.name.rsplit("-", 1))
    if run_state.is_running(out):
        return f"{what} is being trained in another window: wait for it, or give another version."
    if not run_state.checkpoints(out):
        return ""
    if (out / JOB).exists():
        return f"{what} is not finished: press Go on or Drop, or give another version."
    return f"{what} was trained before: give another version."
