"""Do slow things beside the GUI thread, and come back to it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_covidseg.engine import Engine, EngineState, RunCancelledError
from napari_covidseg.segmentation import Classification, Explanation, Outcome
from napari_covidseg.study import CovidsegError, Study

logger = logging.getLogger(__name__)


class Background(QObject):
    """Slow work on threads of its own; results come back on the GUI thread.

    What comes after the owner was deleted is dropped.
    """

    _returned = Signal(object, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._returned.connect(self._deliver)

    def do(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[CovidsegError], None],
    ) -> None:
        """Call `work` on another thread, then `done` or `failed` on the GUI thread.

        An error that is not ours to word is logged and comes as a plain sentence.
        """

        def guarded() -> None:
            try:
                callback, result = done, work()
            except CovidsegError as error:
                callback, result = failed, error
            except Exception as error:
                logger.debug("Work in the background failed", exc_info=True)
                callback, result = failed, our_fault(error)
            with contextlib.suppress(RuntimeError):  # the owner was deleted meanwhile
                self._returned.emit(callback, result)

        threading.Thread(target=guarded, daemon=True).start()

    def _deliver(self, callback: Callable[[Any], None], result: Any) -> None:
        callback(result)


def our_fault(error: Exception) -> CovidsegError:
    """Word an error that the user cannot put right, without the values it may quote."""
    return CovidsegError(
        f"This failed by a fault of ours ({type(error).__name__}): "
        "please report it with the steps that led here."
    )


class EngineBridge(QObject):
    """The engine with its callbacks brought to the GUI thread as signals.

    For each `submit` that does not raise, exactly one of `finished` and `failed` is
    emitted, and nothing of that run after it; for each `explain`, one of `explained` and
    `failed`.
    """

    progressed = Signal(object)
    """`Progress`"""
    finished = Signal(object)
    """What `after` made of the outcome."""
    explained = Signal(object)
    """What `after` made of the explanation."""
    failed = Signal(object)
    """`CovidsegError`"""
    state_changed = Signal(object, str)
    """`EngineState`, and why warming failed or an empty string."""
    _came = Signal(object, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._run: object | None = None
        self._came.connect(self._deliver)
        self.engine = Engine(on_state=self._on_state)

    def submit(
        self, study: Study, models: list[str], after: Callable[[Outcome], Any] = lambda o: o
    ) -> None:
        """Run models on a study.

        Parameters
        ----------
        study : Study
            The image.
        models : list of str
            Names.
        after : callable
            Called with the outcome on the engine's thread: work too slow for the GUI.
        """
        self._ask(partial(self.engine.submit, study, models), "finished", after)

    def explain(
        self,
        study: Study,
        answer: Classification,
        method: str,
        after: Callable[[Explanation], Any],
    ) -> None:
        """Show where a classifier saw what speaks for its finding; else as `submit`."""
        lungs = answer.lungs.reference if answer.lungs else None
        start = partial(self.engine.explain, study, answer.model.reference, method, lungs=lungs)
        self._ask(start, "explained", after)

    def _ask(self, start: Callable[..., None], ended: str, after: Callable[[Any], Any]) -> None:
        run = object()

        def tell(signal: str, value: Any) -> None:
            self._came.emit(run, signal, value)

        def on_outcome(outcome: Outcome | Explanation) -> None:
            try:
                result = after(outcome)
            except CovidsegError as error:
                tell("failed", error)
            except Exception as error:
                logger.debug("The results could not be summarised", exc_info=True)
                tell("failed", our_fault(error))
            else:
                tell(ended, result)

        start(
            on_progress=partial(tell, "progressed"),
            on_outcome=on_outcome,
            on_error=partial(tell, "failed"),
        )
        self._run = run

    def cancel(self) -> None:
        """End the run; `failed` follows."""
        if not self.engine.cancel() and self._run is not None:
            # It has just ended. What it made is on its way here, and is not wanted.
            self._deliver(self._run, "failed", RunCancelledError("The run was cancelled."))

    def _deliver(self, run: object, signal: str, value: Any) -> None:
        if run is not self._run:
            return
        if signal != "progressed":
            self._run = None
        getattr(self, signal).emit(value)

    def _on_state(self, state: EngineState, trouble: str) -> None:
        self.state_changed.emit(state, trouble)
