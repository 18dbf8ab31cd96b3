"""Files to studies, and masks back to files.

`read` takes whatever a person has: NIfTI, a DICOM folder or file, a picture. It goes by
content, not by ending. `write_mask` puts a mask back on the grid of the file that the
study came from.
"""

from __future__ import annotations

from itertools import product
from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_covidseg.io import dicom, nifti, picture
from napari_covidseg.io.dicom_series import SeriesInfo
from napari_covidseg.io.errors import ReadError, WriteError
from napari_covidseg.io.sniff import fits_ending, kind_of, stem_of
from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import Note, Study

HALF_A_VOXEL = 0.5
"""How far a mask's voxels may lie from the image's: beyond it they are other voxels."""

__all__ = [
    "ReadError",
    "SeriesInfo",
    "WriteError",
    "list_series",
    "mask_name",
    "read",
    "read_mask",
    "write_image",
    "write_mask",
]


def read(
    path: str | PathLike[str], *, series: str | None = None, volume: int | None = None
) -> Study:
    """Read an image.

    Parameters
    ----------
    path : path-like
        A NIfTI, DICOM or picture file, or a folder of DICOM files.
    series : str, optional
        Which series of a folder (key or description, see `list_series`); by default the
        largest chest-like CT.
    volume : int, optional
        Which volume of a 4D NIfTI file, from 0.

    Returns
    -------
    Study
        Pixels in display order, geometry and meaning; what was noticed is in its notes.

    Raises
    ------
    ReadError
        If it cannot be read; the message says what is wrong and what to do.
    """
    path = Path(path)
    stem = stem_of(path)
    if not path.exists():
        raise ReadError(f"{path} does not exist: check the path.")
    index = path.name.upper() == "DICOMDIR"
    kind = "folder" if path.is_dir() or index else kind_of(path)
    if volume and kind != "nifti":
        raise ReadError(f"{path.name} is no NIfTI file and has no volume {volume}: leave that out.")
    if series is not None and kind != "folder":
        raise ReadError(f"{path.name} is no folder and has no series {series!r}: leave that out.")
    if kind == "folder":
        folder = path.parent if index else path
        return dicom.read_folder(folder, stem_of(folder), series)
    if kind == "nifti":
        study = nifti.read(path, stem, volume)
    elif kind == "dicom":
        study = dicom.read_file(path, stem)
    else:
        study = picture.read(path, stem)
    if not fits_ending(path, kind):
        study = study.replace(notes=(*study.notes, Note("wrong-ending", {"kind": kind})))
    return study


def list_series(folder: str | PathLike[str]) -> tuple[SeriesInfo, ...]:
    """List the DICOM series of a folder, nested folders included.

    Raises
    ------
    ReadError
        If there is no DICOM image in it.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ReadError(f"{path} is not a folder: give the folder that holds the series.")
    return dicom.list_series(path)


def mask_name(study: Study) -> str:
    """Name of a mask file for a study: a PNG for a picture, NIfTI for all else."""
    flat = study.source.kind == "picture" and study.ndim == 2
    return f"{study.source.stem}{'.png' if flat else '.nii.gz'}"


def write_mask(
    mask: np.ndarray,
    study: Study,
    path: str | PathLike[str],
    scheme: LabelScheme | None = None,
) -> None:
    """Write a mask on the grid of the file that a study came from.

    Parameters
    ----------
    mask : ndarray of integers, shape of ``study.array``
        Label values in display order, 0 to 255.
    study : Study
        What the mask is of.
    path : path-like
        ``.nii.gz`` or ``.nii``, or ``.png`` for a single slice.
    scheme : LabelScheme, optional
        What the values mean; others than its own are then refused.

    Raises
    ------
    WriteError
        If the mask does not fit or cannot be written; an older file is then untouched.
    """
    target = Path(path)
    if mask.shape != study.array.shape:
        raise WriteError(
            f"The mask has shape {mask.shape} and the image {study.array.shape}: "
            "make the mask on this image."
        )
    labels = _as_labels(mask, scheme)
    _write(study.grid.to_native(labels), study, target)


def write_image(study: Study, path: str | PathLike[str]) -> None:
    """Write a study's pixels: ``.nii.gz``, ``.nii``, or ``.png`` for 8 or 16 bit pictures.

    Raises
    ------
    WriteError
        If the format cannot hold it or it cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() == ".png" and study.array.dtype not in (np.uint8, np.uint16):
        raise WriteError(
            f"A PNG cannot hold {study.array.dtype} values without loss: write .nii.gz instead."
        )
    _write(study.grid.to_native(study.array), study, target)


def read_mask(path: str | PathLike[str], study: Study | None = None) -> np.ndarray:
    """Read a mask, in display order.

    Parameters
    ----------
    path : path-like
        NIfTI or a label picture.
    study : Study, optional
        The image it is said to be of: shape and affine are then compared.

    Returns
    -------
    ndarray of uint8
        Shape (z, y, x), or (y, x) for a picture.

    Raises
    ------
    ReadError
        If it cannot be read, holds no whole label values, or does not fit the study.
    """
    source = Path(path)
    if not source.exists():
        raise ReadError(f"{source} does not exist: check the path.")
    kind = kind_of(source)
    if kind == "dicom":
        raise ReadError(f"{source.name} is a DICOM file: give the mask as NIfTI or PNG.")
    if kind == "picture":
        native = picture.read_labels(source)
        if study is None:
            return _as_uint8(native, source)
        if (1, *native.shape) == study.grid.shape:
            native = native[np.newaxis]
    else:
        native, affine = nifti.read_labels(source)
        if study is None:
            study_grid = nifti.Grid.from_affine(native.shape, affine)
            return _as_uint8(study_grid.to_display(native), source)
        if native.shape == (1, *study.grid.shape):
            native = native[0]
            codes = [nib.aff2axcodes(a)[:2] for a in (affine, study.grid.affine)]
            if study.source.kind == "dicom" and codes[0] != codes[1]:
                raise ReadError(
                    f"{source.name} is turned or mirrored against the film (another affine): "
                    "give the mask that was made on this image."
                )
        elif native.shape == study.grid.shape and _strays(affine, study) > HALF_A_VOXEL:
            raise ReadError(
                f"{source.name} lies elsewhere in space than the image (another affine): "
                "give the mask that was made on this image."
            )
    if native.shape != study.grid.shape:
        raise ReadError(
            f"{source.name} has shape {native.shape} and the image {study.grid.shape}: "
            "give the mask that was made on this image."
        )
    return _as_uint8(study.grid.to_display(native), source)


def _strays(affine: np.ndarray, study: Study) -> float:
    """How far the voxels of a mask's affine lie from the study's at most, in voxels."""
    ends = [(0, n - 1) for n in reversed(study.grid.shape)]
    corners = np.array([(*corner, 1) for corner in product(*ends)]).T
    found = np.linalg.solve(study.grid.affine, affine @ corners)
    return float(np.nan_to_num(np.abs(found - corners), nan=np.inf).max())


def _write(native: np.ndarray, study: Study, path: Path) -> None:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        nifti.write(native, study, path)
    elif name.endswith(".png"):
        flat = native[0] if native.ndim == 3 and native.shape[0] == 1 else native
        turn = study.source.header if study.source.kind == "picture" else 1
        picture.write(flat, path, turn)
    else:
        raise WriteError(f"{path.name}: the name must end in .nii.gz, .nii or .png.")


def _as_labels(mask: np.ndarray, scheme: LabelScheme | None) -> np.ndarray:
    """Label values as uint8, refused where they do not fit."""
    if mask.dtype.kind not in "iub":
        raise WriteError(f"A mask holds whole label values, not {mask.dtype}.")
    if mask.dtype.kind != "b" and mask.size and (mask.min() < 0 or mask.max() > 255):
        raise WriteError("A mask file holds label values from 0 to 255: this one goes beyond.")
    labels = mask.astype(np.uint8, copy=False)
    if scheme is not None:
        present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
        odd = sorted(set(present.tolist()) - {0, *scheme.values})
        if odd:
            raise WriteError(
                f"The mask holds the values {odd}, which {scheme.title!r} does not know: "
                "change them, or save without a label scheme."
            )
    return labels


def _as_uint8(labels: np.ndarray, source: Path) -> np.ndarray:
    if labels.dtype.kind not in "iu" or (labels.size and (labels.min() < 0 or labels.max() > 255)):
        raise ReadError(f"{source.name} is no mask: it holds other values than labels 0 to 255.")
    return np.ascontiguousarray(labels, dtype=np.uint8)
