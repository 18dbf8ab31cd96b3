"""What a network in training draws on one validation picture, as two layers of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_covidseg.labels import LabelScheme
from napari_covidseg.viewer.results import colormap

if TYPE_CHECKING:
    from napari_covidseg.training.messages import Shown

PICTURE, LABELS = "training picture", "training preview"
GAP = 0.05
"""Between the other layers and the preview, as a part of their height."""


def is_preview(layer: Any) -> bool:
    """Whether a layer shows a training: nobody wants to segment or save it."""
    return bool(layer.metadata.get("covidseg", {}).get("training_preview"))


class PreviewLayers:
    """The two layers in a viewer: made with the first epoch, given new pixels by the others.

    They lie beside all other layers. One that is removed stays away until the next
    training; one that a person renamed or drew into is theirs to keep, and a new one takes its
    place.

    Parameters
    ----------
    viewer : ViewerModel
        Gets the layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: tuple[Image, Labels] | None = None
        self._names: tuple[str, ...] = ()
        self._labels: np.ndarray | None = None

    def remove(self) -> None:
        """Take the layers out of the viewer, but for those that a person took over.

        Labels that stay keep their picture; the next preview makes new layers.
        """
        if self._layers is not None:
            picture, labels = self._taken_over()
            for layer, stays in zip(self._layers, (picture or labels, labels), strict=True):
                if layer in self._viewer.layers and not stays:
                    self._viewer.layers.remove(layer)
        self._layers = None

    def show(self, shown: Shown, scheme: LabelScheme) -> None:
        """Show the network's answer of an epoch."""
        picture, labels = shown.arrays()
        if self._layers is None or any(self._taken_over()):
            self.remove()
            self._layers = self._add(picture, labels.copy(), scheme)
            # napari numbers a name that another layer has.
            self._names = tuple(layer.name for layer in self._layers)
        else:
            for layer, data in zip(self._layers, (picture, labels.copy()), strict=True):
                if layer in self._viewer.layers:
                    layer.data = data
        self._labels = labels

    def _taken_over(self) -> tuple[bool, bool]:
        """Whether a person renamed the picture; whether they renamed or drew into the labels."""
        assert self._layers is not None and self._labels is not None
        picture, labels = (
            layer in self._viewer.layers and layer.name != name
            for layer, name in zip(self._layers, self._names, strict=True)
        )
        mask = self._layers[1]
        drawn = mask in self._viewer.layers and not np.array_equal(mask.data, self._labels)
        return picture, labels or drawn

    def _add(
        self, picture: np.ndarray, labels: np.ndarray, scheme: LabelScheme
    ) -> tuple[Image, Labels]:
        place: dict[str, Any] = {
            **_beside(self._viewer, picture.shape),
            "metadata": {"covidseg": {"training_preview": True}},
        }
        made = (
            Image(picture, name=PICTURE, colormap="gray", contrast_limits=(0, 255), **place),
            Labels(labels, name=LABELS, opacity=scheme.opacity, colormap=colormap(scheme), **place),
        )
        selected = set(self._viewer.layers.selection)
        for layer in made:
            self._viewer.add_layer(layer)
        if selected:
            # What the user works on stays chosen.
            self._viewer.layers.selection = selected
        return made


def _beside(viewer: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Place a picture to the right of all layers, as high as they are."""
    if not len(viewer.layers):
        return {}
    (top, _), (bottom, right) = viewer.layers.extent.world[:, -2:]
    # From the middle of the first pixel to that of the last, as napari counts.
    height = max(float(bottom - top), 1e-3)
    scale = height / (shape[0] - 1)
    return {
        "scale": (scale, scale),
        "translate": (float(top), float(right) + GAP * height),
        "units": viewer.layers[0].units[-2:],
    }
