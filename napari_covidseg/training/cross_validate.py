"""Cross-validation: every case is held out once, and measured by a model that never saw it.

What ships is trained on one split; how good its recipe is shows on all cases only when
the recipe is followed once for each fold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_covidseg.inference.registry import read_model
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import reports, steering
from napari_covidseg.training.dataset import fold_names
from napari_covidseg.training.evaluate import find_all
from napari_covidseg.training.figures import in_words
from napari_covidseg.training.finished import is_finished
from napari_covidseg.training.found import Found, Summary
from napari_covidseg.training.loop import Log
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.stages import stages
from napari_covidseg.training.train import run_recipe


def cross_validate(
    recipe_path: Path, data: Path, out: Path, *, steps: int | None = None, log: Log = print
) -> dict[str, Any]:
    """Follow a recipe once for each fold of its split and measure on what was held out.

    Parameters
    ----------
    recipe_path : Path
        Recipe whose split has a file of folds (``SPLIT-folds.json``).
    data, out : Path
        Data sets, and a folder for the runs and the report: fold k goes into
        ``out/fold-k``. A fold that was finished there is measured only; one that was killed
        goes on.
    steps : int, optional
        Shorter schedule than the recipe's.
    log : callable
        Takes progress lines.

    Returns
    -------
    dict
        Report, as it was written: over the cases of all folds, each measured by the model
        that had not seen it.

    Raises
    ------
    CovidsegError
        If there is no file of folds, if an earlier stage has no recipe, if what is held out
        would steer the training of a stage, if a run of another schedule lies in `out`, or as
        ``train.run_recipe``.
    """
    recipe = load_recipe(recipe_path)
    if recipe.split is None:
        raise CovidsegError(f"{recipe_path} names no split: cross-validation needs its folds.")
    if recipe.own_data:
        raise CovidsegError(
            f"{recipe_path} has data of your own, for which there is no file of folds: "
            "cross-validate it on data sets of its split."
        )
    paths = [*stages(recipe_path), recipe_path]
    for path in paths:
        steering.require_unsteered(load_recipe(path))
    together: dict[str, Found] = {}
    for k, split in enumerate(fold_names(recipe.split)):
        folder = out / f"fold-{k}"
        # A stage that was trained on all folds would have seen what is held out here.
        for path in paths:
            followed = load_recipe(path).with_split(split).with_schedule(steps)
            if not is_finished(folder / followed.name, followed):
                log(f"fold {k}: {path}")
                run_recipe(path, data, folder, resume=True, log=log, split=split, steps=steps)
        for found in find_all(read_model(folder / recipe.name), data):
            if found.set in together:
                together[found.set].add(found)
            else:
                together[found.set] = found
    summary = Summary.of(together.values())
    for figure in summary.figures:
        log(in_words(figure))
    return reports.write_run(
        out,
        reports.CROSS_VALIDATION,
        recipe,
        summary,
        split=recipe.split,
        folds=len(fold_names(recipe.split)),
        steps=steps,
    )
