"""covidseg models: which models there are, what they are for, whether they are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.cli.errors import BAD_INPUT, say
from napari_covidseg.cli.options import Json, ModelDirs
from napari_covidseg.study import CovidsegError

app = typer.Typer(help="List, show and verify models.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Model.", show_default=False)]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Models; default: all.")]


@app.callback()
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models(model_dir: ModelDirs = None, as_json: Json = False) -> None:
    """List the models that are there."""
    found = _available(model_dir)
    if as_json:
        typer.echo(json.dumps([_facts(m) for m in found.values()], indent=2))
        return
    table = Table(caption=RESEARCH_ONLY)
    for heading in ("name", "for", "task", "what it does", "version"):
        table.add_column(heading)
    table.add_column("MB", justify="right")
    for m in found.values():
        table.add_row(m.name, m.modality, m.task, m.summary, m.version, f"{m.size_mb:.1f}")
    Console().print(table)


@app.command()
def show(name: Name, model_dir: ModelDirs = None, as_json: Json = False) -> None:
    """Show a model's card: what it was trained on, how good it is, where it fails."""
    info = _pick(_available(model_dir), [name])[0]
    if as_json:
        typer.echo(json.dumps(_facts(info), indent=2))
    else:
        typer.echo(info.card.read_text(encoding="utf-8"))


@app.command()
def verify(names: Names = None, model_dir: ModelDirs = None) -> None:
    """Check that the weights are those that the model's description names."""
    from napari_covidseg.inference import registry

    found = _available(model_dir)
    failed = False
    for info in _pick(found, names or list(found)):
        try:
            registry.verify(info)
        except CovidsegError as error:
            say(f"{info.name}: {error}")
            failed = True
        else:
            typer.echo(f"{info.name} {info.version}: ok")
    raise typer.Exit(BAD_INPUT if failed else 0)


def _available(folders: list[Path] | None) -> dict[str, Any]:
    from napari_covidseg.inference import registry

    return {m.name: m for m in registry.available(tuple(folders or ()))}


def _pick(known: dict[str, Any], names: list[str]) -> list[Any]:
    for name in names:
        if name not in known:
            raise CovidsegError(
                f"no model is named '{name}': choose one of {', '.join(known) or 'none'}."
            )
    return [known[name] for name in names]


def _facts(info: Any) -> dict[str, Any]:
    fields = ("name", "version", "title", "summary", "task", "role", "modality", "scheme")
    return {
        **{field: getattr(info, field) for field in fields},
        "threshold": info.threshold,
        "size_mb": round(info.size_mb, 2),
        "folder": str(info.folder),
    }
