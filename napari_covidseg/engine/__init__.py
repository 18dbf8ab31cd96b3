"""The one process that owns TensorFlow in a viewer session: `Engine` starts, asks and ends it."""

from napari_covidseg.engine.client import Engine, EngineError, EngineState, RunCancelledError
from napari_covidseg.engine.messages import EngineSettings

__all__ = ["Engine", "EngineError", "EngineSettings", "EngineState", "RunCancelledError"]
