"""Train the model of a recipe and write it as a folder that the registry can find."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from napari_covidseg import nets
from napari_covidseg.inference.registry import defaults, find
from napari_covidseg.inference.weights import checksum, load_weights, save_weights
from napari_covidseg.io.atomic import atomic
from napari_covidseg.nets.applications_classifier import backbone
from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training import (
    calibrate,
    checks,
    dataset,
    ensemble,
    finished,
    head,
    held_out,
    imagenet,
    lineage,
    loop,
)
from napari_covidseg.training.frames import with_lung_frames
from napari_covidseg.training.precision import precision
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.sources import Item
from napari_covidseg.training.watch import Watcher

WEIGHTS = "weights.h5"

LEAST = 200
"""Drawn lung pixels from which a slice is worth looking into."""

SIDELESS = ("burden_classifier",)
"""Architectures whose last layer has no side to learn: areas and maxima of what is drawn are
the same in a mirror, and the network that draws learnt from mirrored pictures itself."""


def run_recipe(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    log: loop.Log = print,
    watcher: Watcher | None = None,
    split: str | None = None,
    steps: int | None = None,
    model_dirs: Sequence[Path] = (),
) -> Path:
    """Train one model.

    Parameters
    ----------
    recipe_path : Path
        TOML file, see ``training.recipe``.
    data : Path
        Folder with the data sets that the recipe names.
    out : Path
        Folder for the run; the model is written to ``out/<name>``.
    resume : bool
        Go on from the last finished epoch of a killed run in `out`.
    log : callable
        Takes progress lines.
    watcher : Watcher, optional
        Is told of every step and epoch of a recipe with ``[training]``, and may stop it.
    split : str, optional
        Instead of the recipe's: one fold of a cross-validation.
    steps : int, optional
        Shorter schedule than the recipe's.
    model_dirs : sequence of Path
        Further folders of models, to start from and to find lungs with; those in `out` go
        before them.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    CovidsegError
        If the recipe, a data set or the split does not fit, if a run lies there already, or if
        the loss became NaN.
    StoppedError
        If the watcher asked for it; ``resume`` goes on.
    """
    recipe = load_recipe(recipe_path).with_split(split).with_schedule(steps)
    folder = out / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    if not resume:
        finished.require_unused(folder)
    elif finished.is_finished(folder, recipe):
        log(f"{folder} is finished")
        return folder
    places = (out, *model_dirs)
    train, validation = load_items(recipe, data, out, log, resume=resume, model_dirs=model_dirs)
    model = start_model(recipe, data, places, log)
    chosen = learn(
        model,
        train,
        validation,
        recipe,
        folder,
        mirrored=is_mirrored(recipe, places),
        resume=resume,
        log=log,
        watcher=watcher,
    )
    write_model(model, recipe, recipe_path, places, folder, **chosen)
    log(f"wrote {folder}")
    return folder


def learn(
    model: Any,
    train: Sequence[dataset.Cached],
    validation: Sequence[dataset.Cached],
    recipe: Recipe,
    folder: Path,
    *,
    mirrored: bool,
    resume: bool = False,
    log: loop.Log = print,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Train a network in place as its recipe says, see `loop.fit` and `head.fit`.

    An ensemble is calibrated only; `mirrored` is what `is_mirrored` says of the recipe.

    Returns
    -------
    dict
        Fields of ``model.json`` that were fitted: temperature and threshold, if they were.
    """
    rest, kept = calibrate.keep_apart(train, recipe)
    if recipe.head:
        fitted = fit_head(model, rest, recipe, log)
        fitted.put_into(model)
        if not kept:
            return fitted.calibration.card(
                "Threshold (largest sensitivity + specificity) and temperature were fitted in "
                "cross-validation over training patients"
            )
    elif recipe.training:
        loop.fit(model, rest, validation, recipe, folder, resume=resume, log=log, watcher=watcher)
    if not kept:
        return {}
    calibration = calibrate.calibrate(model, kept, recipe, mirrored=mirrored)
    log(calibration.in_words())
    return calibration.card(
        "The temperature was fitted on training patients kept apart from the network"
    )


def fit_head(
    model: Any, train: Sequence[dataset.Cached], recipe: Recipe, log: loop.Log
) -> head.Head:
    """Fit the last layer of a classifier on the features of its training items."""
    assert recipe.head is not None
    seen = head.features(model, train, recipe, recipe.head.copies)
    log(f"{seen.shape[-1]} features of {seen.shape[1]} pictures")
    truth = np.array([int(c.labels) for c in train])
    groups = np.array([c.item.group for c in train])
    fitted = head.fit(seen, truth, groups, recipe.head, dataset.weights(train, recipe))
    log(
        f"strength {fitted.strength}, AUC {fitted.auc:.3f} in cross-validation, "
        f"{fitted.calibration.in_words()}"
    )
    return fitted


def start_model(recipe: Recipe, data: Path, places: Sequence[Path], log: loop.Log) -> Any:
    """Build the recipe's network, and fill it from the models that it starts from.

    They are looked for in `places`, one after the other, and then among those that ship.

    Raises
    ------
    CovidsegError
        If one is missing or damaged, or has learnt from cases that the recipe keeps apart.
    """
    for info in lineage.started_from(recipe, places):
        lineage.require_kept_apart(recipe, info)
    if recipe.ensemble:
        model = ensemble.start(recipe, places)
        log(f"{model.count_params():,} parameters of {', '.join(recipe.network.start_from)}")
        return model
    keras.utils.set_random_seed(recipe.seed)  # first weights and dropout
    with precision(recipe.training.precision if recipe.training else "float32") as chosen:
        try:
            model = nets.build(recipe.network.architecture, network_config(recipe))
        except ValueError as error:
            raise CovidsegError(f"network.config of the recipe: {error}") from error
    for name in recipe.network.start_from:
        if name == imagenet.NAME:
            filled = imagenet.fill(model, data)
        elif name == imagenet.KERAS:
            log(f"taking ImageNet weights of {model.name} from Keras, which downloads them once")
            filled = imagenet.fill_backbone(model)
        else:
            filled = load_weights(model, find(name, places).weights, partly=True)
        if not filled:
            raise CovidsegError(
                f"Nothing of {name} fits the network of {recipe.name}: give network.config and "
                "architecture as there, or start_from another model."
            )
        log(f"started from {name}: {filled} arrays")
    if recipe.network.freeze:
        for layer in backbone(model):
            layer.trainable = False
    log(f"{model.count_params():,} parameters, computing in {chosen}")
    return model


def load_items(
    recipe: Recipe,
    data: Path,
    out: Path,
    log: loop.Log,
    *,
    resume: bool = False,
    model_dirs: Sequence[Path] = (),
) -> tuple[list[dataset.Cached], list[dataset.Cached]]:
    """Training and validation items of a recipe, held apart by group.

    Raises
    ------
    CovidsegError
        If the data do not fit the recipe, or a case is on both sides (see `checks`).
    """
    folder = out / recipe.name
    gathered = checks.gather(recipe, data, folder if resume else None, (out, *model_dirs))
    for finding in gathered.findings:
        if finding.kind == "warning":
            log(finding.in_words())
    gathered.require()
    if not held_out.ships(recipe):
        held_out.write(gathered.split, folder)
    train: list[dataset.Cached] = []
    validation: list[dataset.Cached] = []
    for name, one in gathered.loaded.items():
        items: Sequence[Item] = one.items
        if recipe.input.frame == "lungs":
            # Models of this run go before those in other folders, and these before what ships.
            lungs = find(defaults(Modality(recipe.modality))["lungs"], (out, *model_dirs))
            items = with_lung_frames(items, lungs, mask=recipe.input.needs_lungs)
            items = [
                item for item in items if item.lung_pixels is None or item.lung_pixels >= LEAST
            ]
        cached = [dataset.cache(item, recipe.input, recipe.augment.cut > 0) for item in items]
        held = [dataset.is_validation(item, gathered.split) for item in items]
        train += [c for c, out in zip(cached, held, strict=True) if not out]
        validation += [c for c, out in zip(cached, held, strict=True) if out]
        log(f"{name}: {len(items) - sum(held)} for training, {sum(held)} for validation")
    if not train or not validation:
        raise CovidsegError(
            "No slice for training, or none for validation, shows enough lung: add data."
        )
    return train, validation


def network_config(recipe: Recipe) -> dict[str, Any]:
    """Config of the network, with the channels and classes that the recipe asks for."""
    config = dict(recipe.network.config)
    if recipe.input.lungs:
        config["channels"] = recipe.input.channels
    if recipe.task == "segmentation":
        config["classes"] = recipe.classes
    return config


def is_mirrored(recipe: Recipe, places: Sequence[Path]) -> bool:
    """Whether a model is to be shown mirrored pictures too in use: it learnt to answer for them."""
    if recipe.ensemble:
        return ensemble.mirrored(recipe, places)
    if recipe.head and not recipe.head.copies and recipe.network.architecture not in SIDELESS:
        return False  # only copies are changed: the layer has seen the pictures as they are
    return recipe.augment.flip > 0


def write_model(
    model: Any,
    recipe: Recipe,
    recipe_path: Path,
    places: Sequence[Path],
    folder: Path,
    *,
    split: str | None = None,
    **chosen: Any,
) -> None:
    """Write weights, ``model.json`` and a copy of the recipe.

    `split` lies in the folder and was followed instead of the recipe's; `chosen` was found in
    training.
    """
    config = ensemble.config(recipe, places) if recipe.ensemble else network_config(recipe)
    save_weights(model, folder / WEIGHTS)
    if split is None and held_out.ships(recipe):
        held_out.write_learnt(recipe, places, folder)
    card = {
        "name": recipe.name,
        "version": recipe.version,
        "title": recipe.title,
        "summary": recipe.summary,
        "task": recipe.task,
        "role": recipe.role,
        "modality": recipe.modality,
        "scheme": recipe.scheme,
        "finding": recipe.finding,
        "threshold": recipe.threshold,
        "input": recipe.input.model_dump(),
        "mirrored": is_mirrored(recipe, places),
        "architecture": recipe.network.architecture,
        "config": config,
        "parameters": int(model.count_params()),
        "weights": {"file": WEIGHTS, "sha256": checksum(folder / WEIGHTS)},
        "training_data": lineage.learnt_from(recipe, places),
        "split": split or (recipe.split if held_out.ships(recipe) else held_out.FILE),
        "steered": recipe.steered,
        "recipe": recipe.digest,
        "trained": datetime.now(UTC).date().isoformat(),
        **chosen,
    }
    with atomic(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    if recipe_path.resolve() != (folder / "recipe.toml").resolve():
        shutil.copyfile(recipe_path, folder / "recipe.toml")
