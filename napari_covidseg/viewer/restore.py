"""Give back the edits of a viewer that was killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QMessageBox

from napari_covidseg import io
from napari_covidseg.annotation import recovery
from napari_covidseg.annotation.recovery import Unsaved
from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import edits, results
from napari_covidseg.viewer.geometry import like, study_of
from napari_covidseg.viewer.reader import image_layer
from napari_covidseg.viewer.waiting import keep_drawing

_offered: set[Path] = set()


def offer(viewer: Any) -> QMessageBox | None:
    """Ask whether edits that a killed viewer left are to be opened again.

    Does not block: the question lies over the window, and work goes on when it is
    answered. It is asked once a session.

    Returns
    -------
    QMessageBox or None
        The open question; None where nothing was left.
    """
    found = [unsaved for unsaved in recovery.find() if unsaved.file not in _offered]
    if not found:
        return None
    _offered.update(unsaved.file for unsaved in found)
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Unsaved edits")
    box.setText("Edits were left unsaved when a viewer last closed. Open them again?")
    box.setInformativeText("\n".join(_line(unsaved) for unsaved in found))
    restore_them = box.addButton("Open edits", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Discard edits", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton("Ask next time", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(restore_them)

    def answered() -> None:
        box.deleteLater()
        if box.clickedButton() is restore_them:
            restore_all(viewer, found)
        elif box.clickedButton() is discard:
            for unsaved in found:
                recovery.discard(unsaved.file)

    box.finished.connect(lambda _: answered())
    box.open()
    return box


def restore_all(viewer: Any, found: Sequence[Unsaved]) -> list[Labels]:
    """Open unsaved edits; one that cannot be opened is said and left for another time."""
    layers = []
    for unsaved in found:
        try:
            layers.append(restore(viewer, unsaved))
        except CovidsegError as error:
            show_error(f"{unsaved.facts.get('name', 'Edits')}: {error}")
    return layers


def restore(viewer: Any, unsaved: Unsaved) -> Labels:
    """Add unsaved edits to a viewer as a label layer, with its image where that is there.

    Raises
    ------
    CovidsegError
        If the edits cannot be read.
    """
    labels, prediction = recovery.load(unsaved)
    facts = unsaved.facts
    image = _image(viewer, facts.get("image"), labels.shape)
    made = dict(facts["made"])
    metadata: dict[str, Any] = {"covidseg": made, "prediction": prediction}
    kwargs = facts["geometry"]
    if image is not None:
        made["source_layer"] = str(image.unique_id)
        metadata["study"] = study_of(image)
        kwargs = like(image)
    elif facts.get("image"):
        show_info("The image of the unsaved edits is no longer there: the mask opens alone.")
    scheme = SCHEMES.get(made.get("scheme", ""))
    if scheme is not None:
        kwargs = {**kwargs, "colormap": results.colormap(scheme), "opacity": scheme.opacity}
    layer = Labels(labels, name=facts["name"], metadata=metadata, **kwargs)
    viewer.add_layer(layer)
    edits.watch(layer, viewer, file=unsaved.file)
    edits.mark_edited(layer)
    edits.keep_now(viewer)  # the file is ours from now on
    return layer


def _image(viewer: Any, path: str | None, shape: tuple[int, ...]) -> Image | None:
    """Find or open the image that a mask belongs to."""
    if path is None:
        return None
    for layer in viewer.layers:
        study = study_of(layer) if isinstance(layer, Image) else None
        if study is not None and str(study.source.path) == path and study.array.shape == shape:
            return layer
    try:
        study = keep_drawing(lambda: io.read(path), "Reading the image of unsaved edits")
    except CovidsegError:
        return None
    if study.array.shape != shape:
        return None
    data, kwargs, _ = image_layer(study)
    return viewer.add_image(data, **kwargs)


def _line(unsaved: Unsaved) -> str:
    return f"{unsaved.facts.get('name', 'labels')}, {unsaved.saved.astimezone():%d %b %H:%M}"
