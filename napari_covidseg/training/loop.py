"""Fit one network: steps and epochs, averaged weights, going on after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from napari_covidseg.inference.ahead import ahead
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import checkpoint, metrics, schedule
from napari_covidseg.training.adversary import Adversary
from napari_covidseg.training.dataset import Batches, Cached
from napari_covidseg.training.learner import Learner
from napari_covidseg.training.losses import AnswerLoss, MaskLoss
from napari_covidseg.training.optimizer import optimizer
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.run_folder import RunFolder
from napari_covidseg.training.train_spec import TrainSpec
from napari_covidseg.training.validation import Validation
from napari_covidseg.training.watch import EpochReport, StoppedError, Unwatched, Watcher

Log = Callable[[str], None]


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
        Items. Without ``early_stopping`` and ``schedule = "plateau"`` the validation items
        choose nothing; their figures are only shown.
    recipe : Recipe
        What to do.
    folder : Path
        Where checkpoints, ``history.csv`` and all that is looked at go.
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
        If a loss became NaN, in training or on validation, the network gives the same answer
        everywhere, or a checkpoint cannot be written; the one before is kept.
    """
    spec = recipe.training
    assert spec is not None and recipe.loss is not None
    watcher = watcher or Unwatched()
    segments = recipe.task == "segmentation"
    loss = MaskLoss(recipe.loss, recipe.classes) if segments else AnswerLoss(recipe.loss)
    learner = Adversary(model, loss, recipe) if recipe.adversary else Learner(model, loss)
    learner.compile(optimizer(spec))
    batches, validate = Batches(train, recipe), Validation(validation, recipe, loss)
    run = RunFolder(folder, recipe, train, validation, log)
    state = folder / checkpoint.FILE
    if resume and state.exists():
        progress = checkpoint.restore(learner.trained, state, recipe.digest)
        run.go_on(progress.rows, schedule.best(_scores(progress, recipe)))
    else:
        # A run that is killed in its first epoch must not go on from an older one.
        state.unlink(missing_ok=True)
        progress = checkpoint.Progress()
        run.begin()
    for epoch in range(len(progress.rows), spec.epochs):
        if schedule.is_over(_scores(progress, recipe), spec):
            break
        started = time.monotonic()
        rates = _rates(spec, epoch, _scores(progress, recipe))
        losses = _epoch(learner, batches, epoch, rates, watcher)
        with averaged(learner.trained):
            figures, preview = validate(model)
            # A step's loss is from before its update: what the last one did shows only here.
            _require_finite({"val_loss": figures["val_loss"]}, epoch)
            row = {**losses, "learning_rate": rates[-1], **figures}
            progress.rows.append(row)
            best = schedule.best(_scores(progress, recipe)) == epoch
            if best and spec.early_stopping:
                progress.best = [ops.convert_to_numpy(v).copy() for v in model.variables]
        checkpoint.store(learner.trained, progress, state, recipe.digest)
        seconds = time.monotonic() - started
        report = EpochReport(epoch + 1, spec.epochs, row, best, seconds, preview)
        run.add(report)
        watcher.epoch(report)
        log(f"epoch {epoch + 1}: {in_words(row)}")
    finalize(learner.trained)
    if progress.best:
        top = schedule.best(_scores(progress, recipe))
        assert top is not None
        log(f"the weights of epoch {top + 1} are kept, the best by {recipe.monitor}")
        for variable, values in zip(model.variables, progress.best, strict=True):
            variable.assign(values)


def _epoch(
    learner: Learner, batches: Batches, epoch: int, rates: Sequence[float], watcher: Watcher
) -> dict[str, float]:
    """Make the steps of an epoch, which counts from 0; gives its mean losses."""

    def drawn(step: int) -> tuple[Any, Any]:
        return learner.prepared(*batches.batch(epoch, step))

    losses = []
    for step, (x, y) in enumerate(ahead(drawn, range(len(rates)))):
        learner.trained.optimizer.learning_rate = rates[step]
        losses.append(learner.step(x, y))
        _require_finite(losses[-1], epoch)
        watcher.step(epoch + 1, step + 1, len(rates))
        if watcher.should_stop():
            raise StoppedError(epoch)
    return {name: float(np.mean([one[name] for one in losses])) for name in losses[0]}


def _require_finite(losses: dict[str, float], epoch: int) -> None:
    for name, value in losses.items():
        if not np.isfinite(value):
            raise CovidsegError(
                f"The {name.replace('_', ' ')} became {value} in epoch {epoch + 1}: lower "
                "learning_rate in the recipe."
                + (f" The checkpoint of epoch {epoch} is kept." if epoch else "")
            )


def _rates(spec: TrainSpec, epoch: int, scores: Sequence[float]) -> list[float]:
    first = epoch * spec.epoch_steps
    rate = partial(schedule.learning_rate, spec, scores=scores)
    return [rate(step) for step in range(first, min(first + spec.epoch_steps, spec.steps))]


def _scores(progress: checkpoint.Progress, recipe: Recipe) -> list[float]:
    """Give the monitor after each finished epoch, turned so that higher is better."""
    sign = 1.0 if metrics.rises(recipe.monitor) else -1.0
    return [sign * row[recipe.monitor] for row in progress.rows]


def finalize(model: Any) -> None:
    """Give a model its averaged weights, if it keeps any."""
    model.optimizer.finalize_variable_values(model.trainable_variables)


@contextmanager
def averaged(model: Any) -> Iterator[None]:
    """Let a model have its averaged weights (if it keeps any), and give its own back."""
    own = [ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    finalize(model)
    yield
    for variable, values in zip(model.trainable_variables, own, strict=True):
        variable.assign(values)


def in_words(row: dict[str, float]) -> str:
    """Figures of an epoch in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items())
