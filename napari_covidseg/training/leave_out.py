"""Leave one source out: how a classifier does in a place that it has never seen.

File looks (size, window, compression) give a source away, and sources differ in how many
of their pictures are positive. A split by patient inside the same sources does not show
what that is worth elsewhere; this does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg.training import dataset, head, held_out, loop, train
from napari_covidseg.training.figures import Figure, auc_figure, in_words
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.validation import predict

LeftOut = tuple[list[dataset.Cached], np.ndarray]
"""Items of a source that was left out, and their logits."""


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

    Raises
    ------
    CovidsegError
        If the source left out would steer the training, or as ``train.run_recipe``.
    """
    recipe = load_recipe(recipe_path).with_steps(steps)
    held_out.require_unsteered(recipe)
    items = [item for side in train.load_items(recipe, data, out, log) for item in side]
    sources = np.array([_source(c) for c in items])
    start = partial(train.start_model, recipe, data, out, log)
    answers = (
        _by_head(recipe, items, sources, start())
        if recipe.head
        else _by_training(recipe, items, sources, start, out, log)
    )
    figures = []
    for unseen, logits in answers:
        figure = auc_figure(
            np.array([int(c.labels) for c in unseen]),
            logits,
            np.array([c.item.group for c in unseen]),
            set=unseen[0].item.set,
            measure="AUC, source never seen",
            unit="picture",
            label=_source(unseen[0]),
        )
        log(in_words(figure))
        figures.append(figure)
    return figures


def _by_head(
    recipe: Recipe, items: Sequence[dataset.Cached], sources: np.ndarray, model: Any
) -> Iterator[LeftOut]:
    """Fit the last layer; what the networks see does not depend on who is left out."""
    assert recipe.head is not None
    seen = head.features(model, items, recipe, recipe.head.copies)
    truth = np.array([int(c.labels) for c in items])
    groups = np.array([c.item.group for c in items])
    for source in np.unique(sources):
        rest = sources != source
        fitted = head.fit(seen[:, rest], truth[rest], groups[rest], recipe.head)
        yield list(compress(items, ~rest)), fitted.logits(seen[0, ~rest])


def _by_training(
    recipe: Recipe,
    items: Sequence[dataset.Cached],
    sources: np.ndarray,
    start: Callable[[], Any],
    out: Path,
    log: loop.Log,
) -> Iterator[LeftOut]:
    """Train the network anew for each source."""
    for source in np.unique(sources):
        rest = sources != source
        unseen = list(compress(items, ~rest))
        folder = out / f"{recipe.name}-without-{source}"
        folder.mkdir(parents=True, exist_ok=True)
        model = start()
        loop.fit(model, list(compress(items, rest)), unseen, recipe, folder, log=log)
        yield unseen, predict(model, unseen, recipe)[:, 0]


def _source(cached: dataset.Cached) -> str:
    return cached.item.group.split("/")[0]
