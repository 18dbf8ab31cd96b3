"""Save label layers, alone or with their image, on the grid of the file they belong to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_covidseg import io
from napari_covidseg.study import Study
from napari_covidseg.viewer import edits
from napari_covidseg.viewer.geometry import COPIED, study_from_layer

ENDINGS = (".nii.gz", ".nii", ".png")


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one label layer as .nii.gz, .nii or (2D) .png with the label values.

    Raises
    ------
    CovidsegError
        If it cannot be written; an older file is then untouched.
    """
    labels = np.asarray(data)
    io.write_mask(labels, _study(labels, attributes), path)
    edits.mark_data_saved(data)
    return [path]


def write_image_and_labels(path: str, layers: list[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Write an image under the given name and each label layer beside it.

    ``scan.nii.gz`` with a layer "lungs" gives ``scan.nii.gz`` and ``scan_lungs.nii.gz``.
    """
    target = Path(path)
    ending = next((e for e in ENDINGS if path.lower().endswith(e)), "")
    stem = target.name[: len(target.name) - len(ending)]
    written: list[str] = []
    for data, attributes, kind in layers:
        if kind == "image":
            pixels = np.asarray(data[0] if attributes.get("multiscale") else data)
            io.write_image(_study(pixels, attributes), target)
            written.append(path)
        else:
            name = f"{stem}_{_plain(attributes.get('name', 'labels'))}"
            unique, count = name, 2
            while str(target.with_name(unique + ending)) in written:
                unique, count = f"{name}_{count}", count + 1
            written += write_labels(str(target.with_name(unique + ending)), data, attributes)
    return written


def _study(pixels: np.ndarray, attributes: dict[str, Any]) -> Study:
    """Find the study that the layer belongs to, or one with the layer's own geometry."""
    study = attributes.get("metadata", {}).get("study")
    if isinstance(study, Study) and study.array.shape == pixels.shape:
        return study
    place = {key: attributes[key] for key in COPIED if key in attributes}
    rgb = bool(attributes.get("rgb", False))
    return study_from_layer(Image(pixels, rgb=rgb, name=attributes.get("name"), **place))


def _plain(name: str) -> str:
    """Make a name part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "labels"
