"""Leave one source out: how a classifier does in a place that it has never seen.

File looks (size, window, compression) give a source away, and sources differ in how many
of their pictures are positive. A split by patient inside the same sources does not show
what that is worth elsewhere; this does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import ModelInfo, read_model
from napari_covidseg.training import answers, held_out, reports, train
from napari_covidseg.training.answers import Answer, Measure
from napari_covidseg.training.dataset import Cached, stack_still
from napari_covidseg.training.figures import Figure, in_words
from napari_covidseg.training.found import Summary
from napari_covidseg.training.loop import Log
from napari_covidseg.training.recipe import load_recipe

CHUNK = 64
"""Pictures at once."""

MEASURES: Mapping[str, Measure] = {
    f"{name}, source never seen": measure for name, measure in answers.BY_SOURCE.items()
}


def leave_one_source_out(
    recipe_path: Path, data: Path, out: Path, *, steps: int | None = None, log: Log = print
) -> dict[str, Any]:
    """Train once for each source on all the others, and measure on the one left out.

    Parameters
    ----------
    recipe_path : Path
        Recipe of a classification whose groups read ``source/patient``.
    data, out : Path
        Data sets, and a folder for the runs and the report (models to start from are looked
        for there). A source that was finished there is measured only; one that was killed
        goes on.
    steps : int, optional
        Shorter schedule than the recipe's, for a network that is trained step by step.
    log : callable
        Takes progress lines.

    Returns
    -------
    dict
        Report, as it was written: of each source by the model that never saw it the AUC, and
        what its threshold is worth there, which was fitted on the other sources too.

    Raises
    ------
    CovidsegError
        If the source left out would steer the training, or as ``train.run_recipe``.
    """
    recipe = load_recipe(recipe_path).with_steps(steps)
    held_out.require_unsteered(recipe)
    items = [item for side in train.load_items(recipe, data, out, log) for item in side]
    sources = np.array([c.item.group.split("/")[0] for c in items])
    figures: list[Figure] = []
    for source in np.unique(sources):
        rest = sources != source
        unseen = list(compress(items, ~rest))
        folder = out / f"{recipe.name}-without-{source}"
        if not (folder / "model.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            model = train.start_model(recipe, data, out, log)
            seen = list(compress(items, rest))
            chosen = train.learn(model, seen, unseen, recipe, folder, resume=True, log=log)
            train.write_model(model, recipe, recipe_path, folder, **chosen)
        said = list(_answers(read_model(folder), unseen))
        names = {"set": unseen[0].item.set, "unit": "picture", "label": str(source)}
        for figure in answers.measured(said, MEASURES, **names):
            log(in_words(figure))
            figures.append(figure)
    return reports.write_run(out, reports.LEFT_OUT, recipe, Summary(figures))


def _answers(info: ModelInfo, items: Sequence[Cached]) -> Iterator[Answer]:
    """Ask a model as it would be shipped."""
    network = Network(info)
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        logits = network(stack_still(chunk, info.spec.input)[0])[:, 0]
        for c, p in zip(chunk, expit(logits / info.spec.temperature), strict=True):
            yield Answer(c.item.group, int(c.labels), float(p), bool(p >= info.threshold))
