"""How a training went, as curves over its epochs."""

from __future__ import annotations

import io
from collections.abc import Sequence


def png(rows: Sequence[dict[str, float]]) -> bytes:
    """Draw the columns of ``history.csv`` as a PNG file's bytes.

    Parameters
    ----------
    rows : sequence of dict
        Figures of each epoch, at least one.

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install "napari-covidseg[train]"``).
    """
    # Neither pyplot nor a display: a figure of its own leaves a program's other plots alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    epochs = range(1, len(rows) + 1)
    for axes, (title, names) in zip(figure.subplots(1, 3), _panels(rows[0]).items(), strict=True):
        for name in names:
            axes.plot(epochs, [row[name] for row in rows], marker=".", label=name)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        if title == "learning rate":
            axes.set_yscale("log")
        elif title == "validation":
            axes.set_ylim(0, 1)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return file.getvalue()


def _panels(row: dict[str, float]) -> dict[str, list[str]]:
    losses = [name for name in row if name.endswith("loss")]
    figures = [name for name in row if name not in losses and name != "learning_rate"]
    return {"loss": losses, "validation": figures, "learning rate": ["learning_rate"]}
