"""From what a run made to label layers, without harming one that was corrected by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pint
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from pint.registry import LazyRegistry
from vispy.visuals.line.dash_atlas import DashAtlas

from napari_covidseg.labels import LUNGS, SCHEMES, LabelScheme
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.viewer import edits, geometry

# napari ignores this itself, though for one thread alone; label layers are made on several.
warnings.filterwarnings("ignore", "Conversion from CIE-LAB", UserWarning)


def add_outcome(viewer: Any, source_layer: Any, study: Study, outcome: Outcome) -> list[Labels]:
    """Add a run's masks as label layers just above their image.

    The last result of the same model for the same image goes, unless it was edited by
    hand: then it stays, and the new one is added beside it.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where to.
    source_layer : napari.layers.Image
        What was segmented.
    study : Study
        The image as a study on the layer's own pixels.
    outcome : Outcome
        What the run made.

    Raises
    ------
    CovidsegError
        If the image is no longer in the viewer.
    """
    layers = [labels_layer(source_layer, study, x, outcome.device) for x in outcome.segmentations]
    for layer in layers:
        add_result(viewer, source_layer, layer)
    return layers


def add_result(viewer: Any, source_layer: Any, layer: Labels) -> None:
    """Add one layer of `labels_layer` as `add_outcome` does; napari takes a while for each.

    Raises
    ------
    CovidsegError
        If the image is no longer in the viewer.
    """
    check_open(viewer, source_layer)
    for old in results_of(viewer, source_layer, layer.metadata["covidseg"]["model"]):
        if not is_corrected(old):
            # Not `layer.data = ...`: undo would write old voxels into the new mask.
            viewer.layers.remove(old)
    viewer.add_layer(layer)
    edits.watch(layer, viewer)


def check_open(viewer: Any, source_layer: Any) -> None:
    """Raise if an image is no longer in the viewer.

    Raises
    ------
    CovidsegError
        If so.
    """
    if source_layer not in viewer.layers:
        raise CovidsegError(
            "The image was closed during the run, so its results were dropped: "
            "open it again and press Run."
        )


def check_same(viewer: Any, source_layer: Any, pixels: Any) -> None:
    """Raise if an image is not in the viewer any more as it was at the start of a run.

    Raises
    ------
    CovidsegError
        If it was closed, or does not hold `pixels`.
    """
    check_open(viewer, source_layer)
    if source_layer.data is not pixels:
        raise CovidsegError(
            "The image got other pixels during the run, so its results were dropped: "
            "press Run again."
        )


def results_of(viewer: Any, source_layer: Any, model: str | None = None) -> list[Labels]:
    """Find the label layers made for an image (by one model, or by any), oldest first."""
    mine = str(source_layer.unique_id)
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels)
        and (made := layer.metadata.get("covidseg", {})).get("source_layer") == mine
        and model in (None, made.get("model"))
    ]


def corrected_results(viewer: Any, source_layer: Any, models: list[str]) -> list[Labels]:
    """Find the results of these models that a run will not touch."""
    found = [layer for name in models for layer in results_of(viewer, source_layer, name)]
    return [layer for layer in found if is_corrected(layer)]


def to_measure(viewer: Any, source_layer: Any) -> list[tuple[Labels, LabelScheme]]:
    """Choose what to measure of an image: one lung mask and one infection mask at most.

    Of several of one kind the selected one is meant, else the one that was corrected by
    hand, else the newest.
    """
    by_kind: dict[bool, list[tuple[Labels, LabelScheme]]] = {}
    for layer in results_of(viewer, source_layer):
        scheme = scheme_of(layer)
        if scheme is not None:
            by_kind.setdefault(scheme == LUNGS, []).append((layer, scheme))

    def rank(mask: tuple[Labels, LabelScheme]) -> tuple[bool, bool]:
        return mask[0] in viewer.layers.selection, is_corrected(mask[0])

    # `max` takes the first of equals, which is to be the newest.
    return [max(reversed(masks), key=rank) for masks in by_kind.values()]


def is_corrected(layer: Labels) -> bool:
    """Whether a result was edited by hand, be the edits saved or not."""
    prediction = layer.metadata.get("prediction")
    return edits.is_edited(layer) or not np.array_equal(layer.data, prediction)


def source_of(viewer: Any, labels_layer: Labels) -> Image | None:
    """Find the image that a label layer was made for."""
    wanted = labels_layer.metadata.get("covidseg", {}).get("source_layer")
    for layer in viewer.layers:
        if isinstance(layer, Image) and str(layer.unique_id) == wanted:
            return layer
    return None


def scheme_of(layer: Labels) -> LabelScheme | None:
    """Tell what the values of a label layer mean; None for one that is not ours."""
    return SCHEMES.get(layer.metadata.get("covidseg", {}).get("scheme"))


def labels_layer(source_layer: Any, study: Study, made: Segmentation, device: str = "") -> Labels:
    """Make the layer of one mask, on the source layer's geometry; fit for any thread.

    A whole volume takes a few tenths of a second, most of it copying.
    """
    scheme = made.scheme
    return Labels(
        made.labels,
        name=f"{scheme.title} - {source_layer.name}",
        opacity=scheme.opacity,
        colormap=colormap(scheme),
        features=_names(scheme),
        metadata={
            "covidseg": {**provenance(made.model, made, device), **_origin(source_layer)},
            "study": study,
            "prediction": made.labels.copy(),
        },
        **geometry.like(source_layer, made.labels.ndim),
    )


def warm_up() -> None:
    """Have ready what napari needs for a label layer: a second of work, fit for any thread."""
    _load_units()
    # The polygon tool of a label layer has a line, whose dash patterns take vispy a tenth
    # of a second or more to draw, once.
    DashAtlas()
    scheme = SCHEMES["lungs"]
    Labels(np.zeros((1, 1), np.uint8), colormap=colormap(scheme), features=_names(scheme))


def _load_units() -> None:
    """Fill pint's registry of units, whole before any other thread can see it.

    pint fills its lazy registry in place; a layer that the user opens in that second
    would meet it half filled and fail ("'pixel' is not defined").
    """
    if type(pint.get_application_registry().get()) is LazyRegistry:
        whole: Any = pint.UnitRegistry(on_redefinition="raise")
        if type(pint.get_application_registry().get()) is LazyRegistry:
            pint.set_application_registry(whole)


def colormap(scheme: LabelScheme) -> DirectLabelColormap:
    """Colours of a scheme; any other value is shown in grey, so that it is seen."""
    colours: dict[int | None, str] = {0: "transparent", None: "gray"}
    colours.update(scheme.colours.items())
    return DirectLabelColormap(color_dict=colours, name=scheme.key)


def provenance(model: ModelRef, made: Segmentation, device: str) -> dict[str, Any]:
    """Tell what made a mask; names no patient and fits into JSON."""
    return {
        "scheme": made.scheme.key,
        "model": model.name,
        "version": model.version,
        "threshold": made.threshold,
        "certainty": made.certainty,
        "device": device,
    }


def _names(scheme: LabelScheme) -> dict[str, list[Any]]:
    """Name the values, for napari to show in its status line."""
    return {"index": [0, *scheme.values], "name": ["background", *scheme.names.values()]}


def _origin(source_layer: Any) -> dict[str, Any]:
    return {"source_layer": str(source_layer.unique_id)}
