"""One run: from the checked image through the engine to label layers and a summary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_covidseg.engine import RunCancelledError
from napari_covidseg.segmentation import Outcome
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import check, results
from napari_covidseg.viewer.background import EngineBridge
from napari_covidseg.viewer.run_controls import RunControls
from napari_covidseg.viewer.summary import Summary, summarise


@dataclass(frozen=True, eq=False)
class _Done:
    """A run's results, ready for the viewer; `pixels` are those of the layer at its start."""

    layer: Any
    pixels: Any
    outcome: Outcome
    masks: list[Labels]
    summary: Summary


class Runner(QObject):
    """Starts runs, shows on the controls how they go, and adds what they made to the viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Gets the label layers.
    bridge : EngineBridge
        Does the runs.
    controls : RunControls
        Run, Cancel and progress.
    """

    summarised = Signal(object, object)
    """`Summary` of a run that ended well, and its image layer."""
    ended = Signal()
    """A run ended, in whatever way."""

    def __init__(self, viewer: Any, bridge: EngineBridge, controls: RunControls) -> None:
        super().__init__(controls)
        self._viewer, self._bridge, self._controls = viewer, bridge, controls
        bridge.progressed.connect(controls.show_progress)
        bridge.finished.connect(self._finished)
        bridge.failed.connect(self._failed)
        controls.cancel_wanted.connect(self.cancel)

    def start(self, layer: Any, checked: check.Check, models: list[str]) -> None:
        """Run models on an image that was looked at; returns at once."""
        pixels = layer.data

        def after(outcome: Outcome) -> _Done:
            outcome = check.onto_layer(outcome, checked)
            study, device = checked.kept, outcome.device
            masks = [results.labels_layer(layer, study, x, device) for x in outcome.segmentations]
            return _Done(layer, pixels, outcome, masks, summarise(checked.measured, outcome))

        self._controls.start()
        try:
            self._bridge.submit(checked.study, models, after)
        except CovidsegError as error:
            self._failed(error)

    def cancel(self) -> None:
        """End the run; one whose layers are being added already ends as it would."""
        self._controls.cancelling()
        self._bridge.cancel()

    def _finished(self, done: _Done) -> None:
        try:
            results.check_same(self._viewer, done.layer, done.pixels)
        except CovidsegError as error:
            self._failed(error)
            return
        models = [s.model.name for s in done.outcome.segmentations]
        kept = results.corrected_results(self._viewer, done.layer, models)
        self._add_next(done, list(done.masks), [layer.name for layer in kept])

    def _add_next(self, done: _Done, waiting: list[Labels], kept: list[str]) -> None:
        """Add one layer, then let the GUI breathe: napari takes a while for each."""
        if not waiting:
            self._tell(done, kept)
            return
        try:
            results.check_same(self._viewer, done.layer, done.pixels)
            results.add_result(self._viewer, done.layer, waiting.pop(0))
        except CovidsegError as error:
            self._failed(error)
        else:
            QTimer.singleShot(0, partial(self._add_next, done, waiting, kept))

    def _tell(self, done: _Done, kept: list[str]) -> None:
        text = f"Done in {self._controls.seconds:.0f} s on the {done.outcome.device}."
        if kept:
            text += f" Kept what you corrected ({', '.join(kept)}); the new result is beside it."
        self._controls.finish(text)
        self.ended.emit()
        self.summarised.emit(done.summary, done.layer)

    def _failed(self, error: CovidsegError) -> None:
        cancelled = isinstance(error, RunCancelledError)
        self._controls.finish("Cancelled. Nothing was changed." if cancelled else str(error))
        self.ended.emit()
