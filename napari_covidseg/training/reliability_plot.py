"""The reliability tables of a card as one plot."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any


def png(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """Draw reliability tables as a PNG file's bytes.

    Above, how often cases are positive against what was predicted of them, one line a data
    set; below, how many cases each point stands for.

    Parameters
    ----------
    tables : mapping
        Data set to its bins, each with ``predicted``, ``observed`` and ``n``, as
        ``metrics.json`` holds them.

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install "napari-covidseg[train]"``).
    """
    # Neither pyplot nor a display: a figure of its own leaves a program's other plots alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.4), layout="constrained", facecolor="white")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="as often as predicted")
    for name, bins in tables.items():
        predicted = [b["predicted"] for b in bins]
        counts = [b["n"] for b in bins]
        (line,) = above.plot(predicted, [b["observed"] for b in bins], marker="o", label=name)
        below.vlines(predicted, 0, counts, color=line.get_color(), linewidth=3)
        for x, n in zip(predicted, counts, strict=True):
            # Upright, for at both ends the bins lie close together.
            below.annotate(
                str(n), (x, n), (0, 2), textcoords="offset points", rotation=90, ha="center",
                fontsize="x-small",
            )  # fmt: skip
    largest = max((b["n"] for bins in tables.values() for b in bins), default=1)
    above.set(ylabel="share that is positive", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    below.set(xlabel="mean probability of the bin", ylabel="cases (n)", ylim=(0, 1.7 * largest))
    above.grid(alpha=0.3)
    above.legend(fontsize="small", loc="upper left")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90, metadata={"Software": None})
    return file.getvalue()
