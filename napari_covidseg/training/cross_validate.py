"""Cross-validation: every case is held out once, and measured by a model that never saw it.

What ships is trained on one split; how good its recipe is shows on all cases only when
the recipe is followed once for each fold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_covidseg.inference.registry import read_model
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.dataset import fold_names
from napari_covidseg.training.evaluate import Found, find_all
from napari_covidseg.training.figures import Figure, in_words
from napari_covidseg.training.loop import Log
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.train import run_recipe


def cross_validate(recipe_path: Path, data: Path, out: Path, *, log: Log = print) -> list[Figure]:
    """Follow a recipe once for each fold of its split and measure on what was held out.

    Parameters
    ----------
    recipe_path : Path
        Recipe whose split has a file of folds (``SPLIT-folds.json``).
    data, out : Path
        Data sets, and a folder for the runs: fold k goes into ``out/fold-k``, where models
        to start from are looked for first. A fold that was finished there is measured
        only; one that was killed goes on.
    log : callable
        Takes progress lines.

    Returns
    -------
    list of Figure
        Over the cases of all folds, each measured by the model that had not seen it.

    Raises
    ------
    CovidsegError
        If there is no file of folds, or as ``train.run_recipe``.
    """
    recipe = load_recipe(recipe_path)
    together: dict[str, Found] = {}
    if recipe.split is None:
        raise CovidsegError(f"{recipe_path.name} names no split: cross-validation needs one.")
    for k, split in enumerate(fold_names(recipe.split)):
        folder = out / f"fold-{k}" / recipe.name
        if not (folder / "model.json").exists():
            log(f"fold {k}")
            run_recipe(recipe_path, data, folder.parent, resume=True, log=log, split=split)
        for found in find_all(read_model(folder), data):
            if found.set in together:
                together[found.set].add(found)
            else:
                together[found.set] = found
    figures = [
        replace(figure, measure=f"{figure.measure}, cross-validated")
        for found in together.values()
        for figure in found.figures()
    ]
    for figure in figures:
        log(in_words(figure))
    return figures
