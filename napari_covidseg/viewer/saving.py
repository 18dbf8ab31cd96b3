"""From a corrected layer to a training case, with no widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_covidseg.annotation import cases
from napari_covidseg.labels import LabelScheme
from napari_covidseg.viewer import edits, results, settings
from napari_covidseg.viewer.geometry import LayerError, study_from_layer, study_of
from napari_covidseg.viewer.images import images


def save_training_case(
    viewer: Any,
    layer: Labels | None = None,
    *,
    folder: Path | None = None,
    annotator: str = "",
    scheme: LabelScheme | None = None,
) -> Path:
    """Save a label layer with its image, the model's first answer and provenance.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Holds the layer and its image.
    layer : napari.layers.Labels, optional
        By default the one that is selected.
    folder : Path, optional
        Folder of datasets, or one dataset; by default the one in the preferences.
    annotator : str
        Who corrected it, as that person wants to be called.
    scheme : LabelScheme, optional
        What the values mean, for a layer that is not one of our results.

    Returns
    -------
    Path
        The case's sidecar.

    Raises
    ------
    CovidsegError
        If there is no layer, image or folder to save, or saving fails.
    """
    layer = layer if layer is not None else _selected(viewer)
    count = edits.edit_count(layer)
    sidecar = prepare(viewer, layer, folder, annotator, scheme)()
    if edits.edit_count(layer) == count:
        edits.mark_saved(layer)
    return sidecar


def prepare(
    viewer: Any,
    layer: Any,
    folder: Path | None,
    annotator: str,
    scheme: LabelScheme | None,
) -> Callable[[], Path]:
    """Copy what is to be saved as it is now; the call that saves it may run on a thread.

    Raises
    ------
    CovidsegError
        As `save_training_case`.
    """
    if not isinstance(layer, Labels):
        raise LayerError("No label layer is chosen: click the corrected labels in the list.")
    scheme = scheme or results.scheme_of(layer)
    if scheme is None:
        raise LayerError(f"What the values of '{layer.name}' mean is not known: choose it.")
    folder = folder or settings.dataset_folder()
    if folder is None:
        raise LayerError("No dataset folder is chosen: choose where training cases go.")
    labels = np.array(layer.data)
    study = study_of(layer)
    image = source_image(viewer, layer) if study is None else None
    facts = {**layer.metadata.get("covidseg", {}), "annotator": annotator.strip() or None}
    prediction = layer.metadata.get("prediction")

    def save() -> Path:
        whole = study if study is not None else study_from_layer(image)
        dataset = cases.dataset_for(folder, whole, scheme)
        return cases.save_case(
            dataset, whole, labels, scheme, prediction=prediction, provenance=facts
        )

    return save


def source_image(viewer: Any, layer: Labels) -> Image:
    """Find the image of a label layer: its source, else the one of its shape.

    Of several of its shape the one that is selected with it.

    Raises
    ------
    CovidsegError
        If no image fits, or several do and it is not known which is meant.
    """
    source = results.source_of(viewer, layer)
    if source is not None:
        return source
    fitting = [x for x in images(viewer) if tuple(_shape(x)) == tuple(np.shape(layer.data))]
    selected = [x for x in fitting if x in viewer.layers.selection]
    for found in (selected, fitting):
        if len(found) == 1:
            return found[0]
    if fitting:
        raise LayerError(
            f"Several open images have the size of '{layer.name}': "
            "select the right one together with the labels."
        )
    raise LayerError(
        f"The image of '{layer.name}' is not open (no open image has its size): open it."
    )


def _selected(viewer: Any) -> Any:
    """Give the labels that are selected; with their image or alone."""
    found = [layer for layer in viewer.layers.selection if isinstance(layer, Labels)]
    return found[0] if len(found) == 1 else viewer.layers.selection.active


def _shape(image: Image) -> tuple[int, ...]:
    shape = image.data[0].shape if image.multiscale else image.data.shape
    return shape[:-1] if image.rgb else shape
