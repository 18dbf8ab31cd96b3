"""The one process that owns TensorFlow: submit, progress, cancel.

TensorFlow and an OpenGL canvas crash in one process on many Linux machines, a process
can be ended at any moment (a thread cannot), and its memory comes back for certain.
So the work is done by a child process; here it is started, asked, heard and ended.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from napari_covidseg.engine.memory import Blocks
from napari_covidseg.engine.messages import (
    EngineSettings,
    Explain,
    Explained,
    Failed,
    Finished,
    Image,
    Pixels,
    Progressed,
    Requests,
    Run,
    Warm,
    Warmed,
    replies,
    requests,
)
from napari_covidseg.engine.process import Child, why_ended
from napari_covidseg.segmentation import (
    Explanation,
    Outcome,
    Progress,
    ProgressCallback,
    map_dtype,
)
from napari_covidseg.study import CovidsegError, Study

WORK = "napari_covidseg.inference"
CHILD = "napari_covidseg.engine.child"
NO_MEMORY = "The memory did not suffice: close other programs, then press Run again."
logger = logging.getLogger(__name__)


class EngineError(CovidsegError):
    """The engine's process failed, or is busy; the message says what to do."""


class RunCancelledError(CovidsegError):
    """The run was ended by `Engine.cancel`."""


class EngineState(StrEnum):
    """What the engine does at the moment."""

    STOPPED = "stopped"
    WARMING = "warming"
    READY = "ready"
    RUNNING = "running"


@dataclass(eq=False)
class _Job:
    """One run: whom to tell, and the memory it holds; `room` is that of its result."""

    on_progress: ProgressCallback
    on_outcome: Callable[[Any], None]
    on_error: Callable[[CovidsegError], None]
    blocks: Blocks = field(default_factory=Blocks)
    room: Pixels | None = None


_Ask = Callable[[Image, Blocks], tuple[Requests, Pixels]]
"""Makes room for a result, and the request that names it."""


class Engine:
    """Run models in a process of their own, one run at a time.

    Of `on_outcome` and `on_error`, exactly one is called for each `submit` and `explain`.
    All callbacks come on a thread of the engine, never on the caller's.

    Parameters
    ----------
    settings : EngineSettings, optional
        How runs are computed.
    work : str
        Module whose ``run``, ``explain`` and ``warm`` the child calls.
    on_state : callable, optional
        Called with the new `EngineState` and, where warming failed, a sentence that
        says why; else with an empty string.
    """

    def __init__(
        self,
        settings: EngineSettings | None = None,
        *,
        work: str = WORK,
        on_state: Callable[[EngineState, str], None] | None = None,
    ) -> None:
        self._settings = settings or EngineSettings()
        self._work = work
        self._on_state = on_state
        self._lock = threading.RLock()
        self._child: Child | None = None
        self._child_settings = self._settings
        self._job: _Job | None = None
        self._warmed: tuple[str, ...] = ()
        self._warming = False
        atexit.register(self.close)

    @property
    def settings(self) -> EngineSettings:
        """How runs are computed."""
        return self._settings

    @property
    def state(self) -> EngineState:
        """What the engine does at the moment."""
        with self._lock:
            if self._job is not None:
                return EngineState.RUNNING
            if self._child is None:
                return EngineState.STOPPED
            return EngineState.WARMING if self._warming else EngineState.READY

    @property
    def pid(self) -> int | None:
        """Process number of the child, if it lives."""
        with self._lock:
            return self._child.pid if self._child else None

    def configure(self, settings: EngineSettings) -> None:
        """Take other settings, from the next run on; a run under way ends as it began.

        The child is started anew: TensorFlow takes its threads only once.
        """
        with self._lock:
            if settings == self._settings:
                return
            self._settings = settings
            if self._child is not None:
                self.warm(self._warmed)

    def warm(self, models: Sequence[str]) -> None:
        """Start the process and load models in the background."""
        with self._lock:
            self._warmed = tuple(models)
            if self._job is not None:
                return
            try:
                self._send(Warm(self._warmed, self._settings))
                self._warming = True
            except OSError:
                logger.debug("The engine's process did not start", exc_info=True)
        self._tell_state()

    def submit(
        self,
        study: Study,
        models: Sequence[str],
        *,
        on_progress: ProgressCallback,
        on_outcome: Callable[[Outcome], None],
        on_error: Callable[[CovidsegError], None],
    ) -> None:
        """Run models on a study; returns at once.

        Raises
        ------
        EngineError
            If a run is under way.
        """
        names = tuple(models)

        def ask(image: Image, blocks: Blocks) -> tuple[Run, Pixels]:
            room, _ = blocks.room((len(names), *study.array.shape), np.dtype(np.uint8))
            return Run(image, names, room, self._settings), room

        self._start(_Job(on_progress, on_outcome, on_error), study, ask)

    def explain(
        self,
        study: Study,
        model: str,
        method: str,
        *,
        lungs: str | None = None,
        on_progress: ProgressCallback,
        on_outcome: Callable[[Explanation], None],
        on_error: Callable[[CovidsegError], None],
    ) -> None:
        """Show where a classifier saw what speaks for its finding; returns at once.

        Parameters are those of ``inference.explain``, and callbacks as of `submit`.

        Raises
        ------
        EngineError
            If a run is under way.
        """

        def ask(image: Image, blocks: Blocks) -> tuple[Explain, Pixels]:
            room, _ = blocks.room(study.array.shape, map_dtype(study.ndim))
            return Explain(image, model, lungs, method, room, self._settings), room

        self._start(_Job(on_progress, on_outcome, on_error), study, ask)

    def cancel(self) -> bool:
        """End the run by ending its process; returns at once, `on_error` follows.

        Returns
        -------
        bool
            False if nothing runs, or the run has just ended: then nothing follows.
        """
        with self._lock:
            job, self._job = self._job, None
            child = self._drop_child() if job else None
        if job is None:
            return False

        def finish() -> None:
            if child is not None:
                child.wait()
            job.blocks.free()
            self.warm(self._warmed)
            _call(job.on_error, RunCancelledError("The run was cancelled."))

        threading.Thread(target=finish, daemon=True).start()
        return True

    def close(self) -> None:
        """End the process and free all memory; the engine can be used again."""
        atexit.unregister(self.close)
        with self._lock:
            job, self._job = self._job, None
            child = self._drop_child()
        if child is not None:
            child.wait()
        if job is not None:
            job.blocks.free()
            _call(job.on_error, RunCancelledError("The engine was closed."))

    # Behind the scenes -------------------------------------------------------------

    def _start(self, job: _Job, study: Study, ask: _Ask) -> None:
        with self._lock:
            if self._job is not None:
                raise EngineError("A run is under way: wait for it, or cancel it first.")
            self._job = job
        self._tell_state()
        # Copying a volume takes longer than a person should wait for a button.
        threading.Thread(target=self._launch, args=(job, study, ask), daemon=True).start()

    def _launch(self, job: _Job, study: Study, ask: _Ask) -> None:
        _call(job.on_progress, Progress("Starting"))
        blocks = Blocks()
        try:
            pixels, array = blocks.room(study.array.shape, study.array.dtype)
            np.copyto(array, study.array)
            del array
            request, room = ask(Image.of(study, pixels), blocks)
            with self._lock:
                if self._job is not job:  # cancelled meanwhile
                    blocks.free()
                    return
                job.blocks, job.room = blocks, room
                self._send(request)
        except Exception as error:
            blocks.free()
            self._fail(job, error)

    def _send(self, request: Requests) -> None:
        if self._child is not None and self._child_settings != request.settings:
            self._drop_child()
        if self._child is None or not self._child.alive:
            self._child = Child((CHILD, self._work), requests, replies, self._hear, self._ended)
            self._child_settings = request.settings
        self._child.send(request)

    def _hear(self, child: Child, reply: Any) -> None:
        """Take a reply; comes on the child's listening thread."""
        with self._lock:
            if child is not self._child:
                return
            job = self._job
        if isinstance(reply, Failed):
            logger.debug("%s failed: %s\n%s", reply.during, reply.message, reply.detail)
        if isinstance(reply, Warmed) or (isinstance(reply, Failed) and reply.during == "warm"):
            self._warming = False
            self._tell_state(reply.message if isinstance(reply, Failed) else "")
        elif job is None:
            return
        elif isinstance(reply, Progressed):
            _call(job.on_progress, reply.progress)
        elif isinstance(reply, Finished | Explained):
            self._finish(job, reply)
        else:
            self._fail(job, EngineError(reply.message))

    def _ended(self, child: Child, code: int) -> None:
        """Take note that the child ended; comes on its listening thread."""
        with self._lock:
            if child is not self._child:
                return
            self._child, self._warming = None, False
            job = self._job
        logger.debug("The engine's process ended with code %s", code)
        if job is not None:
            self._fail(job, EngineError(why_ended(code)))
        else:
            self._tell_state()

    def _take_off(self, job: _Job) -> bool:
        """Make room for the next job; False if this one was cancelled meanwhile."""
        with self._lock:
            if self._job is not job:
                return False
            self._job = None
        return True

    def _finish(self, job: _Job, reply: Finished | Explained) -> None:
        if not self._take_off(job):
            return
        assert job.room is not None
        outcome: Outcome | Explanation | None = None
        with contextlib.suppress(MemoryError):
            outcome = reply.outcome(job.blocks.view(job.room))
        job.blocks.free()
        self._tell_state()
        if outcome is not None:
            _call(job.on_outcome, outcome)
        else:
            _call(job.on_error, EngineError(NO_MEMORY))

    def _fail(self, job: _Job, error: Exception) -> None:
        if not isinstance(error, CovidsegError):
            logger.debug("Run failed", exc_info=error)
            error = EngineError(
                "The run could not be started: press Run again; "
                "if that does not help, restart napari."
            )
        if self._take_off(job):
            job.blocks.free()
            self._tell_state()
            _call(job.on_error, error)

    def _drop_child(self) -> Child | None:
        child, self._child, self._warming = self._child, None, False
        if child is not None:
            child.kill()
        return child

    def _tell_state(self, trouble: str = "") -> None:
        if self._on_state is not None:
            _call(self._on_state, self.state, trouble)


def _call(callback: Callable[..., None], *args: Any) -> None:
    """Call back; a listener that fails (a closed window) must not stop the engine."""
    try:
        callback(*args)
    except Exception:
        logger.debug("A callback failed", exc_info=True)
