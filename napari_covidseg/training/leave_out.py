"""Leave one source out: how a classifier does in a place that it has never seen.

File looks (size, window, compression) give a source away, and sources differ in how many
of their pictures are positive. A split by patient inside the same sources does not show
what that is worth elsewhere; this does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import expit

from napari_covidseg.inference.network import Network, both_ways
from napari_covidseg.inference.registry import ModelInfo, read_model
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import answers, held_out, reports, steering, train
from napari_covidseg.training.answers import Answer, Measure
from napari_covidseg.training.dataset import Cached, stack_still
from napari_covidseg.training.figures import Figure, in_words
from napari_covidseg.training.finished import is_finished
from napari_covidseg.training.found import Summary
from napari_covidseg.training.loop import Log
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.stages import same_sets

CHUNK = 64
"""Pictures at once."""

MEASURES: Mapping[str, Measure] = {
    f"{name}, source never seen": measure for name, measure in answers.BY_SOURCE.items()
}


def leave_one_source_out(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    steps: int | None = None,
    rate: float | None = None,
    log: Log = print,
) -> dict[str, Any]:
    """Train once for each source on all the others, and measure on the one left out.

    A stage that the recipe starts from is trained anew too if it learns from the same set: as
    it ships it has seen every source.

    Parameters
    ----------
    recipe_path : Path
        Recipe of a classification whose groups read ``source/patient``.
    data, out : Path
        Data sets, and a folder for the runs and the report (models to start from are looked
        for there). Runs without a source go into ``out/without-SOURCE``; one that was
        finished there is measured only, one that was killed goes on.
    steps : int, optional
        Shorter schedule than the recipe's, of each stage that is trained step by step.
    rate : float, optional
        Another learning rate of each such stage: with fewer sources one that is right for all
        may drive a network out of its range.
    log : callable
        Takes progress lines.

    Returns
    -------
    dict
        Report, as it was written: of each source by the model that never saw it the AUC, and
        what its threshold is worth there.

    Raises
    ------
    CovidsegError
        If the source left out would steer the training of a stage, if an earlier stage has no
        recipe, if there are not several sources, if a run of another schedule lies in `out`, or
        as ``train.run_recipe``.
    """
    paths = same_sets(recipe_path)
    recipes = [load_recipe(path).with_schedule(steps, rate) for path in paths]
    for recipe in recipes:
        steering.require_unsteered(recipe)
    items: list[Cached] = []
    for k, (path, recipe) in enumerate(zip(paths, recipes, strict=True)):
        if not (k and _shown_alike(recipe, recipes[k - 1])):
            items = [item for side in train.load_items(recipe, data, out, log) for item in side]
            _require_sources(items, recipe)
        for source in sorted({_source(item) for item in items}):
            folder = out / f"without-{source}"
            if not is_finished(folder / recipe.name, recipe):
                log(f"{recipe.name} without {source}")
                _train(path, recipe, data, items, source, (folder, out), log)
    last = recipes[-1]
    figures: list[Figure] = []
    for source in sorted({_source(item) for item in items}):
        unseen = [item for item in items if _source(item) == source]
        said = list(_answers(read_model(out / f"without-{source}" / last.name), unseen))
        names = {"set": unseen[0].item.set, "unit": "picture", "label": source}
        for figure in answers.measured(said, MEASURES, **names):
            log(in_words(figure))
            figures.append(figure)
    return reports.write_run(out, reports.LEFT_OUT, last, Summary(figures), steps=steps, rate=rate)


def _source(item: Cached) -> str:
    return item.item.group.split("/")[0]


def _require_sources(items: Sequence[Cached], recipe: Recipe) -> None:
    """Raise unless the groups are patients of several sources."""
    named = all("/" in item.item.group for item in items)
    if not named or len({_source(item) for item in items}) < 2:
        raise CovidsegError(
            f"The data of {recipe.name} do not come from several sources that are told apart: "
            "there is none to leave out."
        )


def _shown_alike(recipe: Recipe, other: Recipe) -> bool:
    """Whether two recipes are shown the same pictures, before any augmentation."""
    return (recipe.data, recipe.input, recipe.augment.cut > 0) == (
        other.data,
        other.input,
        other.augment.cut > 0,
    )


def _train(
    path: Path,
    recipe: Recipe,
    data: Path,
    items: Sequence[Cached],
    source: str,
    places: tuple[Path, ...],
    log: Log,
) -> None:
    """Train one stage without a source, into the first of the places of models."""
    folder = places[0] / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    seen = [item for item in items if _source(item) != source]
    unseen = [item for item in items if _source(item) == source]
    train_items, unseen_items = ([cached.item for cached in side] for side in (seen, unseen))
    held_out.write(held_out.of_sides(recipe, train_items, unseen_items, places), folder)
    model = train.start_model(recipe, data, places, log)
    mirrored = train.is_mirrored(recipe, places)
    chosen = train.learn(
        model, seen, unseen, recipe, folder, mirrored=mirrored, resume=True, log=log
    )
    train.write_model(model, recipe, path, places, folder, split=held_out.FILE, **chosen)


def _answers(info: ModelInfo, items: Sequence[Cached]) -> Iterator[Answer]:
    """Ask a model as it would be shipped: of single pictures, mirrored ones too."""
    network = Network(info)
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        shown = stack_still(chunk, info.spec.input)[0]
        logits = (both_ways(network, shown) if info.spec.mirrored else network(shown))[:, 0]
        for c, p in zip(chunk, expit(logits / info.spec.temperature), strict=True):
            yield Answer(c.item.group, int(c.labels), float(p), bool(p >= info.threshold))
