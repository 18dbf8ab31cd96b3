"""NIfTI: types, order, geometry, and masks that lie where the image lies."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from napari_covidseg import io
from napari_covidseg.study import CovidsegError, Modality


def turned(axcodes: str, degrees: float = 0.0, spacing=(0.7, 0.8, 2.5)) -> np.ndarray:
    """An affine whose i, j, k axes point as the letters say, turned about z by an angle."""
    ornt = nib.orientations.axcodes2ornt(axcodes)
    base = np.zeros((3, 3))
    for native, (world, sign) in enumerate(ornt):
        base[int(world), native] = sign * spacing[native]
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ base
    affine[:3, 3] = (-31.5, 12.25, -140.0)
    return affine


CASES = [
    ("LPS", 0), ("RAS", 0), ("LAS", 0), ("RPI", 0), ("PSR", 0), ("SAL", 0), ("RSA", 0), ("LIP", 0),
    ("LPS", 12), ("RAI", -20), ("ASL", 9),
]  # fmt: skip


@pytest.mark.parametrize(("axcodes", "degrees"), CASES)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_every_voxel_stays_where_it_was(tmp_path, axcodes, degrees, ending):
    data = np.random.default_rng(0).integers(-1000, 1500, (7, 9, 11)).astype(np.int16)
    affine = turned(axcodes, degrees)
    path = tmp_path / f"scan{ending}"
    nib.save(nib.Nifti1Image(data, affine), path)
    study = io.read(path)
    assert nib.aff2axcodes(study.affine) == ("S", "P", "L")
    assert study.is_oblique == bool(degrees)
    theirs = nib.load(path)
    back = np.linalg.inv(theirs.affine)
    for place in [(0, 0, 0), (1, 2, 3), tuple(n - 1 for n in study.array.shape)]:
        ijk = np.rint(back @ study.affine @ (*place, 1))[:3].astype(int)
        assert study.array[place] == data[tuple(ijk)]

    mask = (study.array > 200).astype(np.uint8)
    out = tmp_path / f"mask{ending}"
    io.write_mask(mask, study, out)
    written = nib.load(out)
    assert written.affine.tobytes() == theirs.affine.tobytes()
    assert written.shape == theirs.shape
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(written.dataobj), data > 200)
    itk = sitk.ReadImage(str(out))
    assert itk.GetDirection() == sitk.ReadImage(str(path)).GetDirection()
    np.testing.assert_array_equal(io.read_mask(out, study), mask)


def test_both_matrices_and_their_codes_are_kept(tmp_path):
    image = nib.Nifti1Image(np.zeros((8, 9, 10), np.int16), turned("LPS"))
    image.set_sform(turned("LPS", 5), code=4)
    image.set_qform(turned("LPS", 2), code=1)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"Secret Person"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Secret Person"))
    nib.save(image, tmp_path / "scan.nii.gz")
    study = io.read(tmp_path / "scan.nii.gz")
    io.write_mask(np.ones(study.array.shape, np.uint8), study, tmp_path / "m.nii.gz")
    ours, theirs = nib.load(tmp_path / "m.nii.gz").header, nib.load(tmp_path / "scan.nii.gz").header
    for name in ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x"):
        assert ours[name] == theirs[name]
    for name in ("srow_x", "srow_y", "srow_z", "pixdim", "xyzt_units"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert b"Secret" not in gzip.decompress((tmp_path / "m.nii.gz").read_bytes())


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "dtype"),
    [
        (np.int16, 1, 0, np.int16),
        (np.uint8, 1, 0, np.uint8),
        (">i2", 1, 0, np.int16),
        (np.float64, 1, 0, np.int16),
        (np.int32, 1, 0, np.int16),
        (np.uint16, 1, -1024, np.int16),
        (np.int16, 2, -1000, np.int16),
        (np.int16, 0.37, -3.1, np.float32),
    ],
)
def test_values_are_exact_in_the_smallest_type(tmp_path, stored, slope, inter, dtype):
    data = np.arange(6 * 7 * 5).reshape(6, 7, 5).astype(stored)
    header = nib.Nifti1Header(endianness=">") if stored == ">i2" else nib.Nifti1Header()
    image = nib.Nifti1Image(data, turned("LPS"), header)
    image.header.set_data_dtype(stored)
    image.header.set_slope_inter(slope, inter)
    nib.save(image, tmp_path / "scan.nii")
    blob = bytearray((tmp_path / "scan.nii").read_bytes())
    order = ">f4" if stored == ">i2" else "<f4"
    blob[112:120] = np.array([slope, inter], order).tobytes()
    blob[352:] = data.tobytes(order="F")
    (tmp_path / "scan.nii").write_bytes(bytes(blob))
    study = io.read(tmp_path / "scan.nii")
    assert study.array.dtype == dtype
    native = study.grid.to_native(study.array).T
    np.testing.assert_allclose(native, nib.load(tmp_path / "scan.nii").get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 1, 1), (40, 50, 6, 1)])
def test_a_mask_has_the_shape_of_its_file(tmp_path, shape):
    data = np.arange(np.prod(shape)).reshape(shape).astype(np.int16)
    nib.save(nib.Nifti1Image(data, turned("RAS")), tmp_path / "scan.nii.gz")
    study = io.read(tmp_path / "scan.nii.gz")
    assert study.ndim == 3
    mask = (study.array > 100).astype(np.uint8)
    io.write_mask(mask, study, tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "m.nii.gz").dataobj), data > 100)


def test_one_of_several_volumes_must_be_named(tmp_path):
    data = np.stack([np.full((6, 7, 8), v, np.int16) for v in range(3)], axis=-1)
    nib.save(nib.Nifti1Image(data, turned("LPS")), tmp_path / "scan.nii.gz")
    with pytest.raises(io.ReadError, match=r"3 volumes.*volume=0 to volume=2"):
        io.read(tmp_path / "scan.nii.gz")
    with pytest.raises(io.ReadError, match="no volume 3"):
        io.read(tmp_path / "scan.nii.gz", volume=3)
    study = io.read(tmp_path / "scan.nii.gz", volume=2)
    assert (study.array == 2).all()
    assert [n.code for n in study.notes] == ["volume-picked"]
    io.write_mask(np.ones(study.array.shape, np.uint8), study, tmp_path / "m.nii.gz")
    assert nib.load(tmp_path / "m.nii.gz").shape == (6, 7, 8)


def test_a_picture_in_nifti_is_ct_but_not_hu(tmp_path, chest):
    grey = np.clip((chest + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
    nib.save(nib.Nifti1Image(grey.T, turned("LPS")), tmp_path / "scan.nii.gz")
    study = io.read(tmp_path / "scan.nii.gz")
    assert (study.modality, study.is_hu) == (Modality.CT, False)


def test_no_forms_means_unknown_orientation(tmp_path, chest):
    nib.save(nib.Nifti1Image(chest.T, None), tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    assert not study.orientation_known
    assert not study.spacing_known
    assert study.voxel_ml is None


def test_lengths_in_metres_become_mm(tmp_path, chest):
    affine = np.diag([1e-3, 1e-3, 1e-3, 1]) @ turned("LPS")
    image = nib.Nifti1Image(chest.T, affine)
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    assert study.spacing == pytest.approx((2.5, 0.8, 0.7))
    io.write_mask(np.ones(chest.shape, np.uint8), study, tmp_path / "m.nii")
    assert (
        nib.load(tmp_path / "m.nii").affine.tobytes()
        == nib.load(tmp_path / "scan.nii").affine.tobytes()
    )


def test_nifti_2_comes_back_as_nifti_2(tmp_path, chest):
    nib.save(nib.Nifti2Image(chest.T, turned("LPS")), tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    np.testing.assert_array_equal(study.array, chest)
    io.write_mask(np.ones(chest.shape, np.uint8), study, tmp_path / "m.nii")
    assert isinstance(nib.load(tmp_path / "m.nii"), nib.Nifti2Image)


def test_the_same_mask_gives_the_same_bytes(tmp_path, chest):
    nib.save(nib.Nifti1Image(chest.T, turned("LPS")), tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    for name in ("a.nii.gz", "b.nii.gz"):
        io.write_mask((chest > 0).astype(np.uint8), study, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("broken", ["zero", "singular", "nan"])
def test_an_affine_that_places_nothing_is_refused(tmp_path, broken):
    affine = turned("LPS")
    image = nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), affine)
    path = tmp_path / "scan.nii"
    image.set_qform(None, code=0)
    nib.save(image, path)
    blob = bytearray(path.read_bytes())
    rows = np.frombuffer(bytes(blob[280:328]), "<f4").reshape(3, 4).copy()
    if broken == "zero":
        rows[:, 2] = 0
    elif broken == "singular":
        rows[:, 1] = rows[:, 0]
    else:
        rows[0, 0] = np.nan
    blob[280:328] = rows.astype("<f4").tobytes()
    path.write_bytes(bytes(blob))
    with pytest.raises(CovidsegError, match="affine"):
        io.read(path)


@pytest.mark.parametrize("spacing", [0.0, -1.0])
def test_spacing_that_cannot_be_is_read_with_care_or_refused(tmp_path, spacing):
    """Without matrices the spacing alone places voxels; what it cannot say is not guessed."""
    nib.save(nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), None), tmp_path / "scan.nii")
    blob = bytearray((tmp_path / "scan.nii").read_bytes())
    blob[80:84] = np.array([spacing], "<f4").tobytes()
    (tmp_path / "scan.nii").write_bytes(bytes(blob))
    try:
        study = io.read(tmp_path / "scan.nii")
    except CovidsegError as error:
        assert "\n" not in str(error)
    else:
        assert all(s > 0 for s in study.spacing)
        assert not study.spacing_known


@pytest.mark.parametrize("axcodes", ["LPS", "RAS", "LAS", "RSA"])  # two of them left-handed
@pytest.mark.parametrize("codes", [(0, 0), (0, 4), (1, 0), (2, 1)])
def test_whatever_matrix_places_the_image_places_the_mask(tmp_path, axcodes, codes):
    data = np.random.default_rng(0).integers(-1000, 1500, (7, 9, 11)).astype(np.int16)
    image = nib.Nifti1Image(data, None)
    image.set_qform(turned(axcodes, 7), code=codes[0])
    image.set_sform(turned(axcodes, 7), code=codes[1])
    nib.save(image, tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    assert study.orientation_known is any(codes)
    io.write_mask((study.array > 200).astype(np.uint8), study, tmp_path / "m.nii")
    theirs, ours = nib.load(tmp_path / "scan.nii"), nib.load(tmp_path / "m.nii")
    np.testing.assert_array_equal(np.asarray(ours.dataobj), data > 200)
    assert ours.affine.tobytes() == theirs.affine.tobytes()
    for name in ("qform_code", "sform_code", "pixdim", "quatern_b", "qoffset_x", "srow_y"):
        assert ours.header[name].tobytes() == theirs.header[name].tobytes()
    by_itk = [sitk.ReadImage(str(tmp_path / name)) for name in ("scan.nii", "m.nii")]
    assert by_itk[0].GetDirection() == by_itk[1].GetDirection()
    assert by_itk[0].GetOrigin() == by_itk[1].GetOrigin()


@pytest.mark.parametrize(("written", "read"), [(-0.7, 0.7), (0.0, 1.0), (np.nan, 1.0)])
def test_odd_voxel_sizes_with_a_qform_are_taken_as_others_take_them(tmp_path, written, read):
    image = nib.Nifti1Image(np.zeros((7, 9, 11), np.int16), None)
    image.set_qform(turned("LPS"), code=1)
    nib.save(image, tmp_path / "scan.nii")
    blob = bytearray((tmp_path / "scan.nii").read_bytes())
    blob[80:84] = np.array([written], "<f4").tobytes()
    (tmp_path / "scan.nii").write_bytes(bytes(blob))
    study = io.read(tmp_path / "scan.nii")
    assert study.spacing == pytest.approx((2.5, 0.8, read))
    assert study.spacing_known is (written == -0.7)
    assert ("negative-spacing" in {n.code for n in study.notes}) is (written == -0.7)
    io.write_mask(np.zeros(study.array.shape, np.uint8), study, tmp_path / "m.nii")
    assert sitk.ReadImage(str(tmp_path / "m.nii")).GetSpacing() == pytest.approx((read, 0.8, 2.5))


def test_a_coronal_slice_comes_back_in_place(tmp_path):
    data = np.arange(40 * 36).reshape(40, 1, 36).astype(np.int16)
    nib.save(nib.Nifti1Image(data, turned("RAI")), tmp_path / "scan.nii")
    study = io.read(tmp_path / "scan.nii")
    assert study.array.shape == (36, 1, 40)
    io.write_mask((study.array > 700).astype(np.uint8), study, tmp_path / "m.nii")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "m.nii").dataobj), data > 700)
