"""Fit one network: schedule, averaged weights, checkpoints that a killed run resumes from."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from napari_covidseg.training.dataset import Batches, Cached, stack_still
from napari_covidseg.training.losses import PartialLabelLoss
from napari_covidseg.training.recipe import Recipe, TrainSpec

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
    """
    spec = recipe.training
    keras.utils.set_random_seed(spec.seed)
    loss: Any = (
        PartialLabelLoss(recipe.classes, spec.dice_weight)
        if recipe.task == "segmentation"
        else keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
    )
    model.compile(optimizer=optimizer(spec), loss=loss, jit_compile=False)
    batches = Batches(train, recipe)
    checkpoint = folder / "checkpoint"
    if not resume and checkpoint.exists():
        for old in checkpoint.iterdir():
            old.unlink()
    watcher = _Watcher(batches, validation, recipe, folder / "history.csv", resume, log)
    model.fit(
        batches,
        epochs=max(1, round(spec.steps / spec.epoch_steps)),
        verbose=0,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            watcher,
            keras.callbacks.BackupAndRestore(str(checkpoint), delete_checkpoint=False),
        ],
    )


class _Watcher(keras.callbacks.Callback):
    """Writes one line an epoch and keeps the draws in step with a resumed run."""

    def __init__(
        self,
        batches: Batches,
        validation: Sequence[Cached],
        recipe: Recipe,
        history: Path,
        resume: bool,
        log: Log,
    ) -> None:
        super().__init__()
        self.batches, self.validation, self.recipe = batches, validation, recipe
        self.history, self.log = history, log
        if not resume or not history.exists():
            with history.open("w", newline="") as file:
                csv.writer(file).writerow(["epoch", "loss", "validation"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        score = validation_score(self.model, self.validation, self.recipe)
        row = [epoch + 1, f"{(logs or {}).get('loss', float('nan')):.4f}", f"{score:.4f}"]
        with self.history.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        self.log(f"epoch {row[0]}: loss {row[1]}, validation {row[2]}")


def validation_score(model: Any, items: Sequence[Cached], recipe: Recipe, most: int = 96) -> float:
    """Mean foreground Dice (or accuracy) over at most `most` evenly chosen items."""
    chosen = items[:: max(1, len(items) // most)][:most]
    if not chosen:
        return float("nan")
    pictures, truth = stack_still(chosen, recipe.input.size)
    logits = np.concatenate(
        [
            ops.convert_to_numpy(model(pictures[i : i + 8], training=False))
            for i in range(0, len(pictures), 8)
        ]
    )
    if recipe.task == "classification":
        return float(((logits[:, 0] > 0) == truth.astype(bool)).mean())
    marked, drawn = logits.argmax(-1) > 0, truth > 0
    size = marked.sum((1, 2)) + drawn.sum((1, 2))
    dice = 2 * (marked & drawn).sum((1, 2)) / np.maximum(size, 1)
    return float(dice[size > 0].mean())
