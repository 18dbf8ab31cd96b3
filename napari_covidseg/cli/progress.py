"""Progress on stderr, for people only, and nothing else there while a model runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console

from napari_covidseg.cli.errors import DEBUG
from napari_covidseg.segmentation import Progress, ProgressCallback

_STDERR = 2


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Show how far a run is, where stderr is a terminal; else show nothing.

    Parameters
    ----------
    title : str
        Goes before the phase, e.g. the file's name.

    Yields
    ------
    callable
        Takes a `Progress`.
    """
    with native_words_muted() as screen:
        console = Console(file=screen)
        if not console.is_terminal:
            yield lambda _: None
            return
        from rich import progress as bars

        columns = (
            bars.SpinnerColumn(),
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TimeElapsedColumn(),
        )
        with bars.Progress(*columns, console=console, transient=True) as display:
            task = display.add_task(title, total=None)

            def show(step: Progress) -> None:
                display.update(
                    task,
                    description=f"{title}: {step.phase}",
                    completed=step.done,
                    total=step.total or None,
                )

            yield show


@contextmanager
def native_words_muted() -> Iterator[TextIO]:
    """Keep TensorFlow's C++ parts from writing to stderr: no setting stops all of it.

    They speak when they are imported and when they are used. What goes wrong there is raised as
    an exception as well. Not done for ``--debug``.

    Yields
    ------
    TextIO
        The real stderr.
    """
    if os.environ.get(DEBUG):
        yield sys.stderr
        return
    sys.stderr.flush()
    with open(os.dup(_STDERR), "w", buffering=1) as screen:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        try:
            yield screen
        finally:
            screen.flush()
            os.dup2(screen.fileno(), _STDERR)
