"""What to find and with which model: one row a role, the model's card at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QSizePolicy,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.study import Modality
from napari_covidseg.viewer import parts

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo

ROLES = {
    "lungs": ("Lungs", "Mark the right and the left lung, diseased parts included."),
    "infection": ("Infection", "Mark ground glass and consolidation; any opacity on a film."),
    "classification": (
        "Classification",
        "Give a probability: of COVID-19 for each slice and the scan, of tuberculosis for a film.",
    ),
}


def known_models(model_dirs: Sequence[Path]) -> tuple[ModelInfo, ...]:
    """All models: those that ship and those in the user's folders."""
    from napari_covidseg.inference import registry

    return registry.available(tuple(model_dirs))


def check_folders(model_dirs: Sequence[Path]) -> None:
    """Raise a ``ModelError`` if a folder of models that the user named holds none."""
    from napari_covidseg.inference import registry

    registry.check_folders(model_dirs)


def default_model(role: str, modality: Modality | None) -> str | None:
    """Name of the model for a role, unless the user chose another."""
    from napari_covidseg.inference import registry

    return registry.defaults(modality).get(role) if modality is not None else None


class ModelRows(QWidget):
    """Tick box, model and card for lungs, infection and classification."""

    changed = Signal()
    list_wanted = Signal()
    """The user wants to see all models."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: tuple[ModelInfo, ...] = ()
        self._modality: Modality | None = None
        self._chosen: dict[tuple[str, str], str] = {}
        self._wanted = {role: role != "classification" for role in ROLES}
        self.ticks: dict[str, QCheckBox] = {}
        self.names: dict[str, QComboBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(1, 1)
        self._cards = {}
        for row, (role, (text, tooltip)) in enumerate(ROLES.items()):
            tick = QCheckBox(text)
            tick.setToolTip(tooltip)
            tick.setChecked(self._wanted[role])
            names = QComboBox()
            names.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            card = parts.button(
                "Card", f"What the {role} model was trained on, how good it is, its terms."
            )
            card.setMaximumWidth(52)
            tick.clicked.connect(lambda on, r=role: self._tick(r, on))
            names.activated.connect(lambda _, r=role: self._choose(r))
            card.clicked.connect(lambda _=False, r=role: self._show_card(r))
            for at, widget in enumerate((tick, names, card)):
                grid.addWidget(widget, row, at)
            self.ticks[role], self.names[role], self._cards[role] = tick, names, card
        self.all = parts.button(
            "All models...", "List all models and versions; install one from a folder."
        )
        self.all.clicked.connect(lambda _: self.list_wanted.emit())
        grid.addWidget(self.all, len(ROLES), 1, 1, 2, Qt.AlignmentFlag.AlignRight)

    @property
    def selected(self) -> list[str]:
        """Names of the models to run."""
        return [
            self.names[role].currentData()
            for role, tick in self.ticks.items()
            if tick.isEnabled() and tick.isChecked()
        ]

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Take over the models that there are."""
        self._models = tuple(models)
        self._show()

    def set_modality(self, modality: Modality | None) -> None:
        """Offer the models for a modality."""
        if modality != self._modality:
            self._modality = modality
            self._show()

    def want(self, *roles: str) -> None:
        """Tick these roles and no other."""
        for role in ROLES:
            self._wanted[role] = role in roles
        self._show()

    def offered(self, role: str) -> list[ModelInfo]:
        """Models for a role and the present modality; of a name its default version first."""
        return [m for m in self._models if m.role == role and m.modality == self._modality]

    def _show(self) -> None:
        for role, (_, tooltip) in ROLES.items():
            models = self.offered(role)
            tick, names = self.ticks[role], self.names[role]
            names.clear()
            for model in models:
                # The first of a name answers for it; its other versions are asked for.
                known = names.findData(model.name) >= 0
                asked = model.reference if known else model.name
                names.addItem(f"{model.name} {model.version}", asked)
            wanted = self._chosen.get((role, str(self._modality)))
            chosen = names.findData(wanted or default_model(role, self._modality))
            names.setCurrentIndex(max(chosen, 0) if models else -1)
            names.setPlaceholderText("no model for this" if self._modality else "CT or X-ray?")
            for widget in (tick, names, self._cards[role]):
                widget.setEnabled(bool(models))
            tick.setChecked(bool(models) and self._wanted[role])
            current = self._current(role)
            if current is not None:
                tooltip = f"{current.title}. {current.summary}"
            elif self._modality is not None:
                tooltip += " No model does it."
            names.setToolTip(tooltip)
        self.changed.emit()

    def _current(self, role: str) -> ModelInfo | None:
        asked = self.names[role].currentData()
        return next((m for m in self.offered(role) if asked in (m.name, m.reference)), None)

    def _tick(self, role: str, on: bool) -> None:
        self._wanted[role] = on
        self.changed.emit()

    def _choose(self, role: str) -> None:
        self._chosen[role, str(self._modality)] = self.names[role].currentData()
        self._show()

    def _show_card(self, role: str) -> None:
        model = self._current(role)
        if model is not None:
            card_dialog(model, self).open()


def card_dialog(model: ModelInfo, parent: QWidget) -> QDialog:
    """Window with a model's card."""
    try:
        text = model.card.read_text(encoding="utf-8")
    except OSError:
        text = f"# {model.title}\n\n{model.summary}\n\nThis model has no card."
    dialog = QDialog(parent)
    dialog.setWindowTitle(f"{model.name} {model.version}")
    layout = QVBoxLayout(dialog)
    browser = QTextBrowser()
    browser.setOpenExternalLinks(True)
    browser.setSearchPaths([str(model.folder)])  # the card's pictures lie beside it
    browser.setMarkdown(f"{text}\n\n---\n\n{RESEARCH_ONLY} Model folder: `{model.folder}`")
    browser.setToolTip("The model's card: data, figures, limits and terms.")
    layout.addWidget(browser)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    dialog.resize(800, 600)  # as wide as the pictures
    return dialog
