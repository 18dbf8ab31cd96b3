"""Learning rate and end of a training, as functions of what was measured so far.

Nothing here keeps a state: a run that goes on after a kill only needs the figures of its
finished epochs to do what it would have done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_covidseg.training.train_spec import PlateauSpec, TrainSpec


def learning_rate(spec: TrainSpec, step: int, scores: Sequence[float]) -> float:
    """Learning rate of a step.

    Parameters
    ----------
    spec : TrainSpec
        Schedule.
    step : int
        From 0, over all epochs.
    scores : sequence of float
        The monitor after each finished epoch; higher is better.

    Notes
    -----
    It rises linearly from a twentieth during warm-up. The cosine is that of Loshchilov and
    Hutter, "SGDR", ICLR 2017, arXiv:1608.03983, down to a hundredth.
    """
    highest, warmup = spec.learning_rate, min(spec.warmup_steps, spec.steps // 2)
    if step < warmup:
        return highest * (0.05 + 0.95 * step / warmup)
    if spec.schedule == "plateau":
        plateau = spec.plateau or PlateauSpec.model_validate({})
        reduced = highest * plateau.factor ** reductions(scores, plateau.patience)
        return max(reduced, min(plateau.least, highest))
    done = min(1.0, (step - warmup) / max(1, spec.steps - warmup))
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def reductions(scores: Sequence[float], patience: int) -> int:
    """How often the scores have rested for `patience` epochs."""
    count, since = 0, 0
    for epoch in range(len(scores)):
        since = 0 if best(scores[: epoch + 1]) == epoch else since + 1
        if since == patience:
            count, since = count + 1, 0
    return count


def best(scores: Sequence[float]) -> int | None:
    """Index of the first of the highest scores; a score that is not defined beats none."""
    order = [-math.inf if math.isnan(score) else score for score in scores]
    return order.index(max(order)) if order else None


def is_over(scores: Sequence[float], spec: TrainSpec) -> bool:
    """Whether early stopping ends the training after these epochs."""
    top = best(scores)
    if spec.early_stopping is None or top is None:
        return False
    return len(scores) - 1 - top >= spec.early_stopping.patience
