"""Looks at the chosen image beside the GUI thread; only the last look asked for counts."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_covidseg.viewer import check
from napari_covidseg.viewer.background import Background

SETTLE_MS = 30
"""Changes of an image that come within this time are looked at together."""


class Looker(QObject):
    """What is known of the chosen image.

    Attributes
    ----------
    checked : Check or None
        The image, ready to run; None while it is looked at, and where it cannot be read.
    trouble : str
        Why the image cannot be read; else empty.
    """

    looked = Signal()
    """`checked` or `trouble` is there."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.checked: check.Check | None = None
        self.trouble = ""
        self._count = 0
        self._asked: tuple[Any, check.Answers] | None = None
        self._background = Background(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SETTLE_MS)
        self._soon.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        """Whether the image is being looked at."""
        return self._asked is not None and self.checked is None and not self.trouble

    @property
    def why_not(self) -> str:
        """Say why no model can run on the image; empty where one can."""
        if self.trouble:
            return self.trouble
        if self.checked is None:
            return "The image is being looked at."
        if self.checked.stop is not None:
            return self.checked.stop.what
        if self.checked.study.modality is None:
            return "Choose first whether this is a CT or an X-ray."
        return ""

    def look(self, layer: Any, answers: check.Answers) -> None:
        """Look at a layer with what the user said about it; `looked` follows."""
        self.forget()
        self._asked = layer, answers
        self._soon.start()

    def forget(self) -> None:
        """Let go of the image; a look under way comes to nothing."""
        self._soon.stop()
        self._count += 1
        self._asked, self.checked, self.trouble = None, None, ""

    def _start(self) -> None:
        assert self._asked is not None
        count = self._count
        self._background.do(
            partial(check.look, *self._asked),
            lambda checked: self._end(count, checked, ""),
            lambda error: self._end(count, None, str(error)),
        )

    def _end(self, count: int, checked: check.Check | None, trouble: str) -> None:
        if count == self._count:
            self.checked, self.trouble = checked, trouble
            self.looked.emit()
