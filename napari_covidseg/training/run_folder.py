"""What a training leaves for people in its folder, after every epoch.

``history.csv``, ``predictions/epoch-XXX/``, ``curves.png`` and ``report.html``. All of it
follows from the checkpoint's figures and is written anew, so that a run that was killed and
goes on leaves the same files.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_covidseg.io.atomic import write_bytes, write_text
from napari_covidseg.training import curves, run_report, strips
from napari_covidseg.training.dataset import Cached
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.run_report import Count, Page
from napari_covidseg.training.watch import EpochReport, Preview

HISTORY = "history.csv"
PREDICTIONS = "predictions"
CURVES = "curves.png"
REPORT = "report.html"


class RunFolder:
    """Write it.

    Parameters
    ----------
    path : Path
        The run's folder.
    recipe : Recipe
    train, validation : sequence of Cached
        What is counted in the report.
    log : callable
        Takes a line if there can be no curves.
    """

    def __init__(
        self,
        path: Path,
        recipe: Recipe,
        train: Sequence[Cached],
        validation: Sequence[Cached],
        log: Callable[[str], None],
    ) -> None:
        self.path = path
        self.recipe = recipe
        self.counts = count(train), count(validation)
        self.log = log
        self.rows: list[dict[str, float]] = []
        self.best: int | None = None
        self._drawable = True

    def begin(self) -> None:
        """Start anew, without what an older run has left."""
        shutil.rmtree(self.path / PREDICTIONS, ignore_errors=True)
        self._write_history()

    def go_on(self, rows: Sequence[dict[str, float]], best: int | None) -> None:
        """Go on after these epochs."""
        self.rows, self.best = list(rows), best
        self._write_history()

    def add(self, report: EpochReport) -> None:
        """Write what an epoch has brought.

        Raises
        ------
        WriteError
            If the disk is full, or the like.
        """
        self.rows.append(report.row)
        if report.best:
            self.best = len(self.rows) - 1
        self._write_history()
        drawn = self._predictions(report)
        plot = self._curves()
        page = Page(self.recipe, *self.counts, self.rows, self.best, plot, drawn)
        write_text(self.path / REPORT, run_report.to_html(page))

    def _write_history(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self.recipe.history])
        for k, row in enumerate(self.rows):
            writer.writerow([k + 1, *(f"{row[name]:.6g}" for name in self.recipe.history)])
        write_text(self.path / HISTORY, text.getvalue())

    def _predictions(self, report: EpochReport) -> dict[str, bytes]:
        scheme = self.recipe.labels
        if scheme is None:
            return {}
        folder = self.path / PREDICTIONS / f"epoch-{report.epoch:03d}"
        drawn = {}
        for k, preview in enumerate(report.preview):
            drawn[preview.name] = strips.png(preview, scheme)
            write_bytes(folder / file_name(k, preview), drawn[preview.name])
        return drawn

    def _curves(self) -> bytes | None:
        if not self._drawable:
            return None
        try:
            drawn = curves.png(self.rows)
        except ImportError:
            self._drawable = False
            self.log('no curves: matplotlib comes with pip install "napari-covidseg[train]"')
            return None
        write_bytes(self.path / CURVES, drawn)
        return drawn


def count(items: Sequence[Cached]) -> dict[str, Count]:
    """Pictures and groups of each data set."""
    names = dict.fromkeys(c.item.set for c in items)
    groups = {name: [c.item.group for c in items if c.item.set == name] for name in names}
    return {name: Count(len(mine), len(set(mine))) for name, mine in groups.items()}


def file_name(number: int, preview: Preview) -> str:
    """Name of a preview's picture: the same every epoch, and fit for any disk."""
    return f"{number + 1}-{re.sub(r'[^A-Za-z0-9_-]+', '-', preview.name)[:60].strip('-')}.png"
