"""Run -> Cancel -> Cancelling, with progress here and in napari's activity dock."""

from __future__ import annotations

import time
from enum import Enum, auto

from napari.utils import progress as napari_progress
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_covidseg.segmentation import Progress
from napari_covidseg.viewer import parts

RUN_TIP = "Run the ticked models on the image. Nothing leaves this computer. Ctrl+Alt+S."
CANCEL_TIP = "End the run now. Layers that are already there stay as they are."


class RunState(Enum):
    """Where a run is, as the button tells it."""

    IDLE = auto()
    RUNNING = auto()
    CANCELLING = auto()


class RunControls(QWidget):
    """One button, one bar, one line of words."""

    run_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = RunState.IDLE
        self._activity: napari_progress | None = None
        self._started = 0.0
        self._phase = ""
        layout = parts.column(self)
        self.button = parts.button("Run", RUN_TIP)
        self.button.setMinimumHeight(30)
        self.button.clicked.connect(self._clicked)
        self.bar = QProgressBar()
        self.bar.setToolTip("How far the present step of the run is.")
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(10)
        self.bar.hide()
        self.line = parts.words("", "What is being done, or how the last run ended.")
        self._seconds = QTimer(self)
        self._seconds.setInterval(1000)
        self._seconds.timeout.connect(self._show_phase)
        for widget in (self.button, self.bar, self.line):
            layout.addWidget(widget)
        self._write("")

    @property
    def seconds(self) -> float:
        """Since the run was started."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Show that a run began."""
        self._started = time.monotonic()
        self._set(RunState.RUNNING)
        # napari serves clicks while it makes its bar: none must cancel what has not begun
        self.button.setEnabled(False)
        self._activity = napari_progress(
            total=0, desc="COVID-19 segmentation", gui=True
        )  # not in the terminal
        self.button.setEnabled(True)
        self.show_progress(Progress("Starting"))
        self._seconds.start()

    def show_progress(self, progress: Progress) -> None:
        """Show how far it is."""
        if self.state is not RunState.RUNNING or self._activity is None:
            return
        self._phase = progress.phase
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self._show_phase()
        # napari serves events inside these calls: the run may end in the middle of them
        activity = self._activity
        if activity.desc.rstrip(": ") != progress.phase:
            activity.set_description(progress.phase)
        if activity.total != progress.total and activity is self._activity:
            activity.total = progress.total
        if activity is self._activity:
            activity.update(progress.done - activity.n)

    def cancelling(self) -> None:
        """Show that the run is being ended."""
        self._set(RunState.CANCELLING)
        self._write("Cancelling")

    def finish(self, text: str) -> None:
        """Show how the run ended."""
        self._seconds.stop()
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        self._set(RunState.IDLE)
        self._write(text)

    def say(self, text: str) -> None:
        """Show a sentence while nothing runs."""
        if self.state is RunState.IDLE:
            self._write(text)

    def allow(self, ready: bool, why_not: str = "") -> None:
        """Let Run be pressed, or say why it cannot be."""
        if self.state is RunState.IDLE:
            self.button.setEnabled(ready)
            self.button.setToolTip(RUN_TIP if ready else why_not)

    def _set(self, state: RunState) -> None:
        self.state = state
        self.button.setText(
            {
                RunState.IDLE: "Run",
                RunState.RUNNING: "Cancel",
                RunState.CANCELLING: "Cancelling",
            }[state]
        )
        self.button.setToolTip(RUN_TIP if state is RunState.IDLE else CANCEL_TIP)
        self.button.setEnabled(state is not RunState.CANCELLING)
        self.bar.setVisible(state is not RunState.IDLE)

    def _write(self, text: str) -> None:
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def _show_phase(self) -> None:
        if self.state is RunState.RUNNING:
            seconds = f", {self.seconds:.0f} s" if self.seconds >= 1 else ""
            self._write(f"{self._phase}{seconds}")

    def _clicked(self) -> None:
        if self.state is RunState.IDLE:
            self.run_wanted.emit()
        elif self.state is RunState.RUNNING:
            self.cancel_wanted.emit()
