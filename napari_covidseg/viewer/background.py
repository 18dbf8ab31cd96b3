"""Do slow things beside the GUI thread, and come back to it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_covidseg.engine import Engine, EngineState
from napari_covidseg.segmentation import Outcome, Progress
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
    """The engine with its callbacks brought to the GUI thread as signals."""

    progressed = Signal(object)
    """`Progress`"""
    finished = Signal(object)
    """What `after` made of the outcome."""
    failed = Signal(object)
    """`CovidsegError`"""
    state_changed = Signal(object, str)
    """`EngineState`, and why warming failed or an empty string."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
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
        self.engine.submit(
            study,
            models,
            on_progress=self._on_progress,
            on_outcome=lambda outcome: self._on_outcome(outcome, after),
            on_error=self._on_error,
        )

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress)

    def _on_outcome(self, outcome: Outcome, after: Callable[[Outcome], Any]) -> None:
        try:
            result = after(outcome)
        except CovidsegError as error:
            self.failed.emit(error)
        except Exception as error:
            logger.debug("The results could not be summarised", exc_info=True)
            self.failed.emit(our_fault(error))
        else:
            self.finished.emit(result)

    def _on_error(self, error: CovidsegError) -> None:
        self.failed.emit(error)

    def _on_state(self, state: EngineState, trouble: str) -> None:
        self.state_changed.emit(state, trouble)
