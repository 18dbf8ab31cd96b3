"""covidseg models: which there are, what they are for, whether they are whole; install one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.cli.errors import BAD_INPUT, say
from napari_covidseg.cli.options import Json, ModelDirs
from napari_covidseg.cli.progress import progress_bar
from napari_covidseg.measure.report import plain
from napari_covidseg.study import CovidsegError

app = typer.Typer(help="List, show, verify and install models.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Model.", show_default=False)]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Models; default: all.")]


@app.callback()
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models(model_dir: ModelDirs = None, as_json: Json = False) -> None:
    """List the models that are there."""
    from napari_covidseg.inference import registry

    found = registry.available(model_dir or ())
    if as_json:
        typer.echo(json.dumps([_facts(m) for m in found], indent=2))
        return
    table = Table(caption=RESEARCH_ONLY)
    for heading in ("name", "version", "from", "for", "task", "what it does"):
        table.add_column(heading)
    table.add_column("MB", justify="right")
    answering: set[str] = set()
    for m in found:
        # The first of a name is the one that answers for it.
        version = m.version if m.name not in answering else f"{m.version} (on request)"
        answering.add(m.name)
        cells = (m.name, version, _origin(m), m.modality, m.task, m.summary, f"{m.size_mb:.1f}")
        table.add_row(*map(escape, cells))
    Console().print(table)


@app.command()
def show(name: Name, model_dir: ModelDirs = None, as_json: Json = False) -> None:
    """Show a model's card: what it was trained on, how good it is, where it fails."""
    from napari_covidseg.inference import registry

    info = registry.find(name, model_dir or ())
    if as_json:
        typer.echo(json.dumps(_facts(info), indent=2))
    elif info.card.exists():
        typer.echo(info.card.read_text(encoding="utf-8", errors="replace"))
    else:
        makes = f"covidseg evaluate-model {info.name} --data DATA --write"
        say(f"{info.name} has no card; {makes} gives it one.")
        typer.echo(f"{info.name} {info.version}: {info.summary} {RESEARCH_ONLY}")


@app.command()
def verify(names: Names = None, model_dir: ModelDirs = None) -> None:
    """Check that the weights are those that the model's description names."""
    from napari_covidseg.inference import registry

    every = registry.every_folder(model_dir or ())
    failed = False
    for model in names or every:
        try:
            info = (
                registry.find(model, model_dir or ())
                if isinstance(model, str)
                else registry.read_model(model)
            )
            registry.verify(info)
        except CovidsegError as error:
            say(f"{model if isinstance(model, str) else model.name}: {error}")
            failed = True
        else:
            typer.echo(f"{info.name} {info.version}: ok")
    raise typer.Exit(BAD_INPUT if failed else 0)


@app.command()
def install(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With model.json and weights.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Let a higher version answer for the name of a model that ships."
        ),
    ] = False,
) -> None:
    """Check a trained model and put it among your own."""
    from napari_covidseg.inference.install import install as put

    with progress_bar(folder.name):
        info = put(folder, replace=replace)
    typer.echo(f"{info.name} {info.version}: installed in {info.folder}")


def _origin(info: Any) -> str:
    return "shipped" if info.shipped else str(info.folder.parent)


def _facts(info: Any) -> dict[str, Any]:
    fields = ("name", "version", "title", "summary", "task", "role", "modality", "scheme")
    return {
        **{field: getattr(info, field) for field in fields},
        "threshold": info.threshold,
        "size_mb": plain(round(info.size_mb, 2)),
        "from": _origin(info),
        "folder": str(info.folder),
    }
