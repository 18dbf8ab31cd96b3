"""NIfTI files: studies and masks, geometry kept to the last bit."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import IO, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError

from napari_covidseg import values
from napari_covidseg.io.atomic import atomic
from napari_covidseg.io.errors import ReadError, WriteError
from napari_covidseg.io.pixels import rescale, to_grey
from napari_covidseg.study import Grid, Modality, Note, Source, Study, pseudonym

_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Code of a unit of length to mm; unknown codes count as mm."""

_QUIET = logging.getLogger("napari_covidseg.nifti")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

# Free text that scanners and converters fill with what they like, names included.
_FREE_TEXT = ("descrip", "aux_file", "intent_name", "data_type", "db_name")


def read(path: Path, stem: str, volume: int | None = None) -> Study:
    """Read a NIfTI-1 or NIfTI-2 file, packed or not, whatever its ending.

    Parameters
    ----------
    path : Path
        The file.
    stem : str
        Name for what is made of it.
    volume : int, optional
        Which volume of a 4D file, from 0.

    Returns
    -------
    Study
        Always three axes: a 2D file is one slice, and is written back as 2D. Of a negative
        voxel size the amount is taken; one that is zero or no number counts as unknown where
        no sform says more.

    Raises
    ------
    ReadError
        If the file is damaged, or has several volumes and none was chosen.
    CovidsegError
        If the affine cannot place voxels.
    """
    header, lengths, raw, picked = _load(path, volume)
    notes = [Note("negative-spacing")] if (lengths < 0).any() else []
    if picked is not None:
        notes.append(Note("volume-picked", {"volume": picked[0], "count": picked[1]}))
    if raw.dtype.names:  # RGB24 or RGBA32: one field a channel
        grey, coloured = to_grey(np.stack([raw[c] for c in "RGB"], axis=-1).reshape(-1, 1, 3))
        raw = grey.reshape(raw.shape)
        if coloured:
            notes.append(Note("colour", {"share": coloured}))
    native = rescale(raw, *_scaling(path, header))
    affine = _affine(path, header)
    grid = Grid.from_affine(native.shape, affine)
    factor = _MM.get(int(header["xyzt_units"]) & 7, 1.0)
    array = np.ascontiguousarray(grid.to_display(native))
    placed = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    # A converter that knows nothing writes an identity affine and calls it aligned.
    known = placed and not np.array_equal(affine[:3, :3], np.eye(3))
    sized = bool(header["sform_code"] > 0 or (np.isfinite(lengths) & (lengths != 0)).all())
    is_hu = values.looks_like_hu(array)
    return Study(
        array=array,
        affine=np.diag([factor, factor, factor, 1.0]) @ grid.display_affine(),
        grid=grid,
        modality=Modality.CT if is_hu else values.guess_modality(array, is_hu),
        is_hu=is_hu,
        spacing_known=sized and (known or not np.allclose(header["pixdim"][1:4], 1.0)),
        orientation_known=known,
        pseudonym=pseudonym(stem),
        source=Source("nifti", stem, path, header),
        notes=tuple(notes),
    )


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a label map in its native order.

    Returns
    -------
    labels : ndarray, shape (k, j, i)
        Values as stored, smallest exact type.
    affine : ndarray, shape (4, 4)
        Native (i, j, k, 1) to RAS+ in mm.

    Raises
    ------
    ReadError
        If the file is damaged, in colour, or has several volumes.
    """
    header, _, raw, picked = _load(path, 0)
    if picked is not None:
        raise ReadError(f"{path.name} holds {picked[1]} volumes: a mask is one volume, save it so.")
    if raw.dtype.names:
        raise ReadError(f"{path.name} is in colour: a mask needs one value per label.")
    return rescale(raw, *_scaling(path, header)), _affine(path, header)


def write(native: np.ndarray, study: Study, path: Path) -> None:
    """Write an array on a study's native grid, with the geometry of the study's file.

    Both matrices, their codes and the units of a NIfTI source are kept as they were read;
    free text, extensions and display range are not, since they belong to the image.

    Parameters
    ----------
    native : ndarray, shape (k, j, i) or (j, i)
        What to write; its type is kept.
    study : Study
        Where the geometry comes from.
    path : Path
        A name that ends in ``.nii`` or ``.nii.gz``.

    Raises
    ------
    WriteError
        If it cannot be written; what stood there before is untouched.
    """
    data = (native if native.ndim == 3 else native[np.newaxis]).T
    header = study.source.header
    if isinstance(header, nib.Nifti1Header):
        image = _on_header(data, header)
    else:
        image = nib.Nifti1Image(data, study.grid.affine)
        image.header.set_xyzt_units("mm")
        image.set_sform(study.grid.affine, code=1)
        # a quaternion cannot hold the shear of a tilted gantry
        rigid = np.allclose(image.get_qform(), study.grid.affine, atol=1e-3)
        image.set_qform(study.grid.affine if rigid else None, code=1 if rigid else 0)
    try:
        blob = image.to_bytes()
    except (HeaderDataError, ValueError) as error:
        raise WriteError(f"Could not write {path.name}: {error}.") from error
    with atomic(path) as temporary:
        if path.name.endswith(".gz"):
            # no name and no time in the packed file: the same mask gives the same bytes
            with temporary.open("wb") as raw:
                packed = gzip.GzipFile(
                    filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0
                )
                with packed:
                    packed.write(blob)
        else:
            temporary.write_bytes(blob)


def _load(
    path: Path, volume: int | None
) -> tuple[nib.Nifti1Header, np.ndarray, np.ndarray, tuple[int, int] | None]:
    """Read a file.

    Returns
    -------
    header, lengths
        See `_header`.
    raw : ndarray, shape (k, j, i)
        Stored values.
    picked : tuple of int, or None
        For 4D, which volume it is, of how many.
    """
    try:
        with _open(path) as stream:
            header, lengths = _header(stream)
            if header["magic"].item() == b"ni1" and path.name.lower().endswith(".hdr"):
                raise ReadError(
                    f"{path.name} is a header whose voxels lie in another file: "
                    "save both as one .nii.gz."
                )
            shape = header.get_data_shape()
            if len(shape) < 2 or 0 in shape:
                raise ReadError(f"{path.name} holds no voxels: its header says shape {shape}.")
            count = int(np.prod(shape[3:], dtype=np.int64))
            chosen = _choose(path.name, count, volume)
            shape3 = (*shape[:3], 1)[:3] if len(shape) < 3 else shape[:3]
            dtype = header.get_data_dtype()
            if dtype.kind == "c":
                raise ReadError(f"{path.name} holds complex numbers: save their magnitude first.")
            proxy = ArrayProxy(
                stream, ((*shape3, count), dtype, header.get_data_offset()), mmap=False
            )
            raw = np.asarray(proxy[..., chosen]).T
            while stream.read(1 << 20):  # a packed file is checked by the sum at its end
                pass
    except ReadError:
        raise
    except Exception as error:  # a damaged file raises anything
        raise ReadError(
            f"{path.name} is not a whole NIfTI file (cut short or damaged): "
            "copy or export it again."
        ) from error
    return header, lengths, raw, (chosen, count) if count > 1 else None


def _choose(name: str, count: int, volume: int | None) -> int:
    """Which volume of a 4D file to take."""
    if volume is None:
        if count == 1:
            return 0
        raise ReadError(
            f"{name} holds {count} volumes: say which one by volume=0 to volume={count - 1} "
            "(--volume on the command line)."
        )
    if not 0 <= volume < count:
        raise ReadError(
            f"{name} has no volume {volume}: it holds {count}, numbered 0 to {count - 1}."
        )
    return volume


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _header(stream: IO[bytes]) -> tuple[nib.Nifti1Header, np.ndarray]:
    """Give the header with voxel sizes made positive, as other readers do, and as they were."""
    size = stream.read(4)
    stream.seek(0)
    two = size in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
    header = (nib.Nifti2Header if two else nib.Nifti1Header).from_fileobj(stream, check=False)
    count = min(3, int(header["dim"][0]))
    lengths = np.array(header["pixdim"][1 : 1 + count])
    header["pixdim"][1 : 1 + count][~np.isfinite(lengths)] = 1.0
    header.check_fix(logger=_QUIET)  # repairs what can be, without talking to the terminal
    return header, lengths


def _affine(path: Path, header: nib.Nifti1Header) -> np.ndarray:
    try:
        return header.get_best_affine()
    except ValueError as error:
        raise ReadError(
            f"{path.name} has a rotation in its header (quatern_b, _c, _d) that is none: "
            "repair the header, or export the image again."
        ) from error


def _scaling(path: Path, header: nib.Nifti1Header) -> tuple[float, float]:
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise ReadError(
            f"{path.name} has a scaling in its header (scl_inter) that is no number: "
            "repair the header, or export the image again."
        ) from error
    return (1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def _on_header(data: np.ndarray, header: nib.Nifti1Header) -> nib.Nifti1Image:
    """Put an array (i, j, k) on a copy of a header, with the header's own number of axes."""
    header = header.copy()
    header.extensions = type(header.extensions)()  # DICOM headers and comments travel in these
    header.set_data_offset(0)
    shape = header.get_data_shape()
    if data.size == np.prod(shape, dtype=np.int64):
        data = data.reshape(shape)  # 2D stays 2D, a trailing axis of one stays
    header.set_data_dtype(data.dtype)
    header.set_slope_inter(None, None)
    header["cal_min"] = header["cal_max"] = 0
    for name in _FREE_TEXT:
        if name in header:
            header[name] = b""
    two = isinstance(header, nib.Nifti2Header)
    kind = nib.Nifti2Image if two else nib.Nifti1Image
    return kind(data, header.get_best_affine(), header)
