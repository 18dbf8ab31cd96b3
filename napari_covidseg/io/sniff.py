"""What a file is, by its content; and what it is called without its ending."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from napari_covidseg.io.errors import ReadError

ENDINGS = {
    "nifti": (".nii.gz", ".nii"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "picture": (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".gif"),
}
"""Kind of file to the endings it goes by."""

_PICTURES = (
    b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8",
    b"\0\0\0\x0cjP",
)  # fmt: skip

_FOREIGN = {
    b"%PDF": "a PDF document: export the image itself as DICOM, NIfTI or PNG",
    b"PK\x03\x04": "a zip archive: unpack it and give what is inside",
    b"Rar!": "a RAR archive: unpack it and give what is inside",
    b"7z\xbc\xaf": "a 7z archive: unpack it and give what is inside",
    b"<!DO": "a web page: the download did not give the image",
    b"<htm": "a web page: the download did not give the image",
    b"NRRD": "an NRRD file: save it as NIfTI first",
    b"\x89HDF": "an HDF5 file: save the image as NIfTI first",
    b"vers": "a pointer to a large file: fetch the file itself (git lfs pull)",
}


def kind_of(path: Path) -> str:
    """Tell what a file is from its first bytes.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    str
        ``"nifti"``, ``"dicom"`` or ``"picture"``.

    Raises
    ------
    ReadError
        If it is no file, empty, cannot be opened or is none of these.
    """
    if not path.is_file():
        raise ReadError(f"{path.name} is no file but a folder, a pipe or a device: give a file.")
    try:
        with path.open("rb") as stream:
            head = stream.read(352)
    except OSError as error:
        raise ReadError(f"{path.name} cannot be opened: {error.strerror}.") from error
    if not head:
        raise ReadError(f"{path.name} is empty (0 bytes): copy or export it again.")
    kind = _kind(head)
    if kind is None and head[:2] == b"\x1f\x8b":
        return _packed(path)
    if kind is not None:
        return kind
    for magic, words in _FOREIGN.items():
        if head.startswith(magic):
            raise ReadError(f"{path.name} is {words}.")
    raise ReadError(
        f"{path.name} is not an image that can be read here, or it is damaged: "
        "give NIfTI, DICOM, PNG, JPEG or TIFF."
    )


def is_dicom(head: bytes) -> bool:
    """Whether the first bytes (132 or more) are those of a DICOM file.

    Old files begin with a data element straight away: an identifying group (0002 or 0008)
    and an element of it that stands at the start.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8:
        return False
    group, element = struct.unpack("<HH", head[:4])
    return (group, element) in {(2, 0), (2, 1), (8, 0), (8, 1), (8, 5), (8, 8), (8, 0x16)}


def stem_of(path: Path) -> str:
    """Name of a file without a known ending, or of a folder.

    Only known endings are cut: DICOM files are often named by numbers with dots.
    """
    name = path.name or path.resolve().name or "image"
    if path.is_dir():
        return name
    lower = name.lower()
    for ending in (e for endings in ENDINGS.values() for e in endings):
        if lower.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def fits_ending(path: Path, kind: str) -> bool:
    """Whether a file's ending is one that this kind goes by, or says nothing."""
    lower = path.name.lower()
    named = [k for k, endings in ENDINGS.items() if lower.endswith(endings)]
    return not named or kind in named


def _kind(head: bytes) -> str | None:
    if head[128:132] == b"DICM":  # before the rest: a preamble may hold a TIFF header
        return "dicom"
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return "nifti"
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    return "dicom" if is_dicom(head) else None


def _packed(path: Path) -> str:
    try:
        with gzip.open(path) as stream:
            kind = _kind(stream.read(352))
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(f"{path.name} is cut short or damaged: copy or export it again.") from error
    if kind != "nifti":
        raise ReadError(f"{path.name} is packed but not NIfTI: unpack it first.")
    return kind
