"""covidseg demo: the main job on a phantom made by code."""

from __future__ import annotations

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
    raise NotImplementedError
