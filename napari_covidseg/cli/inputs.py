"""From a path to a study that may be run: read, look at it, speak of what is odd."""

from __future__ import annotations

from collections.abc import Sequence
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

    Raises
    ------
    CovidsegError
        If a run would be meaningless.
    """
    for finding in doctor.examine(study):
        if finding.severity == "stop":
            raise CovidsegError(" ".join(filter(None, (finding.what, finding.fix))))
        if finding.severity == "warning":
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
    path: Path, study: Study, named: ModelInfo | None, folders: Sequence[Path], told: bool
) -> tuple[Study, ModelInfo]:
    """Give the classifier that was asked for, or else that of the image's modality.

    Returns
    -------
    tuple of Study and ModelInfo
        The study with the modality of the classifier, see `fit_modality`.

    Raises
    ------
    CovidsegError
        If none was asked for and the modality is not known, or the two do not fit.
    """
    from napari_covidseg.inference import registry

    if named is None:
        if study.modality is None:
            raise CovidsegError(
                "cannot tell CT from X-ray: say which with --modality, or choose a --model."
            )
        name = registry.defaults(study.modality)["classification"]
        (named,) = choose_models([name], folders, "classification")
    return fit_modality(path, study, [named], told), named
