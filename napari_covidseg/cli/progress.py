"""Progress on stderr, for people only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from napari_covidseg.segmentation import Progress, ProgressCallback


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
    console = Console(stderr=True)
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
