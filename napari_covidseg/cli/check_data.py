"""covidseg check-data: look at the data of a recipe before training on them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_covidseg.cli.errors import BAD_INPUT, say
from napari_covidseg.study import CovidsegError

if TYPE_CHECKING:
    from napari_covidseg.training.checks import Gathered


def check_data(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The model's TOML file.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    files: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Also write which file stands behind each name of your own data; keep it private.",
        ),
    ] = None,
) -> None:
    """Check the data of a recipe: counts, masks, leaks across the split."""
    if not data.is_dir():
        raise CovidsegError(f"there is no data folder at {data}: check the path.")
    from napari_covidseg.training.checks import gather
    from napari_covidseg.training.recipe import load_recipe

    found = gather(load_recipe(recipe), data)
    if files is not None:
        _write_files(found, files)
    for finding in found.findings:
        if finding.kind == "fact":
            typer.echo(finding.words)
        else:
            say(finding.in_words())
    if any(finding.stops for finding in found.findings):
        raise typer.Exit(BAD_INPUT)


def _write_files(found: Gathered, path: Path) -> None:
    from napari_covidseg.io.atomic import atomic

    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("set", "name", "group", "file"))
        for name, one in found.loaded.items():
            writer.writerows((name, *row) for row in one.files)
