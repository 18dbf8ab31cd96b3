"""covidseg reproduce: make the figures of a model's card again and compare them with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_covidseg.cli.errors import BAD_INPUT, say
from napari_covidseg.cli.options import ModelDirs
from napari_covidseg.cli.progress import native_words_muted
from napari_covidseg.study import CovidsegError


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Runs of cross-validate and --leave-out: what was finished there is measured too.",
        ),
    ] = None,
    train: Annotated[
        bool,
        typer.Option("--train", help="Train such runs as the card has and are not there (long)."),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write what came out and the card into its folder.")
    ] = False,
    model_dir: ModelDirs = None,
) -> None:
    """Make the figures of a model's card again; exit code 2 if one differs."""
    if not data.is_dir():
        raise CovidsegError(f"there is no data folder at {data}: check the path.")
    if out is None and train:
        raise CovidsegError("--train needs a folder for its runs: give one with --out.")
    if out is not None and not train and not out.is_dir():
        raise CovidsegError(f"there is no folder of runs at {out}: check the path, or add --train.")
    with native_words_muted():
        from napari_covidseg.inference.registry import find, verify
        from napari_covidseg.training import reports
        from napari_covidseg.training.card import write_card
        from napari_covidseg.training.reproduce import compare
        from napari_covidseg.training.reproduce import reproduce as again

    info = find(name, model_dir or ())
    verify(info)
    card = {report: reports.read(info.folder / report) for report in reports.REPORTS}
    made = again(info, data, out, train=train, model_dirs=model_dir or (), log=say)
    differ = 0
    for report, before in card.items():
        if report not in made:
            if before is not None:
                say(f"{report}: not made again; give its runs with --out, or --train them.")
            continue
        sha256 = (before or {}).get("weights_sha256", info.spec.weights.sha256)
        if sha256 != info.spec.weights.sha256:
            say(f"{report} on the card is of other weights than these.")
        for line in compare(before or {"figures": []}, made[report]):
            typer.echo(f"{report}: {line.in_words()}")
            differ += line.differs
    if write:
        write_card(info, made)
        typer.echo(f"wrote {info.card}")
    if differ:
        say(f"{differ} figures of {name} differ from its card.")
        raise typer.Exit(BAD_INPUT)
