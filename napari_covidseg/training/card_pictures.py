"""The pictures of a model's card, and the lines that show them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_bytes
from napari_covidseg.training import phantom_strip, reliability_plot
from napari_covidseg.training.phantom_strip import Worst

RELIABILITY = "reliability.png"
PHANTOM = "phantom-worst.png"

FILES = (RELIABILITY, PHANTOM)
"""What a model's folder may hold of pictures, all of it shown on its card."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What is drawn for a card.

    Attributes
    ----------
    plot : bytes or None
        PNG of the reliability tables of a classification.
    worst : Worst or None
        Of a segmentation on the phantom.
    """

    plot: bytes | None = None
    worst: Worst | None = None

    @classmethod
    def of(cls, info: ModelInfo, report: Mapping[str, Any]) -> Pictures:
        """Draw them; there is no plot without matplotlib, which comes with ``[train]``."""
        if info.task == "segmentation":
            return cls(worst=phantom_strip.worst(info))
        tables = report.get("reliability")
        if tables:
            with contextlib.suppress(ImportError):
                return cls(plot=reliability_plot.png(tables))
        return cls()

    def write(self, folder: Path) -> None:
        """Write them into a model's folder; one that is no longer shown goes."""
        drawn = {RELIABILITY: self.plot, PHANTOM: self.worst.png if self.worst else None}
        for name, png in drawn.items():
            if png is None:
                (folder / name).unlink(missing_ok=True)
            else:
                write_bytes(folder / name, png)

    def reliability(self) -> list[str]:
        """Lines of the card with the plot."""
        return [] if self.plot is None else [f"![Reliability plot]({RELIABILITY})", ""]

    def on_the_phantom(self) -> list[str]:
        """Section of the card on the phantom."""
        if self.worst is None:
            return []
        return [
            "## At its worst on the phantom",
            "",
            f"![Picture, truth, what the model draws, and the differences]({PHANTOM})",
            "",
            f"`{self.worst.name}`, Dice {self.worst.dice:.3f}: of {self.worst.of} pictures of the "
            "phantom the one with the lowest Dice. From left to right the picture, the truth, what "
            "the model draws, and the differences: orange is missed, blue is too much. The phantom "
            "is a chest made by code: the picture shows what a failure looks like, not how often "
            "one happens on patients.",
            "",
        ]
