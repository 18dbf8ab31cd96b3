"""The button "Why?": from a classification through the engine to a map over the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap, ensure_colormap
from qtpy.QtCore import QObject, Signal

from napari_covidseg.segmentation import CamMethod, Classification, Explanation
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import geometry, results
from napari_covidseg.viewer.background import EngineBridge
from napari_covidseg.viewer.check import Check, onto_pixels
from napari_covidseg.viewer.run_controls import RunControls


@dataclass(frozen=True, eq=False)
class _Done:
    """An explanation, ready for the viewer; `pixels` are those of the layer at its start."""

    layer: Any
    pixels: Any
    map_layer: Image
    model: str
    method: str
    words: str


class Explainer(QObject):
    """Asks the engine why, and shows its answer over the image.

    Progress, Cancel and errors are those of a run: the engine does one thing at a time.

    Parameters
    ----------
    viewer : ViewerModel
        Gets the map.
    bridge : EngineBridge
        Does the work.
    controls : RunControls
        Cancel and progress.
    """

    explained = Signal(str, str, str)
    """Name of a model, method of its map, and what the map shows in words."""
    ended = Signal()
    """The engine has answered; where it failed the run's own signal tells."""

    def __init__(self, viewer: Any, bridge: EngineBridge, controls: RunControls) -> None:
        super().__init__(controls)
        self._viewer, self._bridge, self._controls = viewer, bridge, controls
        bridge.explained.connect(self._finished)

    def start(
        self,
        layer: Any,
        checked: Check,
        result: Classification,
        method: str = CamMethod.GRADCAM,
    ) -> None:
        """Explain a classification of an image that was looked at; returns at once."""
        pixels = layer.data

        def after(made: Explanation) -> _Done:
            shown = onto_pixels(made.map, checked)
            text = words(made, result.finding)
            over = map_layer(layer, made, shown)
            return _Done(layer, pixels, over, made.model.name, made.method, text)

        self._controls.start()
        try:
            self._bridge.explain(checked.study, result, method, after)
        except CovidsegError as error:
            self._controls.finish(str(error))

    def _finished(self, done: _Done) -> None:
        try:
            results.check_same(self._viewer, done.layer, done.pixels)
        except CovidsegError as error:
            self._controls.finish(str(error))
        else:
            add_map(self._viewer, done.layer, done.map_layer)
            self._controls.finish(f"Explained in {self._controls.seconds:.0f} s.")
            self.explained.emit(done.model, done.method, done.words)
        self.ended.emit()


def map_layer(source_layer: Any, made: Explanation, pixels: np.ndarray) -> Image:
    """Make the layer of a map, on the source layer's geometry; fit for any thread."""
    top = 255 if pixels.dtype == np.uint8 else 1
    return Image(
        pixels,
        name=f"{CamMethod(made.method).words} - {source_layer.name}",
        colormap=evidence_colours(),
        blending="translucent_no_depth",
        opacity=0.7,
        contrast_limits=(0, top),
        metadata={
            "covidseg": {
                "explains": made.model.name,
                "version": made.model.version,
                "method": made.method,
                "source_layer": str(source_layer.unique_id),
                "mass_in_lungs": made.mass_in_lungs,
            }
        },
        **geometry.like(source_layer, pixels.ndim),
    )


def evidence_colours() -> Colormap:
    """Inferno that is the more see-through the less evidence there is.

    So the image stays as it is where there is none, and evidence shows on bright tissue,
    where colours that are merely added would be white.
    """
    colours = np.array(ensure_colormap("inferno").map(np.linspace(0, 1, 64)))
    colours[:, 3] = np.linspace(0, 1, 64)
    return Colormap(colours, name="evidence")


def add_map(viewer: Any, source_layer: Any, layer: Image) -> None:
    """Put a map just above its image, in place of an older one by the same model and method.

    What the user works on stays chosen, and masks stay above the map. A map by another
    method stays, hidden: one seen through the other would be read as neither.
    """
    mine = layer.metadata["covidseg"]
    for old in [x for x in viewer.layers if is_map(x)]:
        made = old.metadata["covidseg"]
        if any(made[fact] != mine[fact] for fact in ("explains", "source_layer")):
            continue
        if made["method"] == mine["method"]:
            viewer.layers.remove(old)
        else:
            old.visible = False
    selected = set(viewer.layers.selection)
    viewer.layers.insert(viewer.layers.index(source_layer) + 1, layer)
    viewer.layers.selection = selected


def is_map(layer: Any) -> bool:
    """Whether a layer is a map of ours, and no image to work on."""
    return "explains" in layer.metadata.get("covidseg", {})


def words(made: Explanation, finding: str) -> str:
    """Say how much of a map lies in the lungs."""
    method = CamMethod(made.method).words
    if math.isnan(made.lung_share):
        return f"{method}: no lung was found to compare the map with."
    if math.isnan(made.mass_in_lungs):
        return f"{method}: nothing that was seen speaks for {finding}."
    inside, share = round(100 * made.mass_in_lungs), round(100 * made.lung_share)
    text = (
        f"{method}: {inside}% of what speaks for {finding} lies in the lungs, "
        f"which are {share}% of what the model was shown"
    )
    if made.mass_in_lungs <= made.lung_share:
        return f"{text}: no more than if it had looked anywhere."
    return f"{text}."
