"""covidseg demo: the main job on a phantom made by code, with or without a display."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results go if there is no display.")
    ] = Path("covidseg-demo"),
    window: Annotated[
        bool | None,
        typer.Option(
            "--window/--no-window", help="Open napari, or write files; default: as can be."
        ),
    ] = None,
) -> None:
    """Segment a chest CT phantom: in napari, or without a display into a folder."""
    if has_display() if window is None else window:
        from napari_covidseg.viewer.demo import main

        raise typer.Exit(main([]))
    from napari_covidseg.cli.demo_files import write_files

    write_files(out)


def has_display() -> bool:
    """Whether a window can be opened here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
