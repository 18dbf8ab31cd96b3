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
        By default the active layer.
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
    layer = layer if layer is not None else viewer.layers.selection.active
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
    image = source_image(viewer, layer)
    study = study_of(layer)
    if image is None and study is None:
        raise LayerError(
            f"The image of '{layer.name}' is not open: open it, and select it with the labels."
        )
    facts = {**layer.metadata.get("covidseg", {}), "annotator": annotator.strip() or None}
    prediction = layer.metadata.get("prediction")

    def save() -> Path:
        whole = study if study is not None else study_from_layer(image)
        dataset = cases.dataset_for(folder, whole, scheme)
        return cases.save_case(
            dataset, whole, labels, scheme, prediction=prediction, provenance=facts
        )

    return save


def source_image(viewer: Any, layer: Labels) -> Image | None:
    """Find the image of a label layer: its source, else the only one of its shape."""
    source = results.source_of(viewer, layer)
    if source is not None:
        return source
    fitting = [
        other
        for other in viewer.layers
        if isinstance(other, Image) and tuple(_shape(other)) == tuple(np.shape(layer.data))
    ]
    return fitting[0] if len(fitting) == 1 else None


def _shape(image: Image) -> tuple[int, ...]:
    shape = image.data[0].shape if image.multiscale else image.data.shape
    return shape[:-1] if image.rgb else shape
