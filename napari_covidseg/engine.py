"""The one process that owns TensorFlow: submit, progress, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from napari_covidseg.segmentation import Outcome, ProgressCallback
from napari_covidseg.study import CovidsegError, Study


class EngineError(CovidsegError):
    """The engine's process failed; the message says what to do."""


class Cancelled(CovidsegError):
    """The run was ended by `Engine.cancel`."""


class EngineState(StrEnum):
    """What the engine does at the moment."""

    STOPPED = "stopped"
    WARMING = "warming"
    READY = "ready"
    RUNNING = "running"


@dataclass(frozen=True)
class EngineSettings:
    """How runs are computed."""

    threads: int | None = None
    device: Literal["auto", "cpu", "gpu"] = "auto"
    model_dirs: tuple[Path, ...] = ()


class Engine:
    """Run models in a process of their own."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()

    @property
    def state(self) -> EngineState:
        """What the engine does at the moment."""
        return EngineState.STOPPED

    def warm(self, models: Sequence[str]) -> None:
        """Start the process and load models in the background."""

    def submit(
        self,
        study: Study,
        models: Sequence[str],
        *,
        on_progress: ProgressCallback,
        on_outcome: Callable[[Outcome], None],
        on_error: Callable[[CovidsegError], None],
    ) -> None:
        """Run models on a study; callbacks come on a thread of the engine."""

    def cancel(self) -> None:
        """End the run within half a second."""

    def close(self) -> None:
        """End the process and free all memory."""
