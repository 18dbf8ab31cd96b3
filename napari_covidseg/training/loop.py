"""Fit one network: schedule, averaged weights, checkpoints that a killed run resumes from."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from napari_covidseg.inference.ahead import ahead
from napari_covidseg.io.atomic import atomic
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.dataset import Batches, Cached, stack_still
from napari_covidseg.training.losses import PartialLabelLoss
from napari_covidseg.training.recipe import Recipe, TrainSpec
from napari_covidseg.training.watch import EpochReport, StoppedError, Unwatched, Watcher

Log = Callable[[str], None]


def optimizer(spec: TrainSpec) -> Any:
    """AdamW with warm-up, cosine decay to a hundredth, and averaged weights."""
    warmup = min(spec.warmup_steps, spec.steps // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=spec.learning_rate / 20,
        decay_steps=max(1, spec.steps - warmup),
        alpha=0.01,
        warmup_target=spec.learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        rate,
        weight_decay=spec.weight_decay,
        clipnorm=1.0,
        use_ema=spec.ema > 0,
        ema_momentum=spec.ema or 0.99,
        ema_overwrite_frequency=None,
    )


def fit(
    model: Any,
    train: Sequence[Cached],
    validation: Sequence[Cached],
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    log: Log = print,
    watcher: Watcher | None = None,
) -> None:
    """Train in place; the model ends with its averaged weights.

    Parameters
    ----------
    model : keras.Model
        Built network.
    train, validation : sequence of Cached
        Items. The validation items choose nothing; their score is only shown.
    recipe : Recipe
        What to do.
    folder : Path
        Where checkpoints and ``history.csv`` go.
    resume : bool
        Go on from the last epoch that was finished in `folder`.
    log : callable
        Takes one line an epoch.
    watcher : Watcher, optional
        Is told of every step and epoch, and may stop the training.

    Raises
    ------
    StoppedError
        If the watcher asked for it; the last finished epoch's checkpoint is kept.
    CovidsegError
        If the loss became NaN.
    """
    watcher = watcher or Unwatched()
    spec = recipe.training
    assert spec is not None
    loss: Any = (
        PartialLabelLoss(recipe.classes, spec.dice_weight, spec.class_dice, spec.picture_dice)
        if recipe.task == "segmentation"
        else keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
    )
    model.compile(optimizer=optimizer(spec), loss=loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    batches = Batches(train, recipe)
    state, history = folder / "checkpoint.npz", folder / "history.csv"
    done = restore(model, state) if resume and state.exists() else 0
    if not done:
        _write_row(history, ["epoch", "loss", "validation"], new=True)
    epochs, best = max(1, round(spec.steps / spec.epoch_steps)), float("-inf")
    for epoch in range(done, epochs):
        started, losses = time.monotonic(), []
        for pictures, truth in ahead(partial(batches.batch, epoch), range(spec.epoch_steps)):
            losses.append(float(model.train_on_batch(pictures, truth)))
            watcher.step(epoch + 1, len(losses), spec.epoch_steps)
            if watcher.should_stop():
                raise StoppedError(epoch)
        model.reset_metrics()
        if not np.isfinite(losses).all():
            raise CovidsegError(
                f"The loss became {losses[-1]} in epoch {epoch + 1}: lower learning_rate in the "
                f"recipe. The state before that epoch is kept in {state}."
            )
        store(model, state, epoch + 1)
        score = validation_score(model, validation, recipe)
        row = [str(epoch + 1), f"{np.mean(losses):.4f}", f"{score:.4f}"]
        _write_row(history, row)
        log(f"epoch {row[0]}: loss {row[1]}, validation {row[2]}")
        figures = {"loss": float(np.mean(losses)), "validation": score}
        seconds = time.monotonic() - started
        watcher.epoch(EpochReport(epoch + 1, epochs, figures, score > best, seconds))
        best = max(best, score)
    if spec.ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)


def store(model: Any, path: Path, epochs: int) -> None:
    """Write all that a resumed run needs: weights, optimiser state, finished epochs."""
    arrays = {f"v{i}": ops.convert_to_numpy(v) for i, v in enumerate(_state(model))}
    with atomic(path) as temporary:
        np.savez(temporary, epochs=np.array(epochs), **arrays)


def restore(model: Any, path: Path) -> int:
    """Read a state of `store` into a compiled model; gives the finished epochs.

    Raises
    ------
    CovidsegError
        If the state belongs to another recipe.
    """
    variables = _state(model)
    with np.load(path, allow_pickle=False) as file:
        fits = len(file.files) == len(variables) + 1 and all(
            file[f"v{i}"].shape == tuple(v.shape) for i, v in enumerate(variables)
        )
        if not fits:
            raise CovidsegError(
                f"{path} belongs to another recipe: train without --resume, or in another folder."
            )
        for i, variable in enumerate(variables):
            variable.assign(file[f"v{i}"])
        return int(file["epochs"])


def _state(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _write_row(path: Path, row: list[str], new: bool = False) -> None:
    with path.open("w" if new else "a", newline="") as file:
        csv.writer(file).writerow(row)


def validation_score(model: Any, items: Sequence[Cached], recipe: Recipe, most: int = 96) -> float:
    """Mean foreground Dice (or accuracy) over at most `most` evenly chosen items."""
    chosen = items[:: max(1, len(items) // most)][:most]
    if not chosen:
        return float("nan")
    logits = predict(model, chosen, recipe)
    _, truth = stack_still(chosen, recipe.input)
    if recipe.task == "classification":
        return float(((logits[:, 0] > 0) == truth.astype(bool)).mean())
    told = truth <= recipe.classes
    marked, drawn = (logits.argmax(-1) > 0) & told, (truth > 0) & told
    size = marked.sum((1, 2)) + drawn.sum((1, 2))
    dice = 2 * (marked & drawn).sum((1, 2)) / np.maximum(size, 1)
    return float(dice[size > 0].mean())


def predict(model: Any, items: Sequence[Cached], recipe: Recipe) -> np.ndarray:
    """Logits of items as they are, batch by batch."""
    return np.concatenate(
        [
            ops.convert_to_numpy(
                model(stack_still(items[i : i + 8], recipe.input)[0], training=False)
            )
            for i in range(0, len(items), 8)
        ]
    )
