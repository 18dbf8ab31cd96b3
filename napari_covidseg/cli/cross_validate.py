"""covidseg cross-validate: how good a recipe is on every case, each held out once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_covidseg.cli.progress import native_words_muted
from napari_covidseg.study import CovidsegError


def cross_validate(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The model's TOML file.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Runs and report; finished folds are kept.")
    ],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of each training; default: the recipe's.")
    ] = None,
) -> None:
    """Follow a recipe once for each fold of its split and measure on what was held out."""
    for path, what in ((recipe, "recipe"), (data, "data folder")):
        if not path.exists():
            raise CovidsegError(f"there is no {what} at {path}: check the path.")
    with native_words_muted():
        from napari_covidseg.training import reports
        from napari_covidseg.training.cross_validate import cross_validate as follow

    report = follow(recipe, data, out, steps=steps, log=typer.echo)
    typer.echo(f"wrote {reports.in_runs(out, report['recipe'], reports.CROSS_VALIDATION)}")
