"""A training in a process of its own, seen from the program that started it.

A viewer must not load TensorFlow (see `engine`), must go on when a training dies, and must
be able to end one at any moment; so each training is a child that lives as long as it.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_covidseg.engine.process import Child
from napari_covidseg.io.errors import WriteError
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import run_state
from napari_covidseg.training.messages import (
    Failed,
    Halted,
    Job,
    Reply,
    Stop,
    Trained,
    replies,
    requests,
)
from napari_covidseg.training.watch import StoppedError

CHILD = "napari_covidseg.training.child"
WORK = "napari_covidseg.training.fine_tune"
PATIENCE = 20.0
"""Seconds that a training has to stop by itself; checkpoints are whole at any moment."""

logger = logging.getLogger(__name__)


class TrainingError(CovidsegError):
    """A training that failed or died; the message says what to do."""


class Trainer:
    """Run one training at a time.

    Of `on_trained` and `on_error`, exactly one is called for each `start`. All callbacks
    come on a thread of the trainer, never on the caller's.

    Parameters
    ----------
    work : str
        Module whose ``run`` the child calls.
    patience : float
        Seconds from `stop` until the child is ended.
    """

    def __init__(self, *, work: str = WORK, patience: float = PATIENCE) -> None:
        self._work, self._patience = work, patience
        self._lock = threading.RLock()
        self._child: Child | None = None
        self._stopping = False
        self._out = Path()
        self._end: Trained | CovidsegError | None = None
        self._on_report: Callable[[Reply], None] = _ignore
        self._on_end: Callable[[Trained | CovidsegError], None] = _ignore
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Process number of the child, if it lives."""
        with self._lock:
            return self._child.pid if self._child else None

    def start(
        self,
        job: Job,
        *,
        on_report: Callable[[Reply], None],
        on_end: Callable[[Trained | CovidsegError], None],
    ) -> None:
        """Begin a training; returns at once.

        Parameters
        ----------
        job : Job
            What to train.
        on_report : callable
            Takes every reply on the way.
        on_end : callable
            Takes what became of it, once: `Trained`, `StoppedError` after `stop`, or
            another error.

        Raises
        ------
        CovidsegError
            If a training is under way (here, or this one in another window), its folder
            cannot be written, or the process cannot be started.
        """
        with self._lock:
            if self._child is not None:
                raise TrainingError("A training is under way: wait for it, or stop it first.")
            run_state.require_idle(job.out)
            self._stopping, self._out, self._end = False, job.out, None
            self._on_report, self._on_end = on_report, on_end
            try:
                self._child = Child((CHILD, self._work), requests, replies, self._hear, self._over)
                # Before it has anything to do: another window could drop the run under it.
                run_state.claim(job.out, self._child.pid)
                self._child.send(job)
            except WriteError:
                self._end_child()
                raise
            except OSError as error:
                self._end_child()
                raise TrainingError(
                    f"The training's process could not be started ({error.strerror}): "
                    "close other programs, then start again."
                ) from error

    def stop(self) -> None:
        """Ask the training to stop, and end it where it does not; `on_end` follows."""
        with self._lock:
            child, asked = self._child, self._stopping
            self._stopping = True
        if child is None or asked:
            return
        try:
            child.send(Stop())
        except OSError:
            return  # it has just ended
        timer = threading.Timer(self._patience, child.kill)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """End the training at once; its last checkpoint is kept, and `on_end` is not called."""
        atexit.unregister(self.close)
        self._end_child()

    # Behind the scenes -------------------------------------------------------------

    def _end_child(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()

    def _hear(self, child: Child, reply: Reply) -> None:
        """Take a reply; comes on the child's listening thread."""
        if child is not self._child:
            return
        if isinstance(reply, Trained):
            self._end = reply
        elif isinstance(reply, Halted):
            self._end = StoppedError(reply.finished)
        elif isinstance(reply, Failed):
            logger.debug("Training failed: %s\n%s", reply.message, reply.detail)
            self._end = TrainingError(reply.message)
        else:
            _call(self._on_report, reply)

    def _over(self, child: Child, code: int) -> None:
        """Take note that the child ended; comes on its listening thread."""
        with self._lock:
            if child is not self._child:
                return
            self._child = None
        end = self._end
        if end is None:
            # It could not tell how far it came, and may have gone on from an earlier run.
            kept = run_state.finished_epochs(self._out)
            end = StoppedError(kept) if self._stopping else TrainingError(why_ended(code))
        _call(self._on_end, end)


def why_ended(code: int) -> str:
    """Say for the user why a training died by itself, and what to do.

    Parameters
    ----------
    code : int
        Exit code; below zero the number of the signal that ended it.
    """
    kept = "the last finished epoch is kept: press Go on."
    if code in (-9, 137):
        return (
            "The training's process was ended by the system, most often because memory ran "
            f"out. Close other programs; {kept}"
        )
    return f"The training's process stopped unexpectedly (code {code}); {kept}"


def _ignore(*_: Any) -> None:
    """Nobody listens."""


def _call(callback: Callable[..., None], *args: Any) -> None:
    """Call back; a listener that fails (a closed window) must not stop the training."""
    try:
        callback(*args)
    except Exception:
        logger.debug("A callback failed", exc_info=True)
