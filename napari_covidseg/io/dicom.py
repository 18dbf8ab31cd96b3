"""DICOM folders and files: which images they hold, and studies made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_covidseg import values
from napari_covidseg.io import dicom_pixels, dicom_xray
from napari_covidseg.io.dicom_header import Frame, frames_of, quietly
from napari_covidseg.io.dicom_series import SeriesInfo, describe, order, preferred, split
from napari_covidseg.io.errors import ReadError
from napari_covidseg.io.sniff import is_dicom
from napari_covidseg.study import Grid, Modality, Note, Source, Study, pseudonym


@quietly()
def read_folder(folder: Path, stem: str, series: str | None = None) -> Study:
    """Read one series of a folder, nested folders included.

    Parameters
    ----------
    folder : Path
        Where to look. Files that are not DICOM are passed over.
    stem : str
        Name for what is made of it.
    series : str, optional
        Key or description of a series, as `list_series` gives them; by default the
        largest chest-like CT.

    Raises
    ------
    ReadError
        If there is no image, no such series, or a slice is damaged.
    """
    frames, damaged = _scan(folder)
    groups = split(frames)
    chosen = preferred(groups) if series is None else _find(groups, series, folder)
    notes = []
    if len(groups) > 1:
        info = describe(groups)
        others = tuple(f"{s.key}: {s.description or s.modality} ({s.count})" for s in info)
        notes.append(Note("several-series", {"chosen": info[chosen].key, "series": others}))
    if damaged:
        notes.append(Note("damaged-files", {"count": damaged}))
    return _study(groups[chosen], folder, stem, notes)


@quietly()
def read_file(path: Path, stem: str) -> Study:
    """Read the images of one file.

    Raises
    ------
    ReadError
        If the file is damaged or holds no image.
    """
    try:
        groups = split(frames_of(path))
    except Exception as error:  # a damaged file raises anything
        raise ReadError(f"{path.name} is cut short or damaged: copy or export it again.") from error
    if not groups:
        raise ReadError(
            f"{path.name} is DICOM but holds no image (a report, a segmentation or an index): "
            "give the folder with the images."
        )
    return _study(groups[preferred(groups)], path, stem, [])


@quietly()
def list_series(folder: Path) -> tuple[SeriesInfo, ...]:
    """List the volumes and pictures that a folder holds, nested folders included.

    Raises
    ------
    ReadError
        If there is no DICOM image in it.
    """
    return describe(split(_scan(folder)[0]))


def holds_dicom(folder: Path) -> bool:
    """Whether one of the first files of a folder is DICOM; cheap, and never raises."""
    try:
        for count, path in enumerate(_files(folder)):
            if _is_dicom_file(path):
                return True
            if count >= 20:
                break
    except OSError:
        pass
    return False


def _scan(folder: Path) -> tuple[list[Frame], int]:
    """Headers of all images in a folder, and the number of damaged files."""
    frames: list[Frame] = []
    damaged = files = 0
    for path in _files(folder):
        files += 1
        if not _is_dicom_file(path):
            continue
        try:
            frames += frames_of(path)
        except Exception:  # a damaged file raises anything; the others may make a volume
            damaged += 1
    if not frames:
        what = f"{damaged} damaged DICOM files" if damaged else f"{files} files, none DICOM"
        raise ReadError(
            f"The folder {folder.name} holds no DICOM image ({what}): "
            "give the folder of a series, or a single image file."
        )
    return frames, damaged


def _files(folder: Path) -> Iterator[Path]:
    """Walk a folder in a steady order, hidden files and indices left out."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(root, name)


def _is_dicom_file(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as stream:
            return is_dicom(stream.read(132))
    except OSError:
        return False


def _find(groups: list[list[Frame]], series: str, folder: Path) -> int:
    info = describe(groups)
    matches = [i for i, s in enumerate(info) if s.key == str(series)] or [
        i for i, s in enumerate(info) if s.description == series
    ]
    if len(matches) == 1:
        return matches[0]
    offered = "; ".join(f"{s.key} = {s.description or s.modality} ({s.count})" for s in info)
    raise ReadError(f"The folder {folder.name} has no one series {series!r}. It has: {offered}.")


def _study(frames: list[Frame], path: Path, stem: str, notes: list[Note]) -> Study:
    first = frames[0]
    if first.is_xray:
        return dicom_xray.study(first, path, stem, notes)
    frames, affine, found, sized, placed = order(frames)
    notes = notes + found
    native = dicom_pixels.stack(frames)
    if first.photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        notes.append(Note("colour"))
    grid = Grid.from_affine(native.shape, affine)
    array = np.ascontiguousarray(grid.to_display(native))
    rescaled = first.slope is not None and first.intercept is not None
    is_hu = _is_hu(first, array, rescaled)
    if not is_hu and (not rescaled or values.looks_like_stored_ct(array)):
        notes.append(Note("rescale-missing", {"rescaled": rescaled}))
    modality: Modality | None
    if first.modality == "CT" or is_hu:
        modality = Modality.CT
    elif first.modality in ("", "OT", "SC"):
        modality = values.guess_modality(array, is_hu)
    else:
        modality = None
        notes.append(Note("other-modality", {"modality": first.modality}))
    return Study(
        array=array,
        affine=grid.display_affine(),
        grid=grid,
        modality=modality,
        is_hu=is_hu,
        spacing_known=sized,
        orientation_known=placed,
        pseudonym=pseudonym(first.series or stem),
        source=Source("dicom", stem, path, group=first.group),
        notes=tuple(notes),
    )


def _is_hu(frame: Frame, array: np.ndarray, rescaled: bool) -> bool:
    """Whether rescaled values are HU: the pixels look so, or a CT's header says so."""
    if frame.rescale_type not in ("", "HU", "US"):
        return False
    if values.looks_like_hu(array):
        return True
    said = frame.modality == "CT" and rescaled and bool(frame.intercept)
    return said and not values.looks_like_stored_ct(array)
