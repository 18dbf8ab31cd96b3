"""Open chest images in napari: NIfTI, DICOM (files and folders), pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info

from napari_covidseg import io
from napari_covidseg.io.sniff import ENDINGS, is_dicom, kind_of
from napari_covidseg.study import Study
from napari_covidseg.viewer import series_dialog
from napari_covidseg.viewer.geometry import layer_kwargs
from napari_covidseg.viewer.waiting import interactive, keep_drawing

LayerData = tuple[Any, dict[str, Any], str]
LUNG_WINDOW = (-1350.0, 150.0)
"""HU shown from black to white: width 1500, level -600, the usual one for lungs."""

_FILES_LOOKED_AT = 16


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Offer to open a path, or return None.

    napari asks this for every folder that is opened, so it looks at a few first bytes
    only, and never raises. A file with an ending of ours is taken even when it is
    broken: the reader then says what is wrong with it.
    """
    try:
        if not isinstance(path, str | os.PathLike):
            paths = list(path)
            return get_reader(paths[0]) if len(paths) == 1 else None
        target = Path(path)
        if target.is_dir():
            return read_layers if _holds_dicom(target) else None
        if not target.is_file():
            return None
        name = target.name.lower()
        if name.endswith(tuple(e for endings in ENDINGS.values() for e in endings)):
            return read_layers
        kind_of(target)
    except Exception:
        return None
    return read_layers


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Read an image as layer data.

    Raises
    ------
    CovidsegError
        If it cannot be read; the message says what is wrong and what to do.
    """
    target = Path(path if isinstance(path, str | os.PathLike) else path[0])
    series = _choose_series(target) if target.is_dir() else None
    if series == "":
        return [(None,)]  # type: ignore[list-item]  # napari: read, nothing to show
    study = keep_drawing(lambda: io.read(target, series=series), f"Reading {target.name}")
    return [image_layer(study)]


def image_layer(study: Study, name: str | None = None) -> LayerData:
    """Layer data of a study's pixels, shown in the lung window where values are HU."""
    kwargs = layer_kwargs(study) | {"name": name or study.source.stem, "colormap": "gray"}
    if study.is_hu:
        kwargs["contrast_limits"] = LUNG_WINDOW
    return study.array, kwargs, "image"


def _choose_series(folder: Path) -> str | None:
    """Key of the series to open, None for the usual one, "" for none at all."""
    found = keep_drawing(lambda: io.list_series(folder), f"Looking into {folder.name}")
    if len(found) < 2:
        return None
    proposed = _proposed(found)
    if interactive():
        return series_dialog.ask(found, proposed.key) or ""
    others = "; ".join(series_dialog.title_of(s) for s in found if s is not proposed)
    show_info(f"Opened series {series_dialog.title_of(proposed)}. Also there: {others}.")
    return proposed.key


def _proposed(found: Sequence[io.SeriesInfo]) -> io.SeriesInfo:
    return max(found, key=lambda s: (s.chest_like, s.count))


def _holds_dicom(folder: Path, depth: int = 2) -> bool:
    """Whether one of the first files in a folder, or in its first folders, is DICOM."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, 4 * _FILES_LOOKED_AT):
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.is_file() and not entry.name.startswith("."):
                with open(entry.path, "rb") as stream:
                    if is_dicom(stream.read(132)):
                        return True
    return depth > 0 and any(_holds_dicom(f, depth - 1) for f in folders[:4])
