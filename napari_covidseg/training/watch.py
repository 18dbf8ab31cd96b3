"""What a training tells whoever watches it, and how it is told to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.wording import counted


class StoppedError(CovidsegError):
    """A training that was asked to stop."""

    def __init__(self, finished: int) -> None:
        super().__init__(f"Stopped after {counted(finished, 'epoch')}; go on with --resume.")
        self.finished = finished


@dataclass(frozen=True, eq=False)
class Preview:
    """What the network makes of one validation picture.

    Attributes
    ----------
    name : str
        Data set and name of the picture.
    picture : ndarray of float32, shape (s, s)
        0 to 1.
    truth, labels : ndarray of uint8, shape (s, s)
        Mask as it was drawn, and as the network draws it. The truth may hold the values
        of ``training.losses`` for what is not told.
    """

    name: str
    picture: np.ndarray
    truth: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class EpochReport:
    """One finished epoch.

    Attributes
    ----------
    epoch, epochs : int
        Which, from 1, and how many there are at most.
    row : dict of str to float
        Loss, learning rate and figures on validation, as in ``history.csv``.
    best : bool
        Whether it is the best so far, by the recipe's monitor.
    seconds : float
        What it took.
    preview : tuple of Preview
        The same few validation pictures every time; none for a classification.
    """

    epoch: int
    epochs: int
    row: dict[str, float]
    best: bool
    seconds: float
    preview: tuple[Preview, ...] = ()


class Watcher(Protocol):
    """Whoever follows a training; called in its thread."""

    def step(self, epoch: int, done: int, total: int) -> None:
        """Take note of a step: `done` of `total` in this epoch, which counts from 1."""

    def epoch(self, report: EpochReport) -> None:
        """Take note of a finished epoch; its checkpoint is written."""

    def should_stop(self) -> bool:
        """Whether to end now; asked after every step."""


class Unwatched:
    """Nobody watches, nobody stops."""

    def step(self, epoch: int, done: int, total: int) -> None:
        """Ignore it."""

    def epoch(self, report: EpochReport) -> None:
        """Ignore it."""

    def should_stop(self) -> bool:
        """Never."""
        return False
