"""Real files: read as other readers read them, the right way up."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from napari_covidseg import doctor, io, values
from napari_covidseg.study import Modality

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("name", ["A0001_softkernel", "ricord1a_jpeg_lossless"])
def test_a_series_is_as_simpleitk_reads_it(shared_data, name):
    folder = shared_data / "ct_series_dicom" / name
    study = io.read(folder)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(files)
    np.testing.assert_array_equal(study.grid.to_native(study.array), sitk.GetArrayFromImage(image))
    assert study.spacing == pytest.approx(image.GetSpacing()[::-1], abs=1e-4)
    assert study.grid.affine[:2, 3] == pytest.approx([-v for v in image.GetOrigin()[:2]])
    assert (study.array.dtype, study.is_hu, study.modality) == (np.int16, True, Modality.CT)
    assert values.spine_offset(study.array) > 0  # spine at the bottom
    assert study.source.stem == name


def test_the_liver_lies_at_the_left_and_the_head_at_the_top(shared_data):
    study = io.read(shared_data / "ct_series_dicom" / "A0001_softkernel")
    tissue = (study.array > -100).mean(axis=1)  # (z, x)
    feet, head = tissue[:12], tissue[-12:]
    assert feet.mean() > head.mean()  # belly below, neck and shoulders above
    half = study.array.shape[2] // 2
    liver = ((study.array[3:12] > 40) & (study.array[3:12] < 140)).sum(axis=(0, 1))
    assert liver[:half].sum() > liver[half:].sum()


def test_of_both_series_the_larger_is_opened(shared_data):
    study = io.read(shared_data / "ct_series_dicom")
    assert study.array.shape == (64, 512, 512)
    assert study.notes[0].code == "several-series"


def test_single_slices_are_in_hu(shared_data):
    for path in sorted((shared_data / "ct_slices_dicom").iterdir()):
        study = io.read(path)
        assert (study.modality, study.is_hu, study.array.shape[0]) == (Modality.CT, True, 1)
        assert not [f for f in doctor.examine(study) if f.severity == "stop"]


@pytest.mark.parametrize(
    "pattern", ["ct_lungs_volumes/*_ct.nii.gz", "ct_covid_volumes/*_ct8.nii.gz",
                "ct_crops_nifti/*.nii.gz", "ct_lungs_kmader/ID_000*_ct.nii.gz"]
)  # fmt: skip
def test_a_volume_comes_back_with_its_affine_and_shape(shared_data, tmp_path, pattern):
    files = sorted(shared_data.glob(pattern))
    assert files
    for path in files[:3]:
        study, theirs = io.read(path), nib.load(path)
        native = study.grid.to_native(study.array).T
        np.testing.assert_allclose(native, theirs.get_fdata(dtype=np.float32), rtol=1e-6)
        assert study.modality is Modality.CT
        assert study.is_hu == ("ct8" not in path.name)
        io.write_mask(np.zeros(study.array.shape, np.uint8), study, tmp_path / "m.nii.gz")
        written = nib.load(tmp_path / "m.nii.gz")
        assert written.affine.tobytes() == theirs.affine.tobytes()
        assert written.shape == theirs.shape


def test_the_lung_mask_of_a_volume_lies_on_air(shared_data):
    path = shared_data / "ct_lungs_volumes" / "id001_ct.nii.gz"
    study = io.read(path)
    mask = io.read_mask(path.with_name("id001_lungmask.nii.gz"), study)
    assert np.median(study.array[mask > 0]) < -600
