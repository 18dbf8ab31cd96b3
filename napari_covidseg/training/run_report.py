"""One HTML page about a training: what went in, how it went, what came out.

The page stands alone: its pictures are a part of it, and it fetches nothing.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from napari_covidseg import RESEARCH_ONLY, __version__
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.strips import NOT_TOLD_COLOUR

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 } td, th { padding: .15rem .7rem;
  text-align: right; border-bottom: 1px solid #ddd } td:first-child, th:first-child
  { text-align: left } img { max-width: 100% } figure { margin: .5rem 0 } pre { background: #f5f5f5;
  padding: .7rem; overflow: auto } .note { background: #fff3cd; padding: .5rem .7rem }
.key { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em }
"""


@dataclass(frozen=True)
class Count:
    """How much of a data set a training sees.

    Attributes
    ----------
    pictures, groups : int
        Pictures, and patients (or whatever the split keeps together) that they come from.
    """

    pictures: int = 0
    groups: int = 0


@dataclass(frozen=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    recipe : Recipe
    train, validation : mapping
        Data set to its count.
    rows : sequence of dict
        Figures of each epoch.
    best : int or None
        Index of the best row.
    curves : bytes or None
        PNG, if it could be drawn.
    predictions : mapping
        Name of a validation picture to its PNG after the last epoch.
    """

    recipe: Recipe
    train: Mapping[str, Count]
    validation: Mapping[str, Count]
    rows: Sequence[dict[str, float]]
    best: int | None
    curves: bytes | None = None
    predictions: Mapping[str, bytes] = field(default_factory=dict)


def to_html(page: Page) -> str:
    """Write the page."""
    recipe = page.recipe
    title = f"Training of {recipe.name} {recipe.version}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="note"><strong>{RESEARCH_ONLY}</strong></p>',
        f"<p>{escape(recipe.summary)}</p>",
        f"<p>{_progress(page)} Seed {recipe.seed}. napari-covidseg {__version__}.</p>",
        "<h2>Data</h2>",
        _data(page),
        "<h2>Curves</h2>",
        _image(page.curves, "curves") if page.curves else "<p>matplotlib is not installed.</p>",
        *_predictions(page),
        "<h2>History</h2>",
        _history(page),
        "<h2>Recipe</h2>",
        f"<pre>{escape(_recipe(recipe))}</pre>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _progress(page: Page) -> str:
    assert page.recipe.training is not None
    words = f"{len(page.rows)} of at most {page.recipe.training.epochs} epochs."
    if page.best is not None:
        value = page.rows[page.best][page.recipe.monitor]
        words += f" Best by {page.recipe.monitor}: {value:.4g} in epoch {page.best + 1}."
    return escape(words)


def _data(page: Page) -> str:
    head = ("data set", "for training", "from patients", "for validation", "from patients")
    cells = []
    for name in {**page.train, **page.validation}:
        one, other = page.train.get(name, Count()), page.validation.get(name, Count())
        cells.append((name, one.pictures, one.groups, other.pictures, other.groups))
    return _table(head, cells)


def _predictions(page: Page) -> list[str]:
    if not page.predictions or page.recipe.labels is None:
        return []
    key = [(label.name, label.colour) for label in page.recipe.labels.labels]
    key.append(("drawn, label not told", NOT_TOLD_COLOUR))
    legend = "".join(
        f'<span class="key" style="background:{colour}"></span>{escape(name)}'
        for name, colour in key
    )
    figures = [
        f"<figure>{_image(png, name)}<figcaption>{escape(name)}</figcaption></figure>"
        for name, png in page.predictions.items()
    ]
    words = f"Validation pictures after epoch {len(page.rows)}: picture, truth, prediction."
    return ["<h2>Predictions</h2>", f"<p>{words}{legend}</p>", *figures]


def _history(page: Page) -> str:
    head = ("epoch", *page.recipe.history)
    cells = [
        (str(k + 1), *(f"{row[name]:.4g}" for name in page.recipe.history))
        for k, row in enumerate(page.rows)
    ]
    return _table(head, cells)


def _recipe(recipe: Recipe) -> str:
    values = recipe.model_dump(mode="json", exclude_none=True)
    if recipe.split:
        values["split"] = Path(recipe.split).name  # of a file, its place is nobody's concern
    return json.dumps(values, indent=1)


def _table(head: Sequence[str], cells: Sequence[Sequence[object]]) -> str:
    def line(tag: str, values: Sequence[object]) -> str:
        inner = "".join(f"<{tag}>{escape(str(value))}</{tag}>" for value in values)
        return f"<tr>{inner}</tr>"

    return "<table>" + line("th", head) + "".join(line("td", row) for row in cells) + "</table>"


def _image(png: bytes, what: str) -> str:
    data = b64encode(png).decode()
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{data}">'
