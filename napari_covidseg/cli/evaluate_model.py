"""covidseg evaluate-model: measure a model on its held-out cases and write its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_covidseg.cli.options import ModelDirs
from napari_covidseg.cli.progress import native_words_muted
from napari_covidseg.study import CovidsegError


def evaluate_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    model_dir: ModelDirs = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Split that holds the cases out, one that ships or a .json file; default: its "
            "own.",
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option(help="Write metrics.json and README.md into the model's folder.")
    ] = False,
    leave_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also train without each source in turn and measure on it; runs go into FOLDER.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of each such training; default: the recipe's.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Learning rate of each such training; default: the recipe's."),
    ] = None,
) -> None:
    """Measure a model on the cases that its split holds out."""
    if not data.is_dir():
        raise CovidsegError(f"there is no data folder at {data}: check the path.")
    if leave_out is None and (steps or rate):
        raise CovidsegError(
            "--steps and --rate are of the trainings without a source: add --leave-out FOLDER."
        )
    if write and split is not None:
        raise CovidsegError(
            "the card tells of the cases that the model itself held out: leave out --split, or "
            "--write."
        )
    if split is not None and split.endswith(".json"):
        # Files on the command line are the user's; a model's own lie in its folder.
        split = str(Path(split).resolve())
    with native_words_muted():
        from napari_covidseg.inference.registry import find
        from napari_covidseg.training import reports
        from napari_covidseg.training.card import write_card
        from napari_covidseg.training.evaluate import evaluate_model as measure

    info = find(name, model_dir or ())
    summary = measure(info, data, split=split, model_dirs=model_dir or (), log=typer.echo)
    made = {reports.METRICS: reports.of_model(info, summary)}
    if leave_out is not None:
        if info.task != "classification":
            raise CovidsegError(f"{name} is no classification: leave out --leave-out.")
        from napari_covidseg.training.leave_out import leave_one_source_out

        recipe = info.folder / "recipe.toml"
        unseen = leave_one_source_out(
            recipe, data, leave_out, steps=steps, rate=rate, log=typer.echo
        )
        made[reports.LEFT_OUT] = unseen
    if write:
        write_card(info, made)
        typer.echo(f"wrote {info.card}")
