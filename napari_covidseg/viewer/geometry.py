"""Between a Study and a napari layer: one place that copies geometry, so none is lost."""

from __future__ import annotations

from typing import Any

from napari_covidseg.study import CovidsegError, Modality, Study


class LayerError(CovidsegError):
    """A layer that cannot be read as one chest image."""


def layer_kwargs(study: Study) -> dict[str, Any]:
    """Arguments for ``add_image`` that put a study where it lies, in mm."""
    raise NotImplementedError


def like(layer: Any) -> dict[str, Any]:
    """Geometry of a layer as arguments for a layer on the same pixels."""
    raise NotImplementedError


def study_of(layer: Any) -> Study | None:
    """The study that a layer of ours (image or labels) shows, if it is one of ours."""
    return layer.metadata.get("study")


def study_from_layer(layer: Any, *, modality: Modality | None = None) -> Study:
    """Read an image layer as a study."""
    raise NotImplementedError
