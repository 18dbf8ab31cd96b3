"""covidseg measure and covidseg evaluate: numbers from masks.

The table is for people and goes to stderr, JSON is for programs and goes to stdout; in a
terminal, where both would meet, the table alone is shown unless JSON is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from napari_covidseg import io
from napari_covidseg.cli.inputs import open_study
from napari_covidseg.cli.label_files import LabelFile, assign
from napari_covidseg.cli.options import Json, ModalityOption, Reading, Series, Volume
from napari_covidseg.io.atomic import write_text
from napari_covidseg.labels import INFECTION, LUNGS, SCHEMES, LabelScheme
from napari_covidseg.measure import agreement, report, volumes
from napari_covidseg.study import CovidsegError

Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a .json or .csv file.")]
_UNNAMED = LabelScheme("labels", "labels", ())


def measure(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", hidden=True)] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KIND=]FILE...",
            help=f"Label maps of the image; KIND is one of {', '.join(SCHEMES)}, "
            "by default told from the name of the file or its folder.",
        ),
    ] = None,
    out: Out = None,
    as_json: Json = False,
    modality: ModalityOption = None,
    series: Series = None,
    volume: Volume = None,
) -> None:
    """Measure lungs and infection: mL per side, percent of the lung, Hounsfield units."""
    _check_ending(out)
    files = assign([*(labels or []), *map(str, more or [])])
    study = open_study(image, Reading(series, volume, modality))
    masks = {f.kind: io.read_mask(f.path, study) for f in files}
    scheme, infection = _infection(files, masks)
    result = volumes.measure(study, masks.get(LUNGS.key), infection, scheme)
    about = {"image": image.name, "labels": {f.kind or "unnamed": f.path.name for f in files}}
    _give(
        report.measurement_table(result, title=image.name),
        report.to_json(result, **about),
        report.to_csv(result),
        out,
        as_json,
    )


def evaluate(
    prediction: Annotated[Path, typer.Argument(metavar="PREDICTION", help="Mask to judge.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="Mask that counts as true.")],
    scheme: Annotated[
        str | None, typer.Option(help=f"What the values mean: {', '.join(SCHEMES)}.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="MM",
            help=f"Of the NSD; default {agreement.INFECTION_TOLERANCE_MM:g} for infection, "
            f"else {agreement.LUNG_TOLERANCE_MM:g}.",
        ),
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Compare a mask with the truth: Dice, IoU, sensitivity, precision, HD95, NSD, volumes."""
    _check_ending(out)
    if scheme is not None and scheme not in SCHEMES:
        raise CovidsegError(f"no scheme is named '{scheme}': choose one of {', '.join(SCHEMES)}.")
    true = io.read(truth)
    predicted = io.read_mask(prediction, true)
    if tolerance is None:
        lungs = scheme in (None, LUNGS.key)
        tolerance = agreement.LUNG_TOLERANCE_MM if lungs else agreement.INFECTION_TOLERANCE_MM
    rows = agreement.compare(
        predicted,
        io.read_mask(truth, true),
        names=SCHEMES[scheme].names if scheme else None,
        spacing=true.spacing if true.spacing_known else None,
        voxel_ml=true.voxel_ml,
        tolerance=tolerance,
    )
    about = {"prediction": prediction.name, "truth": truth.name, "scheme": scheme}
    _give(
        report.agreement_table(rows, title=f"{prediction.name} against {truth.name}"),
        report.to_json(rows, **about),
        report.to_csv(rows),
        out,
        as_json,
    )


def _infection(
    files: Sequence[LabelFile], masks: Mapping[str | None, np.ndarray]
) -> tuple[LabelScheme, np.ndarray | None]:
    """Pick the mask that is not lungs, and what its values mean."""
    others = [f for f in files if f.kind != LUNGS.key]
    if len(others) > 1:
        raise CovidsegError(
            f"{others[0].path} and {others[1].path} both hold findings: measure one at a time."
        )
    if not others:
        return INFECTION, None
    kind = others[0].kind
    return (SCHEMES[kind] if kind else _UNNAMED), masks[kind]


def _check_ending(out: Path | None) -> None:
    """Refuse before the work what could not be written after it."""
    if out is not None and out.suffix.lower() not in (".json", ".csv"):
        raise CovidsegError(f"--out {out}: the ending must be .json or .csv.")


def _give(table: Table, as_json: str, as_csv: str, out: Path | None, json_only: bool) -> None:
    if out is not None:
        write_text(out, as_csv if out.suffix.lower() == ".csv" else f"{as_json}\n")
    if not json_only:
        Console(stderr=True, width=None if sys.stderr.isatty() else 120).print(table)
    if json_only or not sys.stdout.isatty():
        typer.echo(as_json)
