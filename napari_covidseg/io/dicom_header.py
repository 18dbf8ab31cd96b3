"""What is kept of a DICOM header: geometry and scaling, nothing that names a person."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag

from napari_covidseg.io.dicom_elements import (
    Header,
    elements,
    first_item,
    integer,
    numbers,
    text,
)

logging.getLogger("pydicom").addHandler(logging.NullHandler())

# Reading these alone is several times faster than reading a whole header.
_TAGS = {
    keyword: Tag(keyword)
    for keyword in (
        "SOPClassUID",
        "ImageType",
        "Modality",
        "SeriesDescription",
        "BodyPartExamined",
        "SliceThickness",
        "SpacingBetweenSlices",
        "ImagerPixelSpacing",
        "NominalScannedPixelSpacing",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SeriesNumber",
        "AcquisitionNumber",
        "InstanceNumber",
        "PatientOrientation",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "PixelSpacing",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
    )
}

# Modalities that may carry pixels but are no image of a patient.
_DERIVED = {"SEG", "SR", "KO", "PR", "RTSTRUCT", "RTDOSE", "RTPLAN", "REG", "DOC"}

_XRAY = {"CR", "DX", "RG", "PX", "RF", "XA", "IO"}


@dataclass(frozen=True)
class PlainPixels:
    """Uncompressed pixels, which can be read with no more parsing.

    Attributes
    ----------
    offset : int
        Of the first frame in the file, in bytes.
    dtype : str
        NumPy type of a stored value.
    low, high : int
        Range of a stored value; bits beyond it belong to something else (overlays).
    """

    offset: int
    dtype: str
    low: int
    high: int


@dataclass(frozen=True)
class Frame:
    """One slice of a DICOM file, without its pixels.

    Attributes
    ----------
    path : Path
        The file.
    index : int
        Frame in the file, from 0.
    frames : int
        Frames in the file.
    group : str
        Alias of the examination; empty where the header names none.
    series : str
        SeriesInstanceUID; in memory only.
    series_number, acquisition, instance : int
        The scanner's own counts, 0 where absent.
    description : str
        SeriesDescription.
    body_part, modality : str
        As in the header, upper case.
    image_type : tuple of str
        Such as ORIGINAL, PRIMARY, AXIAL.
    shape : tuple of int
        (rows, columns).
    position : tuple of float or None
        Centre of the first voxel, LPS mm.
    orientation : tuple of float or None
        Direction cosines of a row, then of a column, LPS.
    spacing : tuple of float or None
        mm between rows, between columns.
    spacing_at_detector : bool
        The spacing is that of the detector, not of the patient (X-ray).
    thickness : float or None
        mm between slices as far as the header says.
    slope, intercept : float or None
        Rescale to output units; None where absent.
    rescale_type : str
        HU, US, ... ; empty where absent.
    photometric : str
        MONOCHROME1, MONOCHROME2, RGB, ...
    patient_orientation : tuple of str
        Letters along a row and a column (X-ray), empty where absent.
    plain : PlainPixels or None
        Where the pixels lie in the file, if they lie there as they are.
    """

    path: Path
    index: int
    frames: int
    group: str
    series: str
    series_number: int
    acquisition: int
    instance: int
    description: str
    body_part: str
    modality: str
    image_type: tuple[str, ...]
    shape: tuple[int, int]
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    spacing_at_detector: bool
    thickness: float | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    photometric: str
    patient_orientation: tuple[str, ...]
    plain: PlainPixels | None

    @property
    def is_xray(self) -> bool:
        """Whether it is a projection film."""
        return self.modality in _XRAY

    @property
    def is_localizer(self) -> bool:
        """Whether it is a scout view, on which slices are planned."""
        return "LOCALIZER" in self.image_type


def frames_of(path: Path) -> list[Frame]:
    """Read the headers of all frames of a file.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    list of Frame
        Empty where the file is DICOM but holds no image of a patient (a report, a
        segmentation, a directory).

    Raises
    ------
    OSError, ValueError, InvalidDicomError, ...
        Whatever pydicom raises on a damaged file; also where an image's header is cut short.
    """
    with path.open("rb") as stream:
        data = read_dataset(stream, stop_before_pixels=True, specific_tags=list(_TAGS.values()))
        end = stream.tell()  # where the pixels begin
        tail = stream.read(12)
    shape = (integer(data, "Rows"), integer(data, "Columns"))
    if text(data, "Modality").upper() in _DERIVED:
        return []
    if 0 in shape:
        if "Image Storage" in pydicom.uid.UID(text(data, "SOPClassUID")).name:
            raise ValueError("an image without rows and columns: its header is cut short")
        return []
    count = max(1, integer(data, "NumberOfFrames"))
    shared = first_item(data, "SharedFunctionalGroupsSequence")
    single = data.get("PerFrameFunctionalGroupsSequence") or []
    base = _common(data, path, count) | {"plain": _plain(data, end, tail, count)}
    return [
        Frame(
            index=index,
            **base,
            **_placed(data, shared, single[index] if index < len(single) else {}),
        )
        for index in range(count)
    ]


@contextmanager
def quietly() -> Iterator[None]:
    """Keep pydicom's remarks from the user: scanners break the standard in small ways.

    To be entered once around a whole reading, not in its threads, since the filter of
    warnings belongs to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_dataset(stream: IO[bytes], **options: Any) -> Dataset:
    """Read an open DICOM file, also one from before the file format had a preamble."""
    try:
        return pydicom.dcmread(stream, **options)
    except InvalidDicomError:
        stream.seek(0)
        data = pydicom.dcmread(stream, force=True, **options)
        if "TransferSyntaxUID" not in data.file_meta:
            data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        return data


def _plain(data: Dataset, offset: int, tail: bytes, count: int) -> PlainPixels | None:
    """Find pixels that can be read as they lie; None for all but the plainest kind."""
    syntax = data.file_meta.get("TransferSyntaxUID")
    bits = integer(data, "BitsStored")
    if (
        syntax not in (pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian)
        or integer(data, "BitsAllocated") != 16
        or integer(data, "SamplesPerPixel") not in (0, 1)
        or not 1 <= bits <= 16
        or integer(data, "HighBit") != bits - 1
        or len(tail) < 12
    ):
        return None
    if syntax.is_implicit_VR:
        tag, length, start = tail[:4], tail[4:8], offset + 8
    else:
        tag, length, start = tail[:4], tail[8:12], offset + 12
    size = integer(data, "Rows") * integer(data, "Columns") * count * 2
    if tag != b"\xe0\x7f\x10\x00" or int.from_bytes(length, "little") < size:
        return None
    signed = integer(data, "PixelRepresentation") == 1
    low = -(1 << bits - 1) if signed else 0
    return PlainPixels(start, "<i2" if signed else "<u2", low, low + (1 << bits) - 1)


def _common(data: Dataset, path: Path, count: int) -> dict[str, Any]:
    """Fields that all frames of a file share."""
    return {
        "path": path,
        "frames": count,
        "group": _alias(text(data, "StudyInstanceUID")),
        "series": text(data, "SeriesInstanceUID"),
        "series_number": integer(data, "SeriesNumber"),
        "acquisition": integer(data, "AcquisitionNumber"),
        "instance": integer(data, "InstanceNumber"),
        "description": text(data, "SeriesDescription"),
        "body_part": text(data, "BodyPartExamined").upper(),
        "modality": text(data, "Modality").upper(),
        "image_type": tuple(str(v).upper() for v in elements(data, "ImageType")),
        "shape": (integer(data, "Rows"), integer(data, "Columns")),
        "photometric": text(data, "PhotometricInterpretation").upper(),
        "patient_orientation": tuple(str(v).upper() for v in elements(data, "PatientOrientation")),
    }


def _alias(study: str) -> str:
    """Name an examination by a digest of its identifier, the same on every machine.

    Never of a patient's name or number: those are few enough for all to be tried, till one has
    the digest. A device makes this identifier, long and from nothing that is the patient's.
    """
    return hashlib.sha256(study.encode()).hexdigest()[:16] if study else ""


def _placed(data: Header, shared: Header, single: Header) -> dict[str, Any]:
    """Geometry and scaling of one frame: its own groups, else the shared, else the file's."""

    def find(group: str, keyword: str, count: int) -> tuple[float, ...] | None:
        for place in (single, shared):
            item = first_item(place, group)
            if keyword in item:
                return numbers(item, keyword, count)
        return numbers(data, keyword, count)

    spacing = _lengths(find("PixelMeasuresSequence", "PixelSpacing", 2))
    detector = None
    if spacing is None:
        detector = _lengths(numbers(data, "ImagerPixelSpacing", 2)) or _lengths(
            numbers(data, "NominalScannedPixelSpacing", 2)
        )
    step = find("PixelMeasuresSequence", "SpacingBetweenSlices", 1)
    thickness = find("PixelMeasuresSequence", "SliceThickness", 1)
    known = [abs(v[0]) for v in (step, thickness) if v and v[0]]
    slope = find("PixelValueTransformationSequence", "RescaleSlope", 1)
    intercept = find("PixelValueTransformationSequence", "RescaleIntercept", 1)
    scaling = next(
        (
            first_item(place, "PixelValueTransformationSequence")
            for place in (single, shared)
            if "PixelValueTransformationSequence" in place
        ),
        data,
    )
    return {
        "position": find("PlanePositionSequence", "ImagePositionPatient", 3),
        "orientation": find("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        "spacing": spacing or detector,
        "spacing_at_detector": spacing is None and detector is not None,
        "thickness": known[0] if known else None,
        "slope": slope[0] if slope else None,
        "intercept": intercept[0] if intercept else None,
        "rescale_type": text(scaling, "RescaleType").upper(),
    }


def _lengths(found: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Voxel sizes, None where one is zero or negative: nobody knows then what was meant."""
    return found if found and min(found) > 0 else None
