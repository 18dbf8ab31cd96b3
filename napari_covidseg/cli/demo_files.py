"""What the demo writes where there is no display."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import typer
from rich.console import Console

from napari_covidseg import RESEARCH_ONLY, inference, io, phantom
from napari_covidseg.cli.errors import say
from napari_covidseg.cli.overlay import picture
from napari_covidseg.cli.progress import progress_bar
from napari_covidseg.io.atomic import write_bytes, write_text
from napari_covidseg.measure import agreement, report, volumes
from napari_covidseg.segmentation import Segmentation

_PATIENCE_S = 300


def write_files(out: Path) -> None:
    """Run on the phantom and write image, masks, measurements and a picture of the viewer."""
    chest = phantom.ct()
    study = chest.study
    with progress_bar("chest CT phantom") as show:
        outcome = inference.run(study, ["ct-lungs", "ct-infection"], progress=show)
    lungs, infection = outcome.segmentations
    io.write_image(study, out / "image.nii.gz")
    for result in (lungs, infection):
        io.write_mask(result.labels, study, out / f"{result.scheme.key}.nii.gz", result.scheme)
    measured = volumes.measure(study, lungs.labels, infection.labels, infection.scheme)
    write_text(out / "measurements.json", report.to_json(measured, image="chest CT phantom"))
    write_text(out / "measurements.csv", report.to_csv(measured))
    Console().print(report.measurement_table(measured, title="chest CT phantom"))
    for result, truth in ((lungs, chest.lungs), (infection, chest.infection)):
        score = agreement.dice(result.labels > 0, truth > 0)
        typer.echo(f"{result.scheme.title}: Dice {score:.3f} with what the phantom was drawn with")
    how = viewer_picture(out / "viewer.png")
    if how:
        say(f"{how} The picture is drawn without napari.")
        plain_picture(out / "viewer.png", chest, (lungs, infection))
    typer.echo(f"\nWritten to {out.resolve()}:")
    for name, what in (
        ("image.nii.gz", "the phantom"),
        ("lungs.nii.gz, infection.nii.gz", "label maps"),
        ("measurements.json, measurements.csv", "volumes"),
        ("viewer.png", "a picture of the result"),
    ):
        typer.echo(f"  {name}: {what}")
    typer.echo(RESEARCH_ONLY)


def viewer_picture(path: Path) -> str:
    """Have napari do the same on a screen of Xvfb and take its picture.

    Returns
    -------
    str
        Empty if the picture was taken, else why not.
    """
    if shutil.which("xvfb-run") is None:
        return "xvfb-run is not installed (Debian: apt-get install xvfb xauth)."
    command = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", sys.executable]
    command += ["-m", "napari_covidseg.viewer.demo", "--screenshot", str(path)]
    shown = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        errors = shown.communicate(timeout=_PATIENCE_S)[1]
    except subprocess.TimeoutExpired:
        return f"The viewer was not ready after {_PATIENCE_S} s."
    finally:
        with suppress(ProcessLookupError):  # the screen and the viewer go with their starter
            os.killpg(shown.pid, signal.SIGKILL)
    if shown.returncode == 0 and path.exists():
        return ""
    lines = errors.strip().splitlines()
    return f"The viewer could not be shown ({lines[-1] if lines else 'no reason given'})."


def plain_picture(
    path: Path, chest: phantom.Phantom, results: tuple[Segmentation, Segmentation]
) -> None:
    """Write three slices with their masks as a PNG."""
    worst = int(np.count_nonzero(chest.infection, axis=(1, 2)).argmax())
    step = len(chest.infection) // 8
    slices = [max(worst - step, 0), worst, min(worst + step, len(chest.infection) - 1)]
    image = picture(chest.study, results, slices, f"chest CT phantom. {RESEARCH_ONLY}")
    write_bytes(path, cv2.imencode(".png", image[..., ::-1])[1].tobytes())
