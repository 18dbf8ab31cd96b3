"""The dock widget "COVID-19 segmentation": image, models, run, results, checks, save."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.engine import Engine, EngineSettings, EngineState
from napari_covidseg.segmentation import CamMethod, Classification
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import (
    check,
    model_bus,
    model_rows,
    parts,
    results,
    settings,
    shortcuts,
)
from napari_covidseg.viewer.background import Background, EngineBridge
from napari_covidseg.viewer.dock import DockedWidget
from napari_covidseg.viewer.explainer import Explainer
from napari_covidseg.viewer.findings import FindingsPanel
from napari_covidseg.viewer.image_panel import ImagePanel
from napari_covidseg.viewer.looker import Looker
from napari_covidseg.viewer.models_dialog import ModelsDialog
from napari_covidseg.viewer.run_controls import RunControls, RunState
from napari_covidseg.viewer.runner import Runner
from napari_covidseg.viewer.save_case import SaveCasePanel
from napari_covidseg.viewer.summary import Summary, measure_masks, measured_again
from napari_covidseg.viewer.summary_panel import SummaryPanel

TITLE = "COVID-19 segmentation"


class SegmentationWidget(DockedWidget):
    """Segment, classify and measure the chosen image, and save what was corrected.

    Parameters
    ----------
    napari_viewer : ViewerModel
        The viewer whose images it works on.
    """

    def __init__(self, napari_viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, TITLE, parent)
        self._began = False
        self._run_when_ready = False
        self._trouble = ""
        self._warmed: list[str] | None = None
        self._asked: check.Check | None = None  # what the last run was given
        self._answered: check.Check | None = None  # what the last run's results are of
        self._answered_layer: Any = None
        self._list: ModelsDialog | None = None  # made when it is first asked for
        self.bridge = EngineBridge(parent=self)
        self._background = Background(self)
        self.image = ImagePanel(self.viewer)
        self.models = model_rows.ModelRows()
        self.controls = RunControls()
        self.results = SummaryPanel(self.viewer)
        self.findings = FindingsPanel()
        self.save = SaveCasePanel(self.viewer)
        self.runner = Runner(self.viewer, self.bridge, self.controls)
        self.explainer = Explainer(self.viewer, self.bridge, self.controls)
        self.looker = Looker(self)
        self._build()
        self._connect()
        self._image_changed()
        # Both take longer, the first time, than a click should.
        self._background.do(settings.engine_settings, self._begin, self._say_error)
        self._background.do(results.warm_up, lambda _: None, self._say_error)

    @property
    def checked(self) -> check.Check | None:
        """The chosen image, ready to run; None where it is not."""
        return self.looker.checked

    def segment(self) -> None:
        """Mark lungs and infection on the chosen image."""
        self.models.want("lungs", "infection")
        self.run()

    def classify(self) -> None:
        """Give the probability of disease for the chosen image."""
        self.models.want("classification")
        self.run()

    def save_case(self) -> None:
        """Save the corrected labels as a training case."""
        self._saving.show()
        self.save.save()

    def show_models(self) -> None:
        """List all models in a window of its own."""
        if self._list is None:
            self._list = ModelsDialog(self)
        self._list.refresh()
        self._list.show()
        self._list.raise_()

    def run(self) -> None:
        """Run the ticked models on the chosen image, once it has been looked at."""
        if self.controls.state is not RunState.IDLE:
            return
        layer, checked = self.image.layer, self.checked
        if layer is not None and (self.looker.busy or not self._began):
            self._run_when_ready = True
            self.controls.say("Looking at the image first")
        elif layer is None or checked is None or self._why_not():
            self.controls.say(self._why_not())
        else:
            self._asked = checked
            self.runner.start(layer, checked, self.models.selected)

    def explain(self, result: Classification, method: str = CamMethod.GRADCAM) -> None:
        """Show over the image why a classification came out as it did."""
        layer, checked = self.image.layer, self.checked
        if self.controls.state is not RunState.IDLE:
            return
        if layer is None or checked is None or layer is not self.results.layer:
            self.controls.say("Choose the image that was classified first.")
        elif self._answered is None or not check.same_image(checked.study, self._answered.study):
            self.controls.say("The image was changed since this answer: run again.")
        else:
            self.explainer.start(layer, checked, result, method)

    def measure(self) -> None:
        """Measure the label layers of the chosen image as they are now."""
        layer, checked = self.image.layer, self.checked
        if layer is None or checked is None:
            self.controls.say("Open an image first, then run a model or draw labels.")
            return
        chosen = results.to_measure(self.viewer, layer)
        masks = [(mask.data, scheme) for mask, scheme in chosen]
        names = [mask.name for mask, _ in chosen]
        if not masks:
            self.controls.say("There are no label layers for this image yet: press Run first.")
            return

        def show(measured: Any) -> None:
            old = self.results.summary if self.results.layer is layer else Summary()
            self._show_summary(measured_again(old, measured, names), layer)
            self.controls.say("Measured the label layers as they are now.")

        def work() -> Any:
            return measure_masks(checked.measured, masks)

        self._background.do(work, show, self._say_error)

    def _let_go(self) -> None:
        """Let go of the viewer and of the image, and end the engine."""
        self.looker.forget()
        if self._list is not None:
            self._list.close()
        settings.off_change(self._settings_changed)
        with suppress(TypeError, RuntimeError):  # it closed before it began to listen
            model_bus.bus.changed.disconnect(self._load_models)
        shortcuts.unbind(self.viewer)
        self.image.detach()
        self.results.detach()
        self.save.detach()
        self.bridge.engine.close()

    # Layout ------------------------------------------------------------------------

    def _build(self) -> None:
        body = QWidget()
        body.setObjectName("body")
        layout = QVBoxLayout(body)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(6)
        layout.addWidget(self.image)
        layout.addWidget(self.models)
        layout.addWidget(self.controls)
        self._results = parts.section("Results", self.results)
        self._checks = parts.section("Image check", self.findings)
        self._saving = parts.section("Corrected labels", self.save)
        for section in (self._results, self._checks, self._saving):
            layout.addWidget(section)
        self._results.hide()
        layout.addStretch(1)
        outer = parts.column(self, 2)
        outer.addWidget(parts.scrolling(body), 1)
        outer.addWidget(
            parts.words(RESEARCH_ONLY, "Do not use the results to treat or diagnose anybody.")
        )

    def _connect(self) -> None:
        self.image.image_changed.connect(self._image_changed)
        self.image.facts_changed.connect(self._look_at_image)
        self.looker.looked.connect(self._looked)
        self.image.sample_wanted.connect(self._open_sample)
        self.models.changed.connect(self._show_readiness)
        self.models.list_wanted.connect(self.show_models)
        self.controls.run_wanted.connect(self.run)
        self.findings.fix_wanted.connect(
            lambda code: self.image.set_answers(self.image.answers.fixed(code))
        )
        self.findings.undo_wanted.connect(
            lambda code: self.image.set_answers(self.image.answers.unfixed(code))
        )
        self.results.measure_wanted.connect(self.measure)
        self.results.why_wanted.connect(self.explain)
        self.explainer.explained.connect(self.results.show_why)
        self.explainer.ended.connect(self._show_readiness)
        self.runner.summarised.connect(self._show_run)
        self.runner.ended.connect(self._show_readiness)
        self.bridge.state_changed.connect(self._engine_changed)
        shortcuts.bind(self.viewer, self)
        followed = weakref.WeakMethod(self._settings_changed)
        self.destroyed.connect(partial(_end, self.bridge.engine, followed))

    # The image ---------------------------------------------------------------------

    def _image_changed(self) -> None:
        layer = self.image.layer
        answered = layer is not None and layer is self.results.layer
        self._results.setVisible(answered)
        if not answered:  # the line told of another image
            self.controls.say(self._trouble)
        self._run_when_ready = False
        self._look_at_image()

    def _look_at_image(self) -> None:
        layer = self.image.layer
        for section in (self._checks, self._saving):
            section.setVisible(layer is not None)
        if layer is None:
            self.looker.forget()
            self.models.set_modality(None)
        else:
            self.looker.look(layer, self.image.answers)
            self.findings.say("Looking at the image")
        self._show_readiness()

    def _looked(self) -> None:
        checked = self.checked
        detected, answered = (checked.detected, checked.study) if checked else (None, None)
        self.image.show_study(detected, answered)
        self.models.set_modality(answered.modality if answered else None)
        if checked is None:
            self.findings.say(self.looker.trouble)
        else:
            fixes = self.image.answers.fixes
            self.findings.show_findings(checked.findings, fixes, checked.skipped)
            self._warm()
        self._show_outdated()
        self._show_readiness()
        self._run_if_waiting()

    def _run_if_waiting(self) -> None:
        """Do the run that was asked for before image and models were ready."""
        if self._run_when_ready and self._began and not self.looker.busy:
            self._run_when_ready = False
            self.run()

    def _open_sample(self, key: str) -> None:
        try:
            self.viewer.open_sample(settings.PLUGIN, key)
        except (KeyError, CovidsegError) as error:
            self.controls.say(f"The sample cannot be opened: {error}")

    # Models and engine -------------------------------------------------------------

    def _load_models(self) -> None:
        folders = self.bridge.engine.settings.model_dirs
        trouble = ""
        try:
            model_rows.check_folders(folders)
        except CovidsegError as error:
            trouble = str(error)
        self._say_of_all(trouble)
        self.models.set_models(model_rows.known_models(folders))
        self._warm()

    def _warm(self) -> None:
        """Load what a run would need while the user looks at the image."""
        if self.models.selected != self._warmed:
            self._warmed = self.models.selected
            self.bridge.engine.warm(self._warmed)

    def _begin(self, chosen: EngineSettings) -> None:
        """Start the engine as the preferences say, and follow them from now on."""
        if self._closed:
            return
        self.bridge.engine.configure(chosen)
        settings.on_change(self._settings_changed)
        model_bus.bus.changed.connect(self._load_models)
        self._load_models()
        self._began = True
        self._run_if_waiting()

    def _settings_changed(self, event: Any = None) -> None:
        self.bridge.engine.configure(settings.engine_settings())
        self._load_models()
        self.save.follow_preferences()
        if self._list is not None:
            self._list.refresh()

    def _engine_changed(self, state: EngineState, trouble: str) -> None:
        if trouble:
            self._say_of_all(trouble)

    def _say_of_all(self, trouble: str) -> None:
        """Say what is wrong whatever image is chosen."""
        self._trouble = trouble
        if trouble:
            self.controls.say(trouble)

    # Before and after a run --------------------------------------------------------

    def _why_not(self) -> str:
        """Say why a run cannot start; empty where it can."""
        if self.image.layer is None:
            return "Open an image first."
        if self.looker.why_not:
            return self.looker.why_not
        return "" if self.models.selected else "Tick first what to find."

    def _show_readiness(self) -> None:
        why_not = self._why_not()
        self.controls.allow(not why_not, why_not)

    def _show_run(self, summary: Summary, layer: Any) -> None:
        self._answered, self._answered_layer = self._asked, layer
        self._show_summary(summary, layer)
        self._show_outdated()

    def _show_outdated(self) -> None:
        """Say that the results are of other answers about the image than those of now."""
        run, now = self._answered, self.checked
        mine = self._answered_layer is not None and self._answered_layer is self.image.layer
        if run is not None and now is not None:
            self.results.outdated.setVisible(mine and run.answers != now.answers)

    def _show_summary(self, summary: Summary, layer: Any) -> None:
        if layer not in self.viewer.layers:
            return
        if layer is not self.image.layer:  # nobody may take the results for another image's
            self.viewer.layers.selection.active = layer
        self.results.show_summary(summary, layer)
        self._results.show()

    def _say_error(self, error: CovidsegError) -> None:
        self.controls.say(str(error))


def _end(engine: Engine, followed: weakref.WeakMethod[Callable[..., None]], *_: Any) -> None:
    """Let go of the engine and the preferences when the widget went with its window."""
    engine.close()
    callback = followed()
    if callback is not None:
        settings.off_change(callback)
