"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images that are not part of the project; skips where it is absent."""
    given = os.environ.get("COVIDSEG_SHARED_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set COVIDSEG_SHARED_DATA to their folder")
    return folder


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's own models out of the tests, and theirs out of his."""
    monkeypatch.setenv("COVIDSEG_MODELS", str(tmp_path / "own-models"))
    return tmp_path / "own-models"


@pytest.fixture(scope="session")
def fake_inference() -> str:
    """Name of a module that stands in for the models in the engine's child."""
    sys.path.append(str(Path(__file__).parent))  # the child gets the same path
    return "fake_inference"


@pytest.fixture
def chest() -> np.ndarray:
    """A rough chest in HU, int16 (z, y, x) in display order, with no symmetry in any axis."""
    z, y, x = np.mgrid[0:12, 0:64, 0:80].astype(np.float32)
    hu = np.full(z.shape, -1000, np.float32)
    hu[((y - 32) / 24) ** 2 + ((x - 40) / 34) ** 2 < 1] = 40
    for centre, width in ((24, 11), (56, 9)):
        lung = ((y - 30) / 15) ** 2 + ((x - centre) / width) ** 2 + ((z - 5.5) / 5) ** 2 < 1
        hu[lung] = -850
    hu[((y - 50) / 5) ** 2 + ((x - 40) / 5) ** 2 < 1] = 600
    return (hu + 3 * z + 0.2 * x).astype(np.int16)


Slices = Callable[..., Path]


@pytest.fixture
def ct_folder(tmp_path: Path) -> Slices:
    """Make a folder of DICOM CT slices; returns a function that writes one series into it."""
    folder = tmp_path / "scan"
    made = [0]

    def make(
        volume: np.ndarray,
        *,
        positions: np.ndarray | None = None,
        orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
        spacing: tuple[float, float] = (0.8, 0.7),
        step: float = 2.5,
        origin: tuple[float, float, float] = (-30.0, -25.0, -100.0),
        intercept: float = -1024,
        slope: float = 1,
        change: Callable[[Dataset, int], None] | None = None,
        into: str = "",
        **tags: Any,
    ) -> Path:
        place = folder / into
        place.mkdir(parents=True, exist_ok=True)
        series = generate_uid()
        normal = np.cross(orientation[:3], orientation[3:])
        if positions is None:
            positions = np.array([np.array(origin) + k * step * normal for k in range(len(volume))])
        order = np.random.default_rng(3).permutation(len(volume))  # file names say nothing
        for name, k in enumerate(order):
            data = dicom_image(
                ((volume[k].astype(np.float64) - intercept) / slope).round().astype(np.int16)
            )
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
            data.Modality = "CT"
            data.SeriesInstanceUID = series
            data.SeriesNumber = made[0] + 1
            data.InstanceNumber = int(k) + 1
            data.ImagePositionPatient = [float(v) for v in positions[k]]
            data.ImageOrientationPatient = [float(v) for v in orientation]
            data.PixelSpacing = list(spacing)
            data.SliceThickness = step
            data.RescaleIntercept, data.RescaleSlope = intercept, slope
            data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            for keyword, value in tags.items():
                setattr(data, keyword, value)
            if change is not None:
                change(data, int(k))
            data.save_as(place / f"IM{made[0]:02d}{name:04d}", enforce_file_format=True)
        made[0] += 1
        return folder

    return make


@pytest.fixture
def xray_file(tmp_path: Path) -> Callable[..., Path]:
    """Make a DICOM X-ray film; returns a function that writes it."""

    def make(pixels: np.ndarray, **tags: Any) -> Path:
        data = dicom_image(pixels)
        data.SOPClassUID = DigitalXRayImageStorageForPresentation
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.Modality = "DX"
        for keyword, value in tags.items():
            setattr(data, keyword, value)
        path = tmp_path / "film.dcm"
        data.save_as(path, enforce_file_format=True)
        return path

    return make


def dicom_image(pixels: np.ndarray) -> pydicom.FileDataset:
    """Make a data set of one 16-bit image of an invented patient."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = pydicom.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    data.PatientName, data.PatientID = "Secret^Person", "SECRET-4711"
    data.PatientBirthDate = "19450101"
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    return data
