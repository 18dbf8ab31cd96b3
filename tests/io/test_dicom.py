"""DICOM CT: slices in order, in place, in Hounsfield units, whatever the folder looks like."""

from __future__ import annotations

import shutil

import gdcm
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from napari_covidseg import io
from napari_covidseg.study import Modality

AXIAL = (1, 0, 0, 0, 1, 0)
ORIENTATIONS = {
    "axial": AXIAL,
    "feet first": (-1, 0, 0, 0, 1, 0),
    "prone": (-1, 0, 0, 0, -1, 0),
    "on the right side": (0, 1, 0, -1, 0, 0),
    "on the left side": (0, -1, 0, 1, 0, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": (0.96, 0.28, 0, -0.28, 0.96, 0),
    "tipped": (1, 0, 0, 0, 0.8, 0.6),
}


def by_itk(folder):
    """The same series as SimpleITK reads it: values (k, j, i) and affine to RAS."""
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(files)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_series_lies_where_simpleitk_puts_it(tmp_path, ct_folder, chest, name):
    folder = ct_folder(chest, orientation=ORIENTATIONS[name])
    study = io.read(folder)
    values, affine = by_itk(folder)
    assert (study.modality, study.is_hu, study.array.dtype) == (Modality.CT, True, np.int16)
    assert nib.aff2axcodes(study.affine) == ("S", "P", "L")
    np.testing.assert_array_equal(study.grid.to_native(study.array), values)
    np.testing.assert_allclose(study.grid.affine, affine, atol=1e-6)
    assert sorted(study.spacing) == pytest.approx(sorted((2.5, 0.8, 0.7)))

    mask = (study.array > 0).astype(np.uint8)
    io.write_mask(mask, study, tmp_path / io.mask_name(study))
    written = nib.load(tmp_path / "scan.nii.gz")
    np.testing.assert_allclose(written.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(written.dataobj).T, values > 0)
    assert int(written.header["sform_code"]) == 1


def test_each_slice_has_its_own_rescale(ct_folder, chest):
    def other(data, k):
        if k % 2:
            data.RescaleIntercept = -1000
            data.PixelData = (chest[k].astype(np.int32) + 1000).astype(np.int16).tobytes()

    study = io.read(ct_folder(chest, change=other))
    np.testing.assert_array_equal(study.array, chest)


def test_a_broken_slope_gives_float32_not_float64(ct_folder, chest):
    study = io.read(ct_folder(chest, slope=0.3))
    assert study.array.dtype == np.float32
    np.testing.assert_allclose(study.array, chest, atol=0.2)


def test_padding_is_kept_as_it_is(ct_folder, chest):
    chest[:, :5] = -3024
    np.testing.assert_array_equal(io.read(ct_folder(chest)).array, chest)


def test_values_beyond_16_bit_are_kept(ct_folder, chest):
    def wide(data, k):
        data.PixelRepresentation = 0
        data.PixelData = np.full(chest[k].shape, 60000, np.uint16).tobytes() if k == 3 else (
            data.PixelData
        )  # fmt: skip

    study = io.read(ct_folder(chest, change=wide))
    assert study.array.dtype == np.int32
    assert (study.array[3] == 60000 - 1024).all()


def test_bits_beyond_those_stored_do_not_count(ct_folder, chest):
    def overlay(data, _k):
        data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, 0
        pixels = np.frombuffer(data.PixelData, np.uint16).copy()
        data.PixelData = (pixels | 0x1000).tobytes()

    folder = ct_folder(chest.clip(-1024, 3000), change=overlay)
    expected = [
        pydicom.dcmread(p).pixel_array.astype(int) - 1024
        for p in sorted(folder.iterdir(), key=lambda p: pydicom.dcmread(p).InstanceNumber)
    ]
    np.testing.assert_array_equal(io.read(folder).array, expected)


@pytest.mark.parametrize(
    "syntax",
    [
        "RLELossless",
        "JPEGLosslessProcess14_1",
        "JPEGLSLossless",
        "JPEG2000Lossless",
        "ExplicitVRBigEndian",
        "DeflatedExplicitVRLittleEndian",
    ],
)
def test_compressed_slices_are_the_same(ct_folder, chest, syntax):
    folder = ct_folder(chest)
    for path in folder.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(path))
        assert writer.Write()
    np.testing.assert_array_equal(io.read(folder).array, chest)


def test_a_missing_decoder_is_named(ct_folder, chest, monkeypatch):
    from napari_covidseg.io import dicom_pixels

    def none(_data):
        raise RuntimeError("Unable to decode: all plugins are missing dependencies")

    folder = ct_folder(chest, change=lambda d, _k: setattr(d, "BitsAllocated", 16))
    monkeypatch.setattr(dicom_pixels, "pixel_array", none)
    monkeypatch.setattr(dicom_pixels, "_read_plain", lambda _frame: None)
    with pytest.raises(io.ReadError, match="no decoder is installed"):
        io.read(folder)


def test_of_several_series_the_largest_chest_ct_is_opened(ct_folder, chest):
    ct_folder(chest[:1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesDescription="Scout")
    ct_folder(chest, into="lung/thin", SeriesDescription="CHEST 1.0")
    ct_folder(chest[:6], into="other", SeriesDescription="CHEST 5.0")
    folder = ct_folder(np.tile(chest, (2, 1, 1)), into="head", SeriesDescription="HEAD")
    series = io.list_series(folder)
    assert [(s.key, s.description, s.count) for s in series] == [
        ("1", "Scout", 1), ("2", "CHEST 1.0", 12), ("3", "CHEST 5.0", 6), ("4", "HEAD", 24)
    ]  # fmt: skip
    assert [s.chest_like for s in series] == [False, True, True, False]
    study = io.read(folder)
    np.testing.assert_array_equal(study.array, chest)
    assert study.notes[0].code == "several-series"
    assert study.notes[0].values["chosen"] == "2"
    assert io.read(folder, series="3").array.shape[0] == 6
    assert io.read(folder, series="CHEST 5.0").array.shape[0] == 6
    with pytest.raises(io.ReadError, match=r"no one series '9'.*2 = CHEST 1\.0 \(12\)"):
        io.read(folder, series="9")


def test_another_orientation_in_one_series_is_left_out(ct_folder, chest):
    def localizer(data, k):
        data.SeriesInstanceUID = "1.2.3"
        if k == 0:
            data.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    study = io.read(ct_folder(chest, change=localizer))
    np.testing.assert_array_equal(study.array, chest[1:])


def test_junk_beside_the_slices_is_passed_over(ct_folder, chest):
    folder = ct_folder(chest, into="a/b")
    (folder / "README.txt").write_text("hello")
    (folder / "report.pdf.dcm").write_bytes(b"%PDF-1.7 ...")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\x00")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    np.testing.assert_array_equal(io.read(folder).array, chest)


def test_a_cut_slice_stops_the_reading(ct_folder, chest):
    folder = ct_folder(chest)
    path = sorted(folder.iterdir())[4]
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(io.ReadError, match=f"{path.name} .*cut short"):
        io.read(folder)


def codes(study):
    return {note.code: note.values for note in study.notes}


def test_missing_slices_are_counted(ct_folder, chest):
    places = np.array(
        [[-30, -25, -100 + 2.5 * k] for k in (0, 1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 14)]
    )
    found = codes(io.read(ct_folder(chest, positions=places)))
    assert found["missing-slices"]["count"] == 3
    assert found["missing-slices"]["after"] == {2: 2, 6: 1}


def test_uneven_and_duplicate_slices_and_tilt_are_noticed(ct_folder, chest):
    uneven = np.array([[0, 0, k * 2.5 + (0.8 if k % 3 == 1 else 0)] for k in range(12)])
    assert "uneven-slices" in codes(io.read(ct_folder(chest, positions=uneven, into="u")))

    double = np.array([[0, 0, (k // 2) * 2.5] for k in range(12)])
    folder = ct_folder(chest, positions=double, into="d")
    study = io.read(folder, series="2")
    assert codes(study)["duplicate-slices"]["count"] == 6
    np.testing.assert_array_equal(study.array, chest[::2])

    tilted = np.array([[0, 0.5 * k, k * 2.5] for k in range(12)])
    study = io.read(ct_folder(chest, positions=tilted, into="t"), series="3")
    assert codes(study)["gantry-tilt"]["degrees"] == pytest.approx(11.3, abs=0.1)
    assert study.spacing[0] == pytest.approx(np.hypot(0.5, 2.5))


def test_rounded_positions_are_even(ct_folder, chest):
    places = np.array([[0, 0, round(-100 + k * 0.6666667, 2)] for k in range(12)])
    assert codes(io.read(ct_folder(chest, positions=places))) == {}


def test_a_single_slice_without_ending_keeps_its_place(tmp_path, ct_folder, chest):
    folder = ct_folder(chest)
    path = sorted(folder.iterdir())[0]
    study = io.read(path)
    assert study.array.shape == (1, 64, 80)
    assert study.source.stem == path.name
    io.write_mask(np.ones(study.array.shape, np.uint8), study, tmp_path / "m.nii.gz")
    itk = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    theirs = sitk.ReadImage(str(path))
    assert itk.GetSize() == theirs.GetSize()
    assert itk.GetOrigin() == pytest.approx(theirs.GetOrigin(), abs=1e-3)
    assert itk.GetSpacing() == pytest.approx((*theirs.GetSpacing()[:2], 2.5), abs=1e-6)


def test_a_file_from_before_the_preamble_is_read(ct_folder, chest):
    folder = ct_folder(chest)
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        bare = Dataset(data)
        bare.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(io.read(folder).array, chest)


def test_an_enhanced_multi_frame_ct_is_a_volume(tmp_path, ct_folder, chest):
    folder = ct_folder(chest)
    slices = sorted((pydicom.dcmread(p) for p in folder.iterdir()), key=lambda d: d.InstanceNumber)
    order = np.random.default_rng(1).permutation(len(slices))
    data = pydicom.dcmread(next(iter(folder.iterdir())))
    shutil.rmtree(folder)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
                    "RescaleSlope", "RescaleIntercept", "SliceThickness"):  # fmt: skip
        delattr(data, keyword)

    def group(**tags):
        item = Dataset()
        for keyword, value in tags.items():
            setattr(item, keyword, value)
        return Sequence([item])

    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.8, 0.7], SliceThickness=2.5)
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=list(AXIAL))
    for k in order:
        frame = Dataset()
        frame.PlanePositionSequence = group(ImagePositionPatient=slices[k].ImagePositionPatient)
        frame.PixelValueTransformationSequence = group(
            RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU"
        )
        frames.append(frame)
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    data.NumberOfFrames = len(order)
    data.PixelData = b"".join(slices[k].PixelData for k in order)
    data.save_as(tmp_path / "enhanced")
    study = io.read(tmp_path / "enhanced")
    np.testing.assert_array_equal(study.array, chest)
    assert study.is_hu
    assert study.spacing == pytest.approx((2.5, 0.8, 0.7))


def test_a_missing_rescale_is_noticed(ct_folder, chest):
    def bare(data, _k):
        del data.RescaleSlope, data.RescaleIntercept

    study = io.read(ct_folder(chest, change=bare))
    assert not study.is_hu
    assert "rescale-missing" in codes(study)


def test_another_modality_is_said(ct_folder, chest):
    study = io.read(ct_folder(chest + 1100, Modality="MR", intercept=0))
    assert study.modality is None
    assert codes(study)["other-modality"]["modality"] == "MR"


def test_nobody_is_named(tmp_path, ct_folder, chest):
    study = io.read(ct_folder(chest, SeriesDescription="CHEST"))
    assert "ecret" not in repr(study) and "SECRET" not in repr(study)
    assert study.source.header is None
    assert study.pseudonym.startswith("case-")
    io.write_image(study, tmp_path / "image.nii")
    blob = (tmp_path / "image.nii").read_bytes()
    assert b"Secret" not in blob and b"4711" not in blob


def test_scanners_small_sins_are_no_news(ct_folder, chest, recwarn, capfd):
    def odd(data, _k):
        data.add_new(0x00080060, "CS", "CT")
        data.PatientAge = "59 years"  # not a valid age string

    folder = ct_folder(chest, change=odd)
    recwarn.clear()
    capfd.readouterr()
    io.read(folder)
    assert not list(recwarn)
    assert capfd.readouterr() == ("", "")


def test_a_gap_in_a_tilted_scan_does_not_change_its_slope(ct_folder, chest):
    kept = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    places = np.array([[0, 0.5 * k, 2.5 * k] for k in kept])
    study = io.read(ct_folder(chest, positions=places))
    np.testing.assert_allclose(study.grid.affine[:3, 2], (0, -0.5, 2.5), atol=1e-6)
    assert {"missing-slices", "gantry-tilt"} == set(codes(study))


def test_slices_shifted_sideways_are_noticed(ct_folder, chest):
    places = np.array([[0, 6.0 * (k > 5), 2.5 * k] for k in range(12)])
    assert codes(io.read(ct_folder(chest, positions=places)))["shifted-slices"]["mm"] > 2


@pytest.mark.parametrize("spacing", [(0, 0), (-0.8, -0.8)])
def test_pixel_spacing_that_cannot_be_is_not_used(ct_folder, chest, spacing):
    study = io.read(ct_folder(chest, spacing=spacing))
    assert not study.spacing_known
    np.testing.assert_array_equal(study.array, chest)


@pytest.mark.parametrize("name", ["axial", "prone", "sagittal", "coronal"])
def test_without_a_pixel_spacing_slices_lie_where_they_say(ct_folder, chest, name):
    def change(data, k):
        del data.PixelSpacing
        data.InstanceNumber = 100 - k  # numbered from the other end

    whole = io.read(ct_folder(chest, orientation=ORIENTATIONS[name], spacing=(1, 1)))
    shutil.rmtree(whole.source.path)
    study = io.read(ct_folder(chest, orientation=ORIENTATIONS[name], change=change))
    assert (study.spacing_known, study.orientation_known) == (False, True)
    np.testing.assert_array_equal(study.array, whole.array)
    np.testing.assert_allclose(study.grid.affine, whole.grid.affine)


def test_an_orientation_that_is_none_is_not_believed(ct_folder, chest):
    study = io.read(ct_folder(chest, ImageOrientationPatient=[0] * 6))
    assert "position-unknown" in codes(study)
    assert not study.orientation_known


@pytest.mark.parametrize("lost", [0, 4, 11])
def test_a_slice_that_does_not_say_where_it_lies_is_left_out(ct_folder, chest, lost):
    def change(data, k):
        if k == lost:
            del data.ImagePositionPatient

    study = io.read(ct_folder(chest, change=change))
    assert study.orientation_known and "several-series" in codes(study)
    np.testing.assert_array_equal(study.array, np.delete(chest, lost, axis=0))


def test_a_slice_cut_short_in_its_header_is_counted(ct_folder, chest):
    folder = ct_folder(chest)
    last = max(folder.iterdir(), key=lambda p: pydicom.dcmread(p).InstanceNumber)
    last.write_bytes(last.read_bytes()[:700])
    assert codes(io.read(folder))["damaged-files"]["count"] == 1
    with pytest.raises(io.ReadError, match="cut short or damaged"):
        io.read(last)


def test_rounding_does_not_part_a_series(ct_folder, chest):
    def jitter(data, k):
        cosine = 0.995 + 1e-5 * (-1) ** k  # rounds up in one slice, down in the next
        sine = (1 - cosine**2) ** 0.5
        data.ImageOrientationPatient = [cosine, sine, 0, -sine, cosine, 0]

    folder = ct_folder(chest, change=jitter)
    assert [s.count for s in io.list_series(folder)] == [12]
    assert codes(io.read(folder)) == {}
