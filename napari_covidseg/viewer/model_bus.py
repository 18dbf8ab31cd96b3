"""Tells whoever lists models that there are others now."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal


class _Bus(QObject):
    changed = Signal()
    """A model was installed, or another version answers for its name."""


bus = _Bus()
