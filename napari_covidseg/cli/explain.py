"""covidseg explain: where a classifier saw what speaks for its finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image as Picture

from napari_covidseg import io
from napari_covidseg.cli import overlay
from napari_covidseg.cli.errors import each, say
from napari_covidseg.cli.inputs import check, choose_classifier, open_study
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
from napari_covidseg.cli.run import classification_line
from napari_covidseg.cli.targets import Targets
from napari_covidseg.io.atomic import atomic
from napari_covidseg.measure.report import plain
from napari_covidseg.segmentation import CamMethod, Classification, Explanation
from napari_covidseg.study import CovidsegError, Study


def explain(
    images: Images,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files go.")],
    model: Classifier = None,
    method: Annotated[
        CamMethod,
        typer.Option(
            case_sensitive=False,
            help="Grad-CAM weights whole features; HiResCAM adds up to the answer exactly.",
        ),
    ] = CamMethod.GRADCAM,
    modality: ModalityOption = None,
    series: Series = None,
    volume: Volume = None,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    model_dir: ModelDirs = None,
) -> None:
    """Show why a classifier answers as it does, and whether it looks at the lungs.

    Each image gives STEM_METHOD.png to look at (of a volume the slice of highest
    probability) and the map itself from 0 to 1: STEM_METHOD_map.png (16 bit) for a
    picture, STEM_METHOD_map.nii.gz on its own grid for NIfTI and DICOM. One JSON object a
    line goes to stdout.
    """
    from napari_covidseg import inference

    if out.exists() and not out.is_dir():
        raise CovidsegError(f"--out {out} is a file: name a folder.")
    folders = model_dir or ()
    classifier = choose_classifier(model, folders, told=modality is not None)
    options: dict[str, Any] = {
        "method": method.value,
        "model_dirs": folders,
        "threads": threads,
        "device": device.value,
    }
    targets = Targets(images)
    reading = Reading(series, volume, modality)

    def work(path: Path) -> None:
        study = open_study(path, reading)
        stem = study.source.stem
        base, ending = f"{stem}_{method.value}", io.mask_name(study).removeprefix(stem)
        shown, raw = out / f"{base}.png", out / f"{base}_map{ending}"
        targets.claim(path, (shown, raw), "map")
        study, info = classifier(path, study)
        check(path, study)
        with progress_bar(path.name) as report:
            answer, made = inference.classify_and_explain(
                study, info.reference, progress=report, **options
            )
        for note in answer.notes:
            say(f"{path}: {info.name}: {note}")
        _write_map(made, study, raw)
        _write_overlay(made, answer, study, shown)
        line = classification_line(path, study, answer)
        typer.echo(json.dumps(plain({**line, **_about(made, study, shown, raw)})))

    raise typer.Exit(each(images, work))


def _about(made: Explanation, study: Study, shown: Path, raw: Path) -> dict[str, Any]:
    about: dict[str, Any] = {
        "method": made.method,
        "mass_in_lungs": made.mass_in_lungs,
        "lung_share": made.lung_share,
        "overlay": str(shown),
        "map": str(raw),
    }
    if study.ndim == 3:
        about["mass_in_lungs_by_slice"] = [
            {"index": z, "mass_in_lungs": share} for z, share in made.slices
        ]
    return about


def _write_map(made: Explanation, study: Study, path: Path) -> None:
    """Write a map from 0 to 1: a PNG holds whole numbers, so there 1 is 65535."""
    values = made.map / np.float32(255 if study.ndim == 3 else 1)
    if path.suffix == ".png":
        values = np.rint(values * 65535).astype(np.uint16)
    io.write_image(study.replace(array=values), path)


def _write_overlay(made: Explanation, answer: Classification, study: Study, path: Path) -> None:
    highest = max(answer.slices, key=lambda pair: pair[1])[0]
    level = made.map if study.ndim == 2 else made.map[highest] / np.float32(255)
    with atomic(path) as temporary:
        Picture.fromarray(overlay.heat(study, level, highest)).save(temporary)
