"""The dock widget "COVID-19 segmentation": image, models, run, results, checks, save."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.engine import EngineSettings, EngineState, RunCancelledError
from napari_covidseg.segmentation import Outcome, Segmentation
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.viewer import check, model_rows, parts, results, settings
from napari_covidseg.viewer.background import Background, EngineBridge
from napari_covidseg.viewer.findings import FindingsPanel
from napari_covidseg.viewer.image_panel import ImagePanel
from napari_covidseg.viewer.run_controls import RunControls, RunState
from napari_covidseg.viewer.save_case import SaveCasePanel, save_training_case
from napari_covidseg.viewer.summary import Summary, measure_masks, summarise
from napari_covidseg.viewer.summary_panel import SummaryPanel

WIDTH = 340
SHORTCUTS = {
    "Control-Alt-S": "segment",
    "Control-Alt-C": "classify",
    "Control-Alt-M": "measure",
    "Control-Alt-D": "save_case",
}
"""Bound while the widget is open; napari does not act on those of a manifest."""


@dataclass(frozen=True, eq=False)
class _Done:
    """A run's results, ready for the viewer."""

    layer: Any
    study: Study
    outcome: Outcome
    summary: Summary


class SegmentationWidget(QWidget):
    """Segment, classify and measure the chosen image, and save what was corrected.

    Parameters
    ----------
    napari_viewer : ViewerModel
        The viewer whose images it works on.
    """

    def __init__(self, napari_viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Behind napari's proxy a layer is another object at each look: it could neither be
        # recognised nor be followed by a weak reference.
        napari_viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.viewer = napari_viewer
        self.checked: check.Check | None = None
        self._unreadable = ""
        self._look = 0
        self._began = False
        self._run_when_ready = False
        self._warmed: list[str] | None = None
        self.bridge = EngineBridge(parent=self)
        self._background = Background(self)
        self.image = ImagePanel(napari_viewer)
        self.models = model_rows.ModelRows()
        self.controls = RunControls()
        self.results = SummaryPanel(napari_viewer)
        self.findings = FindingsPanel()
        self.save = SaveCasePanel(napari_viewer)
        self._build()
        self._connect()
        self._image_changed()
        # Both take longer, the first time, than a click should.
        self._background.do(settings.engine_settings, self._begin, self._say_error)
        self._background.do(results.warm_up, lambda _: None, self._say_error)

    def segment(self) -> None:
        """Mark lungs and infection on the chosen image."""
        self.models.want("lungs", "infection")
        self.run()

    def classify(self) -> None:
        """Give the probability of COVID-19 for the chosen image."""
        self.models.want("classification")
        self.run()

    def save_case(self) -> None:
        """Save the corrected labels as a training case."""
        save_training_case(self.viewer)

    def run(self) -> None:
        """Run the ticked models on the chosen image, once it has been looked at."""
        if self.controls.state is not RunState.IDLE:
            return
        looking = self.checked is None and not self._unreadable
        if self.image.layer is not None and (looking or not self._began):
            self._run_when_ready = True
            self.controls.say("Looking at the image first")
        elif self.image.layer is None or self.checked is None or self._why_not():
            self.controls.say(self._why_not())
        else:
            self._start(self.image.layer, self.checked, self.models.selected)

    def cancel(self) -> None:
        """End the run."""
        self.controls.cancelling()
        self.bridge.engine.cancel()

    def measure(self) -> None:
        """Measure the label layers of the chosen image as they are now."""
        layer, checked = self.image.layer, self.checked
        if layer is None or checked is None:
            self.controls.say("Open an image first, then run a model or draw labels.")
            return
        made = results.results_of(self.viewer, layer)
        masks = [(x.data, s) for x in made if (s := results.scheme_of(x)) is not None]
        old = self.results.summary
        if not masks:
            self.controls.say("There are no label layers for this image yet: press Run first.")
            return

        def show(measured: Any) -> None:
            notes = tuple(measured.notes)
            self._show_summary(Summary(measured, old.classifications, (), notes), layer)
            self.controls.say("Measured the label layers as they are now.")

        work = partial(measure_masks, checked.detected, masks)
        self._background.do(work, show, self._say_error)

    def shutdown(self) -> None:
        """Let go of the viewer and end the engine."""
        settings.off_change(self._settings_changed)
        for keys in SHORTCUTS:
            self.viewer.bind_key(keys, None)
        self.image.detach()
        self.results.detach()
        self.save.detach()
        self.bridge.engine.close()

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari took the dock away: it keeps no other sign of that."""
        if event and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shutdown()
        return super().event(event)

    # Layout ------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumWidth(WIDTH)
        body = QWidget()
        body.setObjectName("body")
        layout = QVBoxLayout(body)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        layout.addWidget(self.image)
        layout.addWidget(self.models)
        layout.addWidget(self.controls)
        self._results = self._section(layout, "Results", self.results)
        self._results.hide()
        self._checks = self._section(layout, "Image check", self.findings)
        self._saving = self._section(layout, "Corrected labels", self.save)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = parts.column(self, 2)
        outer.addWidget(scroll, 1)
        outer.addWidget(
            parts.words(RESEARCH_ONLY, "Do not use the results to treat or diagnose anybody.")
        )

    def _section(self, layout: QVBoxLayout, title: str, panel: QWidget) -> QWidget:
        section = QWidget()
        inner = parts.column(section, 3)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        inner.addWidget(line)
        inner.addWidget(parts.heading(title))
        inner.addWidget(panel)
        layout.addWidget(section)
        return section

    def _connect(self) -> None:
        self.image.image_changed.connect(self._image_changed)
        self.image.answers_changed.connect(self._look_at_image)
        self.image.sample_wanted.connect(self._open_sample)
        self.models.changed.connect(self._show_readiness)
        self.controls.run_wanted.connect(self.run)
        self.controls.cancel_wanted.connect(self.cancel)
        self.findings.fix_wanted.connect(
            lambda code: self.image.set_answers(self.image.answers.fixed(code))
        )
        self.findings.undo_wanted.connect(
            lambda code: self.image.set_answers(self.image.answers.unfixed(code))
        )
        self.results.measure_wanted.connect(self.measure)
        self.bridge.progressed.connect(self.controls.show_progress)
        self.bridge.finished.connect(self._finished)
        self.bridge.failed.connect(self._failed)
        self.bridge.state_changed.connect(self._engine_changed)
        for keys, command in SHORTCUTS.items():
            self.viewer.bind_key(keys, lambda _, c=command: getattr(self, c)(), overwrite=True)
        engine = self.bridge.engine
        self.destroyed.connect(lambda *_: engine.close())

    # The image ---------------------------------------------------------------------

    def _image_changed(self) -> None:
        self._results.hide()
        self._look_at_image()

    def _look_at_image(self) -> None:
        """Check the image on another thread; only the last look asked for counts."""
        self._look += 1
        self.checked, self._unreadable = None, ""
        layer = self.image.layer
        for section in (self._checks, self._saving):
            section.setVisible(layer is not None)
        self._show_readiness()
        if layer is None:
            self.models.set_modality(None)
            return
        self.findings.say("Looking at the image")
        look = self._look
        self._background.do(
            partial(check.look, layer, self.image.answers),
            lambda checked: self._looked(look, checked),
            lambda error: self._cannot_look(look, error),
        )

    def _looked(self, look: int, checked: check.Check) -> None:
        if look != self._look:
            return
        self.checked = checked
        self.image.show_study(checked.detected)
        self.models.set_modality(checked.study.modality)
        self.findings.show_findings(checked.findings, self.image.answers.fixes)
        self._warm()
        self._show_readiness()
        self._run_if_waiting()

    def _run_if_waiting(self) -> None:
        """Do the run that was asked for before image and models were ready."""
        if self._run_when_ready and self._began and self.checked is not None:
            self._run_when_ready = False
            self.run()

    def _cannot_look(self, look: int, error: CovidsegError) -> None:
        if look == self._look:
            self._run_when_ready = False
            self._unreadable = str(error)
            self.findings.say(self._unreadable)
            self._show_readiness()

    def _open_sample(self, key: str) -> None:
        try:
            self.viewer.open_sample(settings.PLUGIN, key)
        except (KeyError, CovidsegError) as error:
            self.controls.say(f"The sample cannot be opened: {error}")

    # Models and engine -------------------------------------------------------------

    def _load_models(self) -> None:
        try:
            known = model_rows.known_models(self.bridge.engine.settings.model_dirs)
        except CovidsegError as error:
            self.controls.say(str(error))
            known = ()
        self.models.set_models(known)
        self._warm()

    def _warm(self) -> None:
        """Load what a run would need while the user looks at the image."""
        if self.models.selected != self._warmed:
            self._warmed = self.models.selected
            self.bridge.engine.warm(self._warmed)

    def _begin(self, chosen: EngineSettings) -> None:
        """Start the engine as the preferences say, and follow them from now on."""
        self.bridge.engine.configure(chosen)
        settings.on_change(self._settings_changed)
        self._load_models()
        self._began = True
        self._run_if_waiting()

    def _settings_changed(self, event: Any = None) -> None:
        self.bridge.engine.configure(settings.engine_settings())
        self._load_models()

    def _engine_changed(self, state: EngineState, trouble: str) -> None:
        if trouble:
            self.controls.say(trouble)

    # The run -----------------------------------------------------------------------

    def _why_not(self) -> str:
        """Say why a run cannot start; empty where it can."""
        if self.image.layer is None:
            return "Open an image first."
        if self._unreadable:
            return self._unreadable
        if self.checked is None:
            return "The image is being looked at."
        if self.checked.stop is not None:
            return self.checked.stop.what
        if self.checked.study.modality is None:
            return "Choose first whether this is a CT or an X-ray."
        if not self.models.selected:
            return "Tick first what to find."
        return ""

    def _show_readiness(self) -> None:
        why_not = self._why_not()
        self.controls.allow(not why_not, why_not)

    def _start(self, layer: Any, checked: check.Check, models: list[str]) -> None:
        def after(outcome: Outcome) -> _Done:
            outcome = check.onto_layer(outcome, checked)
            summary = summarise(checked.detected, outcome)
            return _Done(layer, checked.detected, outcome, summary)

        self.controls.start()
        try:
            self.bridge.submit(checked.study, models, after)
        except CovidsegError as error:
            self._failed(error)

    def _finished(self, done: _Done) -> None:
        if self.controls.state is not RunState.RUNNING:
            return
        models = [s.model.name for s in done.outcome.segmentations]
        kept = results.corrected_results(self.viewer, done.layer, models)
        self._add_next(done, list(done.outcome.segmentations), [layer.name for layer in kept])

    def _add_next(self, done: _Done, waiting: list[Segmentation], kept: list[str]) -> None:
        """Add one layer, then let the GUI breathe: napari takes a while for each."""
        if waiting:
            try:
                results.add_segmentation(
                    self.viewer, done.layer, done.study, waiting.pop(0), done.outcome.device
                )
            except CovidsegError as error:
                self._failed(error)
            else:
                QTimer.singleShot(0, partial(self._add_next, done, waiting, kept))
            return
        text = f"Done in {self.controls.seconds:.0f} s on the {done.outcome.device}."
        if kept:
            text += f" Kept what you corrected ({', '.join(kept)}); the new result is beside it."
        self.controls.finish(text)
        self._show_readiness()
        self._show_summary(done.summary, done.layer)

    def _show_summary(self, summary: Summary, layer: Any) -> None:
        self.results.show_summary(summary, layer)
        self._results.show()

    def _failed(self, error: CovidsegError) -> None:
        cancelled = isinstance(error, RunCancelledError)
        self.controls.finish("Cancelled. Nothing was changed." if cancelled else str(error))
        self._show_readiness()

    def _say_error(self, error: CovidsegError) -> None:
        self.controls.say(str(error))
