"""The dock widget "Train a model": a new version of a model from one's own corrected cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import run_state
from napari_covidseg.training.messages import Epoch, Job, Said, Stepped, Trained
from napari_covidseg.training.trainer import Trainer
from napari_covidseg.training.watch import StoppedError
from napari_covidseg.viewer import model_bus, parts, results, settings
from napari_covidseg.viewer.background import Background
from napari_covidseg.viewer.dock import DockedWidget
from napari_covidseg.viewer.train_bridge import TrainBridge
from napari_covidseg.viewer.train_comparison import Comparison
from napari_covidseg.viewer.train_controls import TrainControls, TrainState
from napari_covidseg.viewer.train_curves import Curves
from napari_covidseg.viewer.train_form import Choice, TrainForm, look
from napari_covidseg.viewer.train_preview import PreviewLayers

if TYPE_CHECKING:
    from napari_covidseg.training.recipe import Recipe

TITLE = "Train a model"

Rows = list[tuple[int, dict[str, float]]]
"""Epochs, and the figures of each by name."""


class TrainPanel(DockedWidget):
    """Choose cases and a base model, train, look on, and decide whether the new one is used.

    Parameters
    ----------
    napari_viewer : ViewerModel
        Gets a preview after each epoch.
    """

    def __init__(self, napari_viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, TITLE, parent)
        self._told = False
        self._scheme, self._looks = "", 0
        self._rows: Rows = []
        self._job: Job | None = None
        self._jobs: tuple[Job, ...] = ()
        self._background = Background(self)
        self.bridge = TrainBridge(self)
        self.form = TrainForm()
        self.controls = TrainControls()
        self.curves = Curves()
        self.preview = PreviewLayers(self.viewer)
        self.comparison = Comparison()
        self.unfinished = parts.words()
        self.go_on = parts.button("Go on", "Continue from the last finished epoch.")
        self.drop = parts.button("Drop", "Remove that training with its checkpoint.")
        self._build()
        self._connect()
        self._offer()
        self.refresh()
        self._background.do(results.warm_up, lambda _: None, self._say_error)

    def refresh(self) -> None:
        """Look again which datasets, models and unfinished trainings there are."""
        folder = self.form.chosen_folder
        self._looks = look_number = self._looks + 1

        def find() -> Any:
            from napari_covidseg.training import runs

            return look(folder, settings.engine_settings().model_dirs), runs.unfinished()

        def show(found: Any) -> None:
            if look_number != self._looks:
                return  # a later look is under way, perhaps at another folder
            datasets_and_models, self._jobs = found
            self.form.show_found(datasets_and_models)

        self._background.do(find, show, self._say_error)

    def start(self) -> None:
        """Train what is chosen."""
        choice = self.form.choice
        if self.controls.state.busy:
            return
        if choice is None:
            self.controls.say(self.form.why_not)
            return
        self._job = None
        self._prepare(partial(_begin, choice))

    def resume(self) -> None:
        """Go on with the training that waits."""
        job = self._waiting
        if job is not None and not self.controls.state.busy:
            self._job = job
            self._prepare(lambda: job)

    def stop(self) -> None:
        """Stop after the present step; the last finished epoch is kept."""
        preparing = self.bridge.trainer.pid is None
        self.controls.enter(TrainState.STOPPING, "Stopping")
        if not preparing:
            self.bridge.stop()

    def _let_go(self) -> None:
        """End a training under way, keep its checkpoint, and say how to go on."""
        model_bus.bus.changed.disconnect(self.refresh)
        self.bridge.trainer.close()
        self.preview.remove()
        if self.controls.state.busy:
            kept = self._kept
            show_info(
                f"The training ended with its panel. {kept} finished epochs are kept: "
                f"open '{TITLE}' again and press 'Go on'."
                if kept
                else "The training ended with its panel before its first epoch was finished; "
                "nothing is kept."
            )

    # Layout ------------------------------------------------------------------------

    def _build(self) -> None:
        layout = parts.column(self, 6)
        layout.setContentsMargins(6, 4, 6, 4)
        row = QHBoxLayout()
        row.addWidget(self.unfinished, 1)
        row.addWidget(self.go_on)
        row.addWidget(self.drop)
        layout.addLayout(row)
        for widget in (self.form, self.controls, self.curves, self.comparison):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(parts.words(RESEARCH_ONLY, "Measure a model before you rely on it."))
        self.curves.hide()

    def _connect(self) -> None:
        self.form.changed.connect(self._show_readiness)
        self.form.folder_changed.connect(self.refresh)
        self.controls.start_wanted.connect(self.start)
        self.controls.stop_wanted.connect(self.stop)
        self.go_on.clicked.connect(lambda _: self.resume())
        self.drop.clicked.connect(lambda _: self._drop())
        self.comparison.said.connect(self.controls.say)
        self.bridge.reported.connect(self._reported)
        self.bridge.ended.connect(self._ended)
        model_bus.bus.changed.connect(self.refresh)
        self.destroyed.connect(partial(_end, self.bridge.trainer))

    @property
    def _waiting(self) -> Job | None:
        """The training that can go on: the one that the form names, or else the latest."""
        new = self.form.new_model
        same = [job for job in self._jobs if job.out.name == f"{new.name}-{new.version}"]
        return next(iter((*same, *self._jobs)), None)

    @property
    def _kept(self) -> int:
        """Finished epochs that the present training can go on from."""
        return run_state.finished_epochs(self._job.out) if self._job else 0

    def _offer(self) -> None:
        """Show what waits to go on; while it goes on, that alone: the form may name another."""
        busy = self.controls.state.busy
        goes_on = busy and self._job is not None and self._job.resume
        job = self._job if busy else self._waiting
        self.form.setVisible(not goes_on)
        self.unfinished.setVisible(job is not None and (goes_on or not busy))
        for button in (self.go_on, self.drop):
            button.setVisible(job is not None and not busy)
        if job is not None:
            self.unfinished.setText(f"{'Going on' if busy else 'Not finished'}: {job.out.name}.")
            self.unfinished.setToolTip(f"In {job.out}.")

    def _show_readiness(self) -> None:
        self._offer()
        why_not = self.form.why_not
        self.controls.allow(not why_not, why_not)
        # What came of the last training stays to be read until something is in the way.
        if not self.controls.state.busy and (why_not or not self._told):
            self.controls.say(why_not)

    def _say_error(self, error: CovidsegError) -> None:
        self.controls.say(str(error))

    # A training --------------------------------------------------------------------

    def _prepare(self, make: Callable[[], Job]) -> None:
        """Make the job beside the GUI thread, then hand it to the child."""
        self._rows = []
        self.preview.remove()
        self.curves.show_rows(())
        self.curves.show()
        self.comparison.hide()
        self.form.setEnabled(False)
        self.controls.enter(TrainState.PREPARING, "Preparing")
        self._offer()

        def work() -> tuple[Job, Recipe, Rows]:
            from napari_covidseg.training.recipe import load_recipe

            job = make()
            rows = list(enumerate(run_state.history(job.out), start=1))
            return job, load_recipe(job.recipe), rows

        self._background.do(work, self._launch, self._ended)

    def _launch(self, made: tuple[Job, Recipe, Rows]) -> None:
        self._job, recipe, self._rows = made
        if self._closed:
            return
        self.curves.show_rows(self._rows)
        self._scheme = recipe.scheme or ""
        if recipe.training is not None:
            self.controls.show_epochs(recipe.training.epochs)
        if self.controls.state is TrainState.STOPPING:
            self._ended(StoppedError(self._kept))
            return
        try:
            self.bridge.start(self._job)
        except CovidsegError as error:
            self._ended(error)

    def _reported(self, reply: Any) -> None:
        if self._closed or not self.controls.state.busy:
            return
        if isinstance(reply, Said):
            if self.controls.state is not TrainState.STOPPING:
                self.controls.say(reply.text)
            return
        if self.controls.state is TrainState.PREPARING:
            self.controls.enter(TrainState.TRAINING, "Training")
        if isinstance(reply, Stepped):
            self.controls.show_step(reply.epoch, reply.done, reply.total)
        elif isinstance(reply, Epoch):
            self._rows.append((reply.epoch, reply.row))
            self.controls.show_epochs(reply.epochs)
            self.curves.show_rows(self._rows)
            if reply.preview is not None and self._scheme in SCHEMES:
                self.preview.show(reply.preview, SCHEMES[self._scheme])

    def _ended(self, end: Trained | CovidsegError) -> None:
        if self._closed:
            return
        self._told = True
        self.form.setEnabled(True)
        if isinstance(end, Trained):
            self.comparison.show_trained(end)
            self.controls.enter(
                TrainState.DONE,
                f"Installed {end.name} {end.version}: choose it under 'COVID-19 segmentation'.",
            )
            model_bus.bus.changed.emit()
        elif isinstance(end, StoppedError):
            self.controls.enter(
                TrainState.IDLE,
                f"Stopped. {end.finished} finished epochs are kept: press Go on to continue."
                if end.finished
                else "Stopped before the first epoch was finished; nothing is kept.",
            )
            self.refresh()
        else:
            self.controls.enter(TrainState.FAILED, str(end))
            self.refresh()
        self._show_readiness()

    def _drop(self) -> None:
        job = self._waiting
        if job is None:
            return

        def work() -> None:
            from napari_covidseg.training import runs

            runs.drop(job)

        def tell(_: None) -> None:
            self._told = True
            self.controls.say(f"Dropped {job.out.name}.")
            self.refresh()

        self._background.do(work, tell, self._say_error)


def _begin(choice: Choice) -> Job:
    from napari_covidseg.training import runs

    return runs.begin(
        choice.base,
        choice.dataset.folder,
        choice.name,
        choice.version,
        choice.schedule,
        settings.engine_settings(),
    )


def _end(trainer: Trainer, *_: Any) -> None:
    """End the child when the panel went with its window; its checkpoint is kept."""
    trainer.close()
