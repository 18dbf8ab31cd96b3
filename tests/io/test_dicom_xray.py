"""DICOM X-ray: bright bone, head up, the patient's right at the left, and back again."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from napari_covidseg import io
from napari_covidseg.study import Modality


@pytest.fixture
def film() -> np.ndarray:
    """A film with a bright spot at its upper left: rows 10-20, columns 5-15 of 60 x 50."""
    pixels = np.random.default_rng(0).integers(800, 1200, (60, 50)).astype(np.uint16)
    pixels[10:20, 5:15] = 3500
    return pixels


def test_a_plain_film_is_kept_as_it_is(xray_file, film):
    study = io.read(xray_file(film, PixelSpacing=[0.2, 0.3]))
    np.testing.assert_array_equal(study.array, film)
    assert study.array.dtype == np.uint16
    assert (study.modality, study.is_hu) == (Modality.XR, False)
    assert study.spacing == pytest.approx((0.2, 0.3))
    assert study.spacing_known


def test_monochrome1_is_inverted(xray_file, film):
    study = io.read(xray_file(3600 - film, PhotometricInterpretation="MONOCHROME1"))
    assert study.array[10:20, 5:15].mean() > 2 * study.array[30:].mean()
    assert "monochrome1" in [n.code for n in study.notes]


def test_the_display_window_is_applied(xray_file, film):
    study = io.read(xray_file(film, WindowCenter=1500, WindowWidth=2000))
    inside = film < 2400
    shown = study.array.astype(float)
    assert np.corrcoef(shown[inside], film[inside])[0, 1] > 0.999
    assert shown[10:20, 5:15].min() == shown.max()


@pytest.mark.parametrize(("centre", "width"), [(60000, 10), (1000, 0), (-500, 1)])
def test_an_insane_window_is_ignored(xray_file, film, centre, width):
    study = io.read(xray_file(film, WindowCenter=centre, WindowWidth=width))
    np.testing.assert_array_equal(study.array, film)
    assert "window-ignored" in [n.code for n in study.notes]


def test_a_display_table_is_applied(xray_file, film):
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.LUTData = (np.arange(4096) * 16).astype(np.uint16).tobytes()
    item["LUTData"].VR = "OW"
    study = io.read(xray_file(film, VOILUTSequence=Sequence([item]), BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(study.array, film * 16)


def test_spacing_of_the_detector_is_told_from_the_patients(xray_file, film):
    study = io.read(xray_file(film, ImagerPixelSpacing=[0.14, 0.14]))
    assert study.spacing == pytest.approx((0.14, 0.14))
    assert "spacing-at-detector" in [n.code for n in study.notes]
    study = io.read(xray_file(film))
    assert not study.spacing_known


@pytest.mark.parametrize(
    ("letters", "shown"),
    [
        ("L\\F", lambda a: a),
        ("R\\F", lambda a: a[:, ::-1]),
        ("L\\H", lambda a: a[::-1]),
        ("F\\L", lambda a: a.T),
        ("HR\\R", lambda a: a.T[::-1, ::-1]),
    ],
)
def test_a_mirrored_film_is_put_right_and_its_mask_put_back(
    tmp_path, xray_file, film, letters, shown
):
    path = xray_file(film, PatientOrientation=letters.split("\\"), PixelSpacing=[0.2, 0.3])
    study = io.read(path)
    assert study.orientation_known
    np.testing.assert_array_equal(study.array, shown(film))
    assert study.spacing == pytest.approx((0.2, 0.3) if letters[0] in "LR" else (0.3, 0.2))
    io.write_mask((study.array > 3000).astype(np.uint8), study, tmp_path / "m.nii.gz")
    mask = nib.load(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj)[..., 0].T, film > 3000)


def test_a_mask_of_a_film_has_the_geometry_simpleitk_sees(tmp_path, xray_file, film):
    path = xray_file(film, PixelSpacing=[0.2, 0.3], ImagerPixelSpacing=[0.2, 0.3])
    study = io.read(path)
    assert io.mask_name(study) == "film.nii.gz"
    io.write_mask(np.ones(film.shape, np.uint8), study, tmp_path / "m.nii.gz")
    ours, theirs = sitk.ReadImage(str(tmp_path / "m.nii.gz")), sitk.ReadImage(str(path))
    assert ours.GetSize() == theirs.GetSize()
    assert ours.GetSpacing() == pytest.approx(theirs.GetSpacing())
    assert ours.GetDirection() == pytest.approx(theirs.GetDirection())
    np.testing.assert_array_equal(io.read_mask(tmp_path / "m.nii.gz", study), 1)


def test_every_film_of_a_folder_can_be_opened(tmp_path, xray_file, film):
    folder = tmp_path / "films"
    folder.mkdir()
    for k in range(3):
        path = xray_file(film + k, SeriesInstanceUID="1.2.3", SeriesNumber=1, InstanceNumber=k + 1)
        path.rename(folder / f"{k}.dcm")
    assert [s.count for s in io.list_series(folder)] == [1, 1, 1]
    assert "several-series" in [n.code for n in io.read(folder).notes]
    for k in range(3):
        np.testing.assert_array_equal(io.read(folder, series=str(k + 1)).array, film + k)


def test_a_mask_of_a_film_that_was_mirrored_is_refused(tmp_path, xray_file, film):
    study = io.read(xray_file(film, PixelSpacing=[0.2, 0.3]))
    mask = (study.array > 3000).astype(np.uint8)
    io.write_mask(mask, study, tmp_path / "mask.nii")
    np.testing.assert_array_equal(io.read_mask(tmp_path / "mask.nii", study), mask)
    turned = nib.as_closest_canonical(nib.load(tmp_path / "mask.nii"))
    nib.save(turned, tmp_path / "turned.nii")
    with pytest.raises(io.ReadError, match="turned or mirrored"):
        io.read_mask(tmp_path / "turned.nii", study)
