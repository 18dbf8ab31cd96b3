"""Leave one source out: how a classifier does in a place that it has never seen.

File looks (size, window, compression) give a source away, and sources differ in how many
of their pictures are positive. A split by patient inside the same sources does not show
what that is worth elsewhere; this does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_covidseg.training import dataset, head, loop, train
from napari_covidseg.training.figures import Figure, auc_figure, in_words
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.validation import predict


def leave_one_source_out(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    steps: int | None = None,
    log: Callable[[str], None] = print,
) -> list[Figure]:
    """Train once for each source on all the others, and measure on the one left out.

    Parameters
    ----------
    recipe_path : Path
        Recipe of a classification whose groups read ``source/patient``.
    data, out : Path
        Data sets, and a folder for the runs (models to start from are looked for there).
    steps : int, optional
        Shorter schedule than the recipe's, for a network that is trained step by step.
    log : callable
        Takes progress lines.

    Returns
    -------
    list of Figure
        AUC of each source and its mean interval, by patient.
    """
    recipe = load_recipe(recipe_path).with_steps(steps)
    both = train.load_items(recipe, data, out, log)
    items = [*both[0], *both[1]]
    sources = np.array([_source(c) for c in items])
    answer = _by_head if recipe.head else _by_training
    figures = []
    for source, logits in answer(recipe, items, sources, data, out, log):
        unseen = [c for c, s in zip(items, sources, strict=True) if s == source]
        figure = auc_figure(
            np.array([int(c.labels) for c in unseen]),
            logits,
            np.array([c.item.group for c in unseen]),
            set=unseen[0].item.set,
            measure="AUC, source never seen",
            unit="picture",
            label=source,
        )
        log(in_words(figure))
        figures.append(figure)
    return figures


def _by_head(
    recipe: Recipe,
    items: Sequence[dataset.Cached],
    sources: np.ndarray,
    data: Path,
    out: Path,
    log: loop.Log,
) -> Iterator[tuple[str, np.ndarray]]:
    """Logits of each source; what the networks see does not depend on who is left out."""
    assert recipe.head is not None
    model = train.start_model(recipe, data, out, log)
    seen = head.features(model, items, recipe, recipe.head.copies)
    truth = np.array([int(c.labels) for c in items])
    groups = np.array([c.item.group for c in items])
    for source in np.unique(sources):
        rest = sources != source
        fitted = head.fit(seen[:, rest], truth[rest], groups[rest], recipe.head)
        yield str(source), fitted.logits(seen[0, ~rest])


def _by_training(
    recipe: Recipe,
    items: Sequence[dataset.Cached],
    sources: np.ndarray,
    data: Path,
    out: Path,
    log: loop.Log,
) -> Iterator[tuple[str, np.ndarray]]:
    """Logits of each source, by a network trained on the others."""
    for source in np.unique(sources):
        seen = [c for c, s in zip(items, sources, strict=True) if s != source]
        unseen = [c for c, s in zip(items, sources, strict=True) if s == source]
        folder = out / f"{recipe.name}-without-{source}"
        folder.mkdir(parents=True, exist_ok=True)
        model = train.start_model(recipe, data, out, log)
        loop.fit(model, seen, unseen, recipe, folder, log=log)
        yield str(source), predict(model, unseen, recipe)[:, 0]


def _source(cached: dataset.Cached) -> str:
    return cached.item.group.split("/")[0]
