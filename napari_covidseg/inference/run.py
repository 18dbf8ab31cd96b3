"""Run models on a study: lungs first, then what lies inside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from napari_covidseg.inference.job import Job, loaded
from napari_covidseg.inference.network import BATCH, configure
from napari_covidseg.inference.registry import ModelError, ModelInfo, check_folders, find
from napari_covidseg.segmentation import (
    Classification,
    Outcome,
    Progress,
    ProgressCallback,
    Segmentation,
)
from napari_covidseg.study import Study


def run(
    study: Study,
    models: Sequence[str],
    *,
    model_dirs: Iterable[Path] = (),
    progress: ProgressCallback | None = None,
    threads: int | None = None,
    device: str = "auto",
) -> Outcome:
    """Run one or more models on one study.

    Parameters
    ----------
    study : Study
        The image.
    models : sequence of str
        Names of models. A CT model that looks inside the lungs runs the lung model
        first, whether or not that is asked for.
    model_dirs : iterable of Path
        Folders with the user's own models.
    progress : callable, optional
        Takes `Progress` values.
    threads, device
        As in ``network.configure``.

    Returns
    -------
    Outcome
        In the order of `models`.

    Raises
    ------
    ModelError
        If a model is missing or damaged, or is not made for this kind of image, or a folder
        holds none.
    CovidsegError
        If the image holds no numbers.
    """
    report = progress or (lambda _: None)
    dirs = tuple(Path(d) for d in model_dirs)
    check_folders(dirs)
    infos = [find(name, dirs) for name in models]
    check_fit(study, infos)
    report(Progress("Starting TensorFlow"))
    place, words = configure(threads, device)
    job = Job(study, dirs, place, report)
    outcome = [job.answer(info) for info in infos]
    return Outcome(
        tuple(a for a in outcome if isinstance(a, Segmentation)),
        tuple(a for a in outcome if isinstance(a, Classification)),
        words,
    )


def warm(
    models: Sequence[str],
    *,
    model_dirs: Iterable[Path] = (),
    threads: int | None = None,
    device: str = "auto",
) -> None:
    """Load TensorFlow and models ahead of the first run, and run each once on nothing.

    Raises
    ------
    ModelError
        As `run`.
    """
    dirs = tuple(Path(d) for d in model_dirs)
    check_folders(dirs)
    place, _ = configure(threads, device)
    for name in models:
        info = find(name, dirs)
        shown = info.spec.input
        loaded(info.folder, info.spec.weights.sha256, place)(
            np.zeros((BATCH, shown.size, shown.size, shown.channels), np.float32)
        )


def check_fit(study: Study, infos: Sequence[ModelInfo]) -> None:
    """Raise if a model is not made for this kind of image.

    Raises
    ------
    ModelError
        If so, or if it is not known what kind of image it is.
    """
    if study.modality is None:
        raise ModelError(
            "It is not known whether this image is a CT or an X-ray: choose the modality."
        )
    for info in infos:
        if info.modality is not study.modality:
            raise ModelError(
                f"{info.name} is made for {info.modality}, and this image is taken for "
                f"{study.modality}: choose another model, or correct the modality."
            )
