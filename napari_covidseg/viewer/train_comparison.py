"""The new model beside the one that it started from, and the word that it may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.messages import Trained
from napari_covidseg.training.wording import counted
from napari_covidseg.viewer import model_bus, parts
from napari_covidseg.viewer.background import Background

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo


class Comparison(QWidget):
    """Scores of both models, and the button that makes the new one answer for its name."""

    said = Signal(str)
    """What came of the button, for the user."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._made: Trained | None = None
        self._background = Background(self)
        self.words = parts.words(
            tooltip="Both models on the same cases, which the training did not learn from."
        )
        self.use = parts.button(
            "Use it by default", "Let the new version answer for its name from now on."
        )
        self.use.clicked.connect(lambda _: self.use_by_default())
        layout = parts.column(self, 6)
        layout.addWidget(self.words)
        layout.addWidget(self.use)
        self.hide()

    def show_trained(self, made: Trained) -> None:
        """Show how a new model did; it is offered unless it is worse or the only one."""
        self._made = made
        self.words.setText(in_words(made))
        self.use.setVisible(not made.default and not made.worse)
        self.show()

    def use_by_default(self) -> None:
        """Let the new version answer for its name."""
        made = self._made
        if made is None:
            return

        def work() -> ModelInfo:
            from napari_covidseg.inference.install import make_default
            from napari_covidseg.inference.registry import find

            return make_default(find(f"{made.name}@{made.version}"))

        def tell(info: ModelInfo) -> None:
            self.use.hide()
            self.said.emit(f"{info.name} is now {info.version} wherever no version is named.")
            model_bus.bus.changed.emit()

        def fail(error: CovidsegError) -> None:
            self.said.emit(str(error))

        self._background.do(work, tell, fail)


def in_words(made: Trained) -> str:
    """Say how both models did, and what follows from it."""
    if not made.cases:
        text = "No held-out case could tell which model is better."
    else:
        text = (
            f"Base model ({made.base.replace('@', ' ')}): Dice {made.base_dice:.3f}, "
            f"new model: Dice {made.dice:.3f} on {counted(made.cases, 'held-out case')}."
        )
    if made.worse and not made.default:
        text += (
            f"\nIt did not prove better, so {made.name} stays what it was; the new version "
            "is there to be chosen by hand."
        )
    return f"{text}\n{made.caveat}" if made.caveat else text
