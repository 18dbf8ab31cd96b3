"""The button "Why?", with the choice of how its map is made."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QHBoxLayout, QMenu, QWidget

from napari_covidseg.segmentation import CamMethod
from napari_covidseg.viewer import parts

TIPS = {
    CamMethod.GRADCAM: "Weighs whole features of the model; the usual one.",
    CamMethod.HIRESCAM: "Place by place; adds up to the answer exactly.",
}

_chosen = [CamMethod.GRADCAM]
"""The method that was asked for last; all buttons share it as long as napari runs."""


def chosen() -> CamMethod:
    """Give the method that the buttons ask for."""
    return _chosen[0]


class WhyButton(QWidget):
    """Asks for a map by the chosen method; its arrow chooses one, and asks at once.

    Parameters
    ----------
    finding : str
        What the classification looked for.
    """

    wanted = Signal(str)
    """A value of `CamMethod`."""

    def __init__(self, finding: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ask = parts.button(
            "Why?", f"Show over the image where the model saw what speaks for {finding}."
        )
        # Two buttons: napari's style leaves a tool button with a menu no room for its text.
        self.choose = parts.button("", "Choose how the map is made.")
        self.choose.setFixedWidth(20)
        menu = QMenu(self.choose)
        menu.setToolTipsVisible(True)
        group = QActionGroup(menu)
        self.methods: dict[CamMethod, QAction] = {}
        for method in CamMethod:
            action = QAction(method.words, group)
            action.setCheckable(True)
            action.setToolTip(TIPS[method])
            action.triggered.connect(lambda _=False, m=method: self._choose(m))
            menu.addAction(action)
            self.methods[method] = action
        menu.aboutToShow.connect(lambda: self.methods[chosen()].setChecked(True))
        self.choose.setMenu(menu)
        self.ask.clicked.connect(lambda _=False: self.wanted.emit(chosen()))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.ask)
        layout.addWidget(self.choose)

    def _choose(self, method: CamMethod) -> None:
        _chosen[0] = method
        self.wanted.emit(method)
