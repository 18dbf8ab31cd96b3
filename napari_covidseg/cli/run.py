"""covidseg segment and covidseg classify: many images, one process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_covidseg import RESEARCH_ONLY, io
from napari_covidseg.cli.errors import each, say
from napari_covidseg.cli.inputs import (
    check,
    choose_classifier,
    choose_models,
    fit_modality,
    open_study,
)
from napari_covidseg.cli.options import (
    Classifier,
    Device,
    DeviceOption,
    Images,
    ModalityOption,
    ModelDirs,
    Reading,
    Series,
    Threads,
    Volume,
)
from napari_covidseg.cli.progress import progress_bar
from napari_covidseg.cli.targets import Targets
from napari_covidseg.labels import SCHEMES
from napari_covidseg.measure.report import plain
from napari_covidseg.segmentation import Classification
from napari_covidseg.study import CovidsegError, Study

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo

_MASK_ENDINGS = (".nii", ".nii.gz", ".png")
_LARGEST = max(value for scheme in SCHEMES.values() for value in scheme.values)


def segment(
    images: Images,
    model: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Model, e.g. ct-lungs (repeat for several)."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="Folder, or a file for one image and one model.")
    ],
    modality: ModalityOption = None,
    series: Series = None,
    volume: Volume = None,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    model_dir: ModelDirs = None,
) -> None:
    """Draw lungs or infection: one label map per image and model.

    A picture gives STEM.png, NIfTI and DICOM give STEM.nii.gz, on the image's own grid.
    With several models each has a folder of its own in --out. The paths written are
    printed, one a line.
    """
    from napari_covidseg import inference

    models = choose_models(model, model_dir or (), "segmentation")
    places = _Places(out, images, models)
    reading = Reading(series, volume, modality)

    def work(path: Path) -> None:
        study = open_study(path, reading)
        targets = places.claim(path, study)
        study = fit_modality(path, study, models, told=modality is not None)
        check(path, study)
        with progress_bar(path.name) as report:
            outcome = inference.run(
                study,
                [m.reference for m in models],
                model_dirs=model_dir or (),
                progress=report,
                threads=threads,
                device=device.value,
            )
        for result in outcome.segmentations:
            target = targets[result.model.reference]
            io.write_mask(result.labels, study, target, result.scheme)
            for note in result.notes:
                say(f"{path}: {result.model.name}: {note}")
            typer.echo(str(target))

    raise typer.Exit(each(images, work))


def classify(
    images: Images,
    model: Classifier = None,
    modality: ModalityOption = None,
    series: Series = None,
    volume: Volume = None,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    model_dir: ModelDirs = None,
) -> None:
    """Give a probability: one JSON object a line, and nothing else on stdout."""
    from napari_covidseg import inference

    folders = model_dir or ()
    classifier = choose_classifier(model, folders, told=modality is not None)
    reading = Reading(series, volume, modality)

    def work(path: Path) -> None:
        study = open_study(path, reading)
        study, info = classifier(path, study)
        check(path, study)
        with progress_bar(path.name) as report:
            outcome = inference.run(
                study,
                [info.reference],
                model_dirs=folders,
                progress=report,
                threads=threads,
                device=device.value,
            )
        for result in outcome.classifications:
            for note in result.notes:
                say(f"{path}: {result.model.name}: {note}")
            typer.echo(json.dumps(plain(classification_line(path, study, result))))

    raise typer.Exit(each(images, work))


def classification_line(path: Path, study: Study, result: Classification) -> dict[str, Any]:
    """Say a classification as a JSON object; slices are counted from the feet."""
    line: dict[str, Any] = {
        "image": str(path),
        "model": result.model.name,
        "version": result.model.version,
        "finding": result.finding,
        "probability": result.probability,
        "threshold": result.threshold,
        "positive": result.positive,
    }
    if result.shortcut is not None:
        line["shortcut"] = {
            "shown": result.shortcut.shown,
            "lungs_blanked": result.shortcut.lungs_blanked,
            "lungs_only": result.shortcut.lungs_only,
            "from_lungs": result.shortcut.from_lungs,
        }
    if study.ndim == 3:
        line["slices_positive"] = sum(p >= result.threshold for _, p in result.slices)
        line["slices_total"] = len(result.slices)
        line["slices"] = [{"index": z, "probability": p} for z, p in result.slices]
    return {**line, "disclaimer": RESEARCH_ONLY}


class _Places:
    """Where each mask goes, so that none overwrites an image or another mask of the run."""

    def __init__(self, out: Path, images: Sequence[Path], models: Sequence[ModelInfo]) -> None:
        self._out = out
        self._files = Targets(images)
        several = Counter(model.name for model in models)
        # Two versions of one model must not share a folder.
        self._folders = {
            m.reference: m.name if several[m.name] == 1 else m.reference for m in models
        }
        names_file = out.name.lower().endswith(_MASK_ENDINGS) and not out.is_dir()
        self._is_file = names_file
        if names_file and (len(images) > 1 or len(models) > 1):
            raise CovidsegError(
                f"--out {out} is one file, but there are several images or models: name a folder."
            )
        if out.exists() and not out.is_dir() and not names_file:
            raise CovidsegError(f"--out {out} is a file of another kind: name a folder.")

    def claim(self, path: Path, study: Study) -> dict[str, Path]:
        """Targets of an image, one per model (``name@version``).

        Raises
        ------
        CovidsegError
            If a target is one of the images, was claimed by an image before, cannot hold the
            mask, or is a file that is no mask.
        """
        name = io.mask_name(study)
        shape = study.grid.shape
        if self._is_file and self._out.suffix.lower() == ".png" and shape[-3:-2] not in ((), (1,)):
            raise CovidsegError(f"--out {self._out}: a PNG holds one slice: name a .nii.gz file.")
        if self._is_file:
            targets = dict.fromkeys(self._folders, self._out)
        elif len(self._folders) == 1:
            targets = dict.fromkeys(self._folders, self._out / name)
        else:
            targets = {model: self._out / at / name for model, at in self._folders.items()}
        self._files.claim(path, targets.values(), "mask")
        for target in targets.values():
            if target.exists() and not _is_mask(target):
                raise CovidsegError(
                    f"{target} is there already and is no mask that was made here: move it away, "
                    "or choose another --out."
                )
        return targets


def _is_mask(path: Path) -> bool:
    """Whether a file holds nothing but values of a label scheme."""
    try:
        return bool(io.read_mask(path).max() <= _LARGEST)
    except CovidsegError:
        return False
