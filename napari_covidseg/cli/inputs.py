"""From a path to a study that may be run: read, look at it, speak of what is odd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_covidseg import doctor, io
from napari_covidseg.cli.errors import say
from napari_covidseg.cli.options import Reading
from napari_covidseg.study import CovidsegError, Modality, Study

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo

_WORDS = {Modality.CT: "a CT", Modality.XR: "an X-ray"}


def open_study(path: Path, reading: Reading) -> Study:
    """Read an image; what the user says of it goes before what the file says."""
    study = io.read(path, series=reading.series, volume=reading.volume)
    return study.replace(modality=reading.modality) if reading.modality else study


def check(path: Path, study: Study) -> None:
    """Have the input doctor look before a run: warnings to stderr, a stop is an error.

    Which of several series was taken is said as well.

    Raises
    ------
    CovidsegError
        If a run would be meaningless.
    """
    for finding in doctor.examine(study):
        if finding.severity == "stop":
            raise CovidsegError(" ".join(filter(None, (finding.what, finding.fix))))
        if finding.code == "several-series":
            # Their descriptions are the scanner's, and may name somebody.
            say(f"{path}: {finding.effect} 'covidseg doctor' lists all, --series chooses one.")
        elif finding.severity == "warning":
            advice = " ".join(filter(None, (finding.what, finding.effect, finding.fix)))
            say(f"{path}: warning: {advice}")


def fit_modality(path: Path, study: Study, models: Sequence[ModelInfo], told: bool) -> Study:
    """Make the study's modality that of the models, or refuse.

    A header (DICOM) or Hounsfield units settle what an image is. The look of a picture
    only suggests it: there the user's choice of a model goes first, and a warning says so.

    Raises
    ------
    CovidsegError
        If the image is known to be of another kind than the models are for.
    """
    wanted = Modality(models[0].modality)
    if study.modality == wanted:
        return study
    names = ", ".join(m.name for m in models)
    if study.modality is None:
        say(f"{path}: warning: cannot tell CT from X-ray; taken as {_WORDS[wanted]} for {names}.")
    elif told or study.is_hu or study.source.kind == "dicom":
        raise CovidsegError(
            f"this is {_WORDS[study.modality]}, but {names} is for {wanted.value}: "
            "choose another --model ('covidseg models' lists them)."
        )
    else:
        say(
            f"{path}: warning: it looks like {_WORDS[study.modality]}, but is taken as "
            f"{_WORDS[wanted]} because {names} was chosen."
        )
    return study.replace(modality=wanted)


def choose_models(
    names: Sequence[str], folders: Sequence[Path], task: str
) -> tuple[ModelInfo, ...]:
    """Find models by name, once each, and check their weights before any image is read.

    Raises
    ------
    CovidsegError
        If a name is unknown or of another task, the models are of different modalities,
        or a weights file is damaged.
    """
    from napari_covidseg.inference import registry

    found = [registry.find(name, folders) for name in names]
    chosen = tuple({model.reference: model for model in found}.values())
    for model in chosen:
        if model.task != task:
            fit = dict.fromkeys(m.name for m in registry.available(folders) if m.task == task)
            raise CovidsegError(
                f"{model.name} is no {task} model: choose one of {', '.join(fit) or 'none'}."
            )
    if len({m.modality for m in chosen}) > 1:
        raise CovidsegError(
            "models for CT and for X-ray cannot run on one image: use two commands."
        )
    for model in chosen:
        registry.verify(model)
    return chosen


def choose_classifier(
    name: str | None, folders: Sequence[Path], told: bool
) -> Callable[[Path, Study], tuple[Study, ModelInfo]]:
    """Find the classifier that was asked for, or else that of each image's modality.

    Parameters
    ----------
    name : str or None
        Model, checked at once, before any image is read.
    folders : sequence of Path
        Folders with more models.
    told : bool
        Whether the user said what the images are.

    Returns
    -------
    callable
        Takes path and study; gives the classifier, and the study with its modality, see
        `fit_modality`.

    Raises
    ------
    CovidsegError
        As `choose_models`. The callable's, if no classifier was asked for and the modality
        is not known, or the two do not fit.
    """
    from napari_covidseg.inference import registry

    @cache  # a model's weights are checked once, not for each image
    def chosen(one: str) -> ModelInfo:
        return choose_models([one], folders, "classification")[0]

    named = chosen(name) if name else None

    def fit(path: Path, study: Study) -> tuple[Study, ModelInfo]:
        model = named
        if model is None:
            if study.modality is None:
                raise CovidsegError(
                    "cannot tell CT from X-ray: say which with --modality, or choose a --model."
                )
            model = chosen(registry.defaults(study.modality)["classification"])
        return fit_modality(path, study, [model], told), model

    return fit
