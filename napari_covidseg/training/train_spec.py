"""The typed ``[training]`` table of a recipe: optimiser, schedule, when to end."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlateauSpec(_Table):
    """When the learning rate is reduced, and how far.

    Attributes
    ----------
    factor : float
        What it is multiplied by.
    patience : int
        Epochs without a new best of the monitor before that.
    least : float
        Where it ends.
    """

    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(5, gt=0)
    least: Positive = 1e-6


class EarlyStoppingSpec(_Table):
    """End before the last step, and keep the best epoch's weights.

    Attributes
    ----------
    patience : int
        Epochs without a new best of the monitor after which training ends.
    """

    patience: int = Field(10, gt=0)


class TrainSpec(_Table):
    """Optimiser and schedule. A step is one batch; an epoch is `epoch_steps` steps.

    Attributes
    ----------
    steps, epoch_steps, batch : int
        Steps at most, steps of an epoch, pictures of a step.
    optimizer : "adamw" or "sgd"
        SGD has Nesterov's momentum of 0.9. Gradients are clipped to a norm of 1 in both.
    learning_rate : float
        The highest.
    backbone_rate : float
        Part of it by which a pretrained backbone learns.
    warmup_steps : int
        Steps over which the rate rises to it.
    schedule : "cosine" or "plateau"
        Falling to a hundredth along a cosine, or by `plateau` whenever the monitor rests.
    plateau : PlateauSpec
    weight_decay : float
    ema : float
        Momentum of the averaged weights, which are those that are measured and written;
        0 for none.
    monitor : str or None
        Column of ``history.csv`` that tells the best epoch; None for ``val_dice`` or
        ``val_auc``.
    early_stopping : EarlyStoppingSpec or None
        Without it all steps are made and the last weights are written: then validation
        chooses nothing.
    precision : "auto", "float32" or "mixed_bfloat16"
        What is computed in; auto takes bfloat16 where the CPU has AMX.
    seed : int
    """

    steps: int = Field(gt=0)
    epoch_steps: int = Field(100, gt=0)
    batch: int = Field(8, gt=0)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    backbone_rate: float = Field(1.0, gt=0, le=1)
    warmup_steps: int = Field(50, ge=0)
    schedule: Literal["cosine", "plateau"] = "cosine"
    plateau: PlateauSpec | None = None
    weight_decay: float = Field(1e-4, ge=0)
    ema: float = Field(0.99, ge=0, lt=1)
    monitor: str | None = None
    early_stopping: EarlyStoppingSpec | None = None
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    seed: int = 0

    @model_validator(mode="after")
    def _plateau_is_wanted(self) -> TrainSpec:
        if self.plateau and self.schedule != "plateau":
            raise ValueError('plateau needs schedule = "plateau"')
        return self

    @property
    def steered(self) -> bool:
        """Whether the monitor decides when training ends, or how its rate falls."""
        return self.early_stopping is not None or self.schedule == "plateau"

    @property
    def epochs(self) -> int:
        """Epochs at most; the last one is shorter if `steps` are no multiple of an epoch's."""
        return math.ceil(self.steps / self.epoch_steps)
