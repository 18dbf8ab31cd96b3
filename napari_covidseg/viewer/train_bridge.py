"""A training in its process, with its callbacks brought to the GUI thread as signals."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_covidseg.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_covidseg.training.messages import Job


class TrainBridge(QObject):
    """One training at a time.

    For each `start` that does not raise, `ended` is emitted once, and nothing of that
    training after it; after `close`, nothing is.
    """

    reported = Signal(object)
    """A reply on the way, see ``training.messages``."""
    ended = Signal(object)
    """`Trained`, `StoppedError` after `stop`, or another `CovidsegError`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.trainer = Trainer()

    def start(self, job: Job) -> None:
        """Begin a training; returns at once.

        Raises
        ------
        TrainingError
            If one is under way, or the process cannot be started.
        """
        self.trainer.start(
            job, on_report=partial(_emit, self.reported), on_end=partial(_emit, self.ended)
        )

    def stop(self) -> None:
        """Ask it to stop; `ended` follows."""
        self.trainer.stop()


def _emit(signal: Any, value: Any) -> None:
    with suppress(RuntimeError):  # the panel was deleted meanwhile
        signal.emit(value)
