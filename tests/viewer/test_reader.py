"""Files open through napari at their place, and bad ones say what is wrong."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from napari_covidseg import io
from napari_covidseg.io import SeriesInfo
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import reader, series_dialog
from napari_covidseg.viewer.geometry import study_of

PLUGIN = "napari-covidseg"
pytestmark = pytest.mark.usefixtures("plugin")

AFFINES = {
    "RAS": np.diag([0.7, 0.8, 2.5, 1.0]),
    "flipped": np.array([[-0.7, 0, 0, 90], [0, -0.8, 0, 70], [0, 0, -2.5, 300], [0, 0, 0, 1.0]]),
    "permuted": np.array([[0, 0, 0.7, -9], [-0.8, 0, 0, 70], [0, 2.5, 0, -300], [0, 0, 0, 1.0]]),
    "oblique": nib.affines.from_matvec(
        np.array([[0.8, 0, 0], [0, 0.75, -0.7], [0, 0.27, 1.9]]), (-100, -80, -300)
    ),
}


def write_nifti(path, affine, shape=(9, 8, 7), dtype=np.int16):
    values = np.random.default_rng(0).integers(-1000, 400, shape).astype(dtype)
    image = nib.Nifti1Image(values, affine.astype(np.float32))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return values


def write_series(folder, uid, count, description, rows=64):
    folder.mkdir(exist_ok=True)
    for index in range(count):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.StudyInstanceUID = uid, "1.2.3"
        data.PatientName, data.PatientID = "DOE^JANE", "4711"
        data.Modality, data.SeriesDescription, data.SeriesNumber = "CT", description, count
        data.Rows = data.Columns = rows
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.PixelSpacing, data.SliceThickness = [0.8, 0.8], 5
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-100, -90, -200 + 5 * index]
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.InstanceNumber = index + 1
        data.PixelData = np.full((rows, rows), 24 + index, np.int16).tobytes()
        data.save_as(folder / f"{count}-{index:02d}", enforce_file_format=True)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_nifti_round_trip_keeps_affine_and_shape_to_the_byte(tmp_path, affine):
    source = tmp_path / "scan.nii.gz"
    values = write_nifti(source, affine)
    viewer = ViewerModel()
    (image,) = viewer.open(source, plugin=PLUGIN)
    assert image.data.dtype == np.int16
    made = (image.data > 0).astype(np.uint8)
    labels = viewer.add_labels(made, metadata={"study": study_of(image)})
    target = tmp_path / "mask.nii.gz"
    assert labels.save(str(target), plugin=PLUGIN) == [str(target)]
    before, after = nib.load(source), nib.load(target)
    assert after.shape == before.shape
    assert after.affine.tobytes() == before.affine.tobytes()
    np.testing.assert_array_equal(np.asarray(after.dataobj), values > 0)


def test_volume_is_shown_in_millimetres_and_lung_window(tmp_path):
    write_nifti(tmp_path / "scan.nii", AFFINES["RAS"])
    (image,) = ViewerModel().open(tmp_path / "scan.nii", plugin=PLUGIN)
    assert image.name == "scan"
    np.testing.assert_allclose(image.scale, (2.5, 0.8, 0.7), rtol=1e-6)
    assert str(image.units[0]) == "millimeter"
    assert tuple(image.contrast_limits) == reader.LUNG_WINDOW


def test_dicom_folder_opens_and_names_no_patient(tmp_path):
    write_series(tmp_path / "scan", "1.2.3.4", 6, "CHEST 5MM")
    (image,) = ViewerModel().open(tmp_path / "scan", plugin=PLUGIN)
    assert image.data.shape == (6, 64, 64)
    np.testing.assert_allclose(image.scale, (5, 0.8, 0.8))
    assert image.data[0, 0, 0] == -1000
    shown = f"{image.name} {image.metadata['covidseg']}"
    assert "DOE" not in shown
    assert "4711" not in shown


def test_of_several_series_the_chest_opens_and_the_others_are_named(tmp_path, monkeypatch):
    write_series(tmp_path / "scan", "1.2.3.4", 5, "CHEST 10MM")
    write_series(tmp_path / "scan", "1.2.3.5", 8, "CHEST 5MM")
    said = []
    monkeypatch.setattr(reader, "show_info", said.append)
    (image,) = ViewerModel().open(tmp_path / "scan", plugin=PLUGIN)
    assert len(image.data) == 8
    assert "CHEST 10MM" in said[0]


def test_a_person_is_asked_which_series(tmp_path, monkeypatch):
    write_series(tmp_path / "scan", "1.2.3.4", 5, "CHEST 10MM")
    write_series(tmp_path / "scan", "1.2.3.5", 8, "CHEST 5MM")
    other = next(s.key for s in io.list_series(tmp_path / "scan") if s.count == 5)
    monkeypatch.setattr(reader, "interactive", lambda: True)
    monkeypatch.setattr(series_dialog, "ask", lambda found, proposed: other)
    (image,) = ViewerModel().open(tmp_path / "scan", plugin=PLUGIN)
    assert len(image.data) == 5
    monkeypatch.setattr(series_dialog, "ask", lambda found, proposed: None)
    assert ViewerModel().open(tmp_path / "scan", plugin=PLUGIN) == []


def test_dialog_proposes_and_returns_a_series(qtbot):
    infos = [
        SeriesInfo("1", "Scout", 1, (1, 512, 512), "CT", False),
        SeriesInfo("2", "", 60, (60, 512, 512), "CT", True),
    ]
    dialog = series_dialog.SeriesDialog(infos, "2")
    qtbot.addWidget(dialog)
    assert dialog.key == "2"
    assert "no description" in dialog.list.item(1).text()
    dialog.list.setCurrentRow(0)
    assert dialog.key == "1"


def test_reader_declines_what_is_not_ours_without_raising(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "IMG0012").write_bytes(b"\0" * 200)
    for path in ("notes", "empty", "IMG0012", "missing.nii"):
        assert reader.get_reader(str(tmp_path / path)) is None
    for odd in ([], ["a.nii", "b.nii"], "", "\0", None, 7):
        assert reader.get_reader(odd) is None


def test_dicom_without_ending_is_recognised(tmp_path):
    write_series(tmp_path / "scan", "1.2.3.4", 2, "CHEST")
    assert reader.get_reader(str(tmp_path / "scan" / "2-00")) is not None


@pytest.mark.parametrize("name", ["broken.nii.gz", "broken.nii", "broken.dcm", "broken.png"])
@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 not an image", b"\x1f\x8b\x08 cut short"])
def test_a_broken_file_says_so_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CovidsegError) as caught:
        reader.get_reader(str(path))(str(path))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.shared
def test_real_series_is_shown_feet_to_head(shared_data):
    folder = shared_data / "ct_series_dicom" / "A0001_softkernel"
    (image,) = ViewerModel().open(folder, plugin=PLUGIN)
    assert image.data.shape == (64, 512, 512)
    np.testing.assert_allclose(image.scale, (5, 0.841796875, 0.841796875))
    first = min(
        (pydicom.dcmread(f, stop_before_pixels=True) for f in folder.iterdir()),
        key=lambda d: float(d.ImagePositionPatient[2]),
    )
    assert image.translate[0] == pytest.approx(float(first.ImagePositionPatient[2]))
