"""covidseg doctor: what is wrong with an image, before anything is run on it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from napari_covidseg import doctor as input_doctor
from napari_covidseg import io
from napari_covidseg.cli.errors import BAD_INPUT, each
from napari_covidseg.cli.inputs import open_study
from napari_covidseg.cli.options import Images, Json, ModalityOption, Reading, Series, Volume
from napari_covidseg.measure.report import plain
from napari_covidseg.study import Study


def doctor(
    images: Images,
    modality: ModalityOption = None,
    series: Series = None,
    volume: Volume = None,
    as_json: Json = False,
) -> None:
    """Say what an image is, what is wrong with it and what that does to a result.

    The exit code is 2 where an image cannot be read or a run on it would be meaningless.
    """
    reading = Reading(series, volume, modality)
    stopped = False

    def work(path: Path) -> None:
        nonlocal stopped
        study = open_study(path, reading)
        findings = input_doctor.examine(study)
        stopped |= any(f.severity == "stop" for f in findings)
        series_found = io.list_series(path) if path.is_dir() else ()
        if as_json:
            facts = {
                "image": str(path),
                **describe(study),
                "series": [asdict(s) for s in series_found],
                "findings": [asdict(f) for f in findings],
            }
            typer.echo(json.dumps(plain(facts), default=str))
            return
        typer.echo(f"{path}: {headline(study)}")
        if len(series_found) > 1:
            for found in series_found:
                shape = " x ".join(map(str, found.shape))
                typer.echo(f"  series {found.key}: {found.description or 'no name'}, {shape}")
        for finding in findings:
            typer.echo(f"  {finding.severity}: {finding.what}")
            for line in (finding.effect, finding.fix):
                if line:
                    typer.echo(f"    {line}")
        if not findings:
            typer.echo("  nothing wrong found")

    code = each(images, work)
    raise typer.Exit(code or (BAD_INPUT if stopped else 0))


def describe(study: Study) -> dict[str, Any]:
    """Facts about a study that name nobody."""
    return {
        "modality": study.modality.value if study.modality else None,
        "hounsfield_units": study.is_hu,
        "shape": list(study.array.shape),
        "spacing_mm": list(study.spacing) if study.spacing_known else None,
        "orientation_known": study.orientation_known,
        "type": str(study.array.dtype),
    }


def headline(study: Study) -> str:
    """Sum a study up in one line."""
    kind = study.modality.value if study.modality else "unknown kind"
    units = " in HU" if study.is_hu else ""
    shape = " x ".join(map(str, study.array.shape))
    spacing = " x ".join(f"{s:.3g}" for s in study.spacing)
    size = f"{spacing} mm" if study.spacing_known else "spacing unknown"
    return f"{kind}{units}, {shape}, {study.array.dtype}, {size}"
