"""covidseg train: make a model's weights again from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_covidseg.study import CovidsegError


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The model's TOML file.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the new model goes.")],
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train a model from a recipe."""
    for path, what in ((recipe, "recipe"), (data, "data folder")):
        if not path.exists():
            raise CovidsegError(f"there is no {what} at {path}: check the path.")
    from napari_covidseg.training.train import run_recipe

    run_recipe(recipe, data, out, resume=resume)
