"""Notice hand edits of label layers, say so in the title, and do not lose them.

A layer that is watched counts as edited from the first stroke until it is saved (as a
training case or a file). Edits are kept on disk meanwhile (`autosave`), and closing the
viewer asks what to do with them.
"""

from __future__ import annotations

import weakref
from enum import StrEnum
from pathlib import Path
from typing import Any

from napari.layers import Labels
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_covidseg.viewer.autosave import Autosave
from napari_covidseg.viewer.waiting import interactive

STAR = " *"


class _Bus:
    changed = Signal(object)
    """A label layer became edited, or its edits were saved."""


bus = _Bus()


class _Watch:
    """What happened to one layer since it was saved."""

    def __init__(self, layer: Labels, viewer: Any, file: Path | None) -> None:
        self._layer = weakref.ref(layer)
        self._viewer = weakref.ref(viewer) if viewer is not None else lambda: None
        self.edited = False
        self.closing = False  # with its viewer: a layer that goes then was not deleted
        self.count = 0
        self.autosave = Autosave(layer, file)
        self._history = _history(layer)
        layer.events.paint.connect(self._touched)
        layer.events.labels_update.connect(self._touched)
        layer.events.data.connect(self._touched)
        layer.events.set_data.connect(self._maybe_undone)

    def _touched(self, event: Any = None) -> None:
        layer = self._layer()
        if layer is None:
            return
        self._history = _history(layer)
        self.count += 1
        self.closing = False  # it stayed open after all
        self.autosave.schedule()
        self.set_edited(True)

    def _maybe_undone(self, event: Any = None) -> None:
        """Notice undo and redo, which only redraw; so does moving through the slices."""
        layer = self._layer()
        if layer is not None and _history(layer) != self._history:
            self._touched()

    def set_edited(self, edited: bool) -> None:
        """Change the state and say so."""
        if edited != self.edited:
            self.edited = edited
            viewer = self._viewer()
            if viewer is not None:
                show_star(viewer)
            bus.changed.emit(self._layer())


_watches: weakref.WeakKeyDictionary[Labels, _Watch] = weakref.WeakKeyDictionary()


def watch(layer: Labels, viewer: Any = None, *, file: Path | None = None) -> None:
    """Notice from now on when a label layer is edited.

    Parameters
    ----------
    layer : napari.layers.Labels
        As a model made it, or as it was saved.
    viewer : napari.Viewer or ViewerModel, optional
        Gets the star in its title and the question on close.
    file : Path, optional
        Recovery file that already holds this layer's edits.
    """
    if layer in _watches:
        return
    _watches[layer] = _Watch(layer, viewer, file)
    if viewer is not None:
        _guard(viewer)


def is_edited(layer: Any) -> bool:
    """Whether a label layer has edits that were not saved."""
    found = _watches.get(layer)
    return found is not None and found.edited


def edit_count(layer: Any) -> int:
    """How many edits were seen: tells whether a layer changed while it was being saved."""
    found = _watches.get(layer)
    return found.count if found is not None else 0


def mark_edited(layer: Labels) -> None:
    """Take a layer as edited: its labels come from unsaved work."""
    _watches[layer].set_edited(True)


def mark_saved(layer: Any) -> None:
    """Take a layer's edits as saved, and drop what was kept of them."""
    found = _watches.get(layer)
    if found is not None:
        found.autosave.drop()
        found.set_edited(False)


def mark_data_saved(data: Any) -> None:
    """Take the edits of the layer that holds these labels as saved."""
    for layer in list(_watches):
        if layer.data is data:
            mark_saved(layer)


def edited_layers(viewer: Any) -> list[Labels]:
    """Label layers of a viewer with unsaved edits."""
    return [layer for layer in viewer.layers if isinstance(layer, Labels) and is_edited(layer)]


def keep_now(viewer: Any) -> None:
    """Put all unsaved edits on disk, and wait for it."""
    for layer in edited_layers(viewer):
        _watches[layer].autosave.finish()


def show_star(viewer: Any) -> None:
    """Put a star behind the window's title as long as there are unsaved edits."""
    title = viewer.title.removesuffix(STAR)
    viewer.title = title + STAR if edited_layers(viewer) else title


def _history(layer: Labels) -> tuple[int, int]:
    """Lengths of the undo and redo queues; napari has no event for undo."""
    return len(getattr(layer, "_undo_history", ())), len(getattr(layer, "_redo_history", ()))


def _guard(viewer: Any) -> None:
    """Look after a viewer's edits when layers are removed and when it closes; once."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is not None and window.findChild(_CloseGuard) is None:
        window.installEventFilter(_CloseGuard(viewer, window))
    viewer.layers.events.removed.connect(_removed)


def _removed(event: Any) -> None:
    """Let go of a layer's edits when the user deletes it.

    A closing viewer removes its layers too: then they are kept, to be offered again.
    """
    found = _watches.get(event.value)
    if found is None or not found.edited:
        return
    if interactive() and not found.closing:
        mark_saved(event.value)
    else:
        found.autosave.finish()


class OnClose(StrEnum):
    """What to do with unsaved edits when the viewer closes."""

    KEEP = "Close and keep edits"
    DISCARD = "Discard edits"
    STAY = "Do not close"


class _CloseGuard(QObject):
    """Asks before a window with unsaved edits closes."""

    def __init__(self, viewer: Any, window: QWidget) -> None:
        super().__init__(window)
        self._viewer = weakref.ref(viewer)

    def eventFilter(self, window: Any, event: Any) -> bool:  # noqa: N802  (Qt's name)
        """Stop the close if the user wants so."""
        viewer = self._viewer()
        if event.type() != QEvent.Type.Close or viewer is None:
            return False
        edited = edited_layers(viewer)
        if not edited:
            return False
        keep_now(viewer)
        if not interactive():
            return False  # closed by a script
        answer = ask_on_close([layer.name for layer in edited], window)
        if answer is OnClose.STAY:
            event.ignore()
            return True
        for layer in edited:
            _watches[layer].closing = True
            if answer is OnClose.DISCARD:
                mark_saved(layer)
        return False


def ask_on_close(names: list[str], parent: QWidget | None) -> OnClose:
    """Ask what to do with unsaved edits."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Unsaved edits")
    box.setText(f"Edits of {', '.join(names)} are not saved as a training case or a file.")
    box.setInformativeText("Kept edits are offered when you open the viewer again.")
    roles = QMessageBox.ButtonRole
    buttons = {
        box.addButton(OnClose.KEEP.value, roles.AcceptRole): OnClose.KEEP,
        box.addButton(OnClose.DISCARD.value, roles.DestructiveRole): OnClose.DISCARD,
        box.addButton(OnClose.STAY.value, roles.RejectRole): OnClose.STAY,
    }
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return next((answer for button, answer in buttons.items() if button is clicked), OnClose.STAY)
