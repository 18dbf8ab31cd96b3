"""Keep hand edits on disk while they are made, off the GUI thread."""

from __future__ import annotations

import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_warning
from qtpy.QtCore import QCoreApplication, QTimer

from napari_covidseg.annotation import recovery
from napari_covidseg.viewer.geometry import COPIED, study_of

SECONDS = 10.0
"""At most so much work is lost when a viewer is killed."""

# One thread: writes of one layer must not overtake each other.
_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="covidseg-autosave")


class Autosave:
    """Writes one layer's edits to its recovery file, some seconds after each edit.

    Parameters
    ----------
    layer : napari.layers.Labels
        Watched, not owned.
    file : Path, optional
        The recovery file to go on with; a new one by default.
    """

    def __init__(self, layer: Labels, file: Path | None = None) -> None:
        self._layer = weakref.ref(layer)
        self.file = file or recovery.new_file()
        self._last: Future[None] | None = None
        self._timer: QTimer | None = None
        if QCoreApplication.instance() is not None:
            self._timer = QTimer()
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self.write)

    def schedule(self) -> None:
        """Write soon; edits until then go into the same write."""
        if self._timer is not None and not self._timer.isActive():
            self._timer.start(int(1000 * SECONDS))

    def write(self) -> None:
        """Write the labels as they are now; only the copy is made on this thread."""
        self._stop()
        layer = self._layer()
        if layer is None:
            return
        if self._last is not None and self._last.done() and self._last.exception() is not None:
            show_warning(f"Unsaved edits could not be kept on disk: {self._last.exception()}")
        labels = np.array(layer.data)
        facts, prediction = describe(layer), layer.metadata.get("prediction")
        self._last = _writer.submit(recovery.keep, self.file, labels, prediction, facts)

    def drop(self) -> None:
        """Forget what was kept: it was saved elsewhere, or is not wanted."""
        self._stop()
        _writer.submit(recovery.discard, self.file)

    def finish(self) -> None:
        """Write now and wait until it is on disk."""
        self.write()
        if self._last is not None:
            self._last.exception()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()


def describe(layer: Labels) -> dict[str, Any]:
    """Describe what is needed to show a label layer again, fit for JSON."""
    study = study_of(layer)
    known = {key: getattr(layer, key) for key in COPIED}
    return {
        "name": layer.name,
        "made": {k: v for k, v in layer.metadata.get("covidseg", {}).items() if _plain(v)},
        "geometry": {
            "scale": np.asarray(known["scale"]).tolist(),
            "translate": np.asarray(known["translate"]).tolist(),
            "rotate": np.asarray(known["rotate"]).tolist(),
            "shear": np.asarray(known["shear"]).tolist(),
            "affine": np.asarray(known["affine"]).tolist(),
            "units": [str(unit) for unit in known["units"]],
            "axis_labels": list(known["axis_labels"]),
        },
        "image": str(study.source.path) if study is not None and study.source.path else None,
    }


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
