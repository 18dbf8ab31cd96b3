"""Start -> Stop -> Stopping, how far a training is, and how long it will still take."""

from __future__ import annotations

import time
from enum import Enum, auto

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_covidseg.viewer import parts

START_TIP = "Train in a process of its own; the viewer stays usable. Nothing leaves this computer."
STOP_TIP = "End after the present step. The last finished epoch is kept, to go on from."


class TrainState(Enum):
    """Where a training is; only one that was installed is done."""

    IDLE = auto()
    PREPARING = auto()
    TRAINING = auto()
    STOPPING = auto()
    DONE = auto()
    FAILED = auto()

    @property
    def busy(self) -> bool:
        """Whether a training is under way."""
        return self in (TrainState.PREPARING, TrainState.TRAINING, TrainState.STOPPING)


def remaining(seconds: float, done: float, total: float) -> float | None:
    """Seconds that the rest will take at the present pace; None while that is not known.

    Parameters
    ----------
    seconds : float
        Since the first of the `done` steps began.
    done, total : float
        Steps, those of a run that went on counted from where it went on.
    """
    return seconds * (total - done) / done if done > 0 else None


def in_words(seconds: float) -> str:
    """Duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class TrainControls(QWidget):
    """One button, one bar, one line of words."""

    start_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = TrainState.IDLE
        self._epochs = 0
        self._began: tuple[float, float] | None = None
        layout = parts.column(self)
        self.button = parts.button("Start", START_TIP)
        self.button.setMinimumHeight(30)
        self.button.clicked.connect(self._clicked)
        self.bar = QProgressBar()
        self.bar.setToolTip("How far the training is.")
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(10)
        self.line = parts.words("", "What is being done, or how the last training ended.")
        for widget in (self.button, self.bar, self.line):
            layout.addWidget(widget)
        self.enter(TrainState.IDLE, "")

    def enter(self, state: TrainState, text: str) -> None:
        """Show another state, with the words that belong to it."""
        self.state = state
        self.button.setText(
            {
                TrainState.PREPARING: "Stop",
                TrainState.TRAINING: "Stop",
                TrainState.STOPPING: "Stopping",
            }.get(state, "Start")
        )
        self.button.setToolTip(STOP_TIP if state.busy else START_TIP)
        self.button.setEnabled(state is not TrainState.STOPPING)
        self.bar.setVisible(state.busy)
        if state is TrainState.PREPARING:
            self._epochs, self._began = 0, None
            self.bar.setRange(0, 0)
        self.say(text)

    def say(self, text: str) -> None:
        """Write a line of words."""
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def allow(self, ready: bool, why_not: str = "") -> None:
        """Let Start be pressed, or say why it cannot be."""
        if not self.state.busy:
            self.button.setEnabled(ready)
            self.button.setToolTip(START_TIP if ready else why_not)

    def show_epochs(self, epochs: int) -> None:
        """Take note of how many epochs there are at most."""
        self._epochs = epochs

    def show_step(self, epoch: int, done: int, total: int) -> None:
        """Show how far it is: `done` of `total` steps in an epoch, which counts from 1."""
        if self.state is not TrainState.TRAINING:
            return
        steps = (epoch - 1) * total + done
        if self._began is None:
            self._began = (time.monotonic(), steps)
        text = f"Epoch {epoch}, step {done} of {total}"
        if self._epochs:
            text = f"Epoch {epoch} of {self._epochs}, step {done} of {total}"
            started, before = self._began
            self.bar.setRange(0, self._epochs * total)
            self.bar.setValue(steps)
            left = remaining(
                time.monotonic() - started, steps - before, self._epochs * total - before
            )
            text += f", about {in_words(left)} left" if left is not None else ""
        else:
            self.bar.setRange(0, total)
            self.bar.setValue(done)
        self.say(text)

    def _clicked(self) -> None:
        (self.stop_wanted if self.state.busy else self.start_wanted).emit()
