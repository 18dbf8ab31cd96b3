"""The input doctor: what is wrong is said, what is sound is left alone, fixes come back."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_covidseg import doctor, io
from napari_covidseg.doctor.fixes import FIXES
from napari_covidseg.study import CovidsegError, Modality, Note, from_array

AFFINE = np.array([[0, 0, -4.0, 0], [0, -5.0, 0, 0], [6.0, 0, 0, 0], [0, 0, 0, 1]])


@pytest.fixture
def sound(chest):
    """A chest CT in HU with its place known."""
    return from_array(chest, affine=AFFINE, modality=Modality.CT, is_hu=True)


def found(study):
    return {finding.code: finding for finding in doctor.examine(study)}


def test_a_sound_ct_has_no_warning(sound):
    assert [f for f in doctor.examine(sound) if f.severity != "info"] == []


def test_every_finding_says_what_effect_and_offers_fixes_that_exist(sound, chest):
    studies = [
        sound.replace(array=chest + 1024, is_hu=False),
        sound.replace(array=-chest, is_hu=False),
        from_array(np.zeros((64, 64), np.uint8)),
        from_array(chest[5].astype(np.float32)),
        sound.replace(notes=tuple(Note(c) for c in ("colour", "monochrome1", "position-unknown"))),
    ]
    for finding in (f for s in studies for f in doctor.examine(s)):
        assert finding.what.endswith(".") and finding.effect.endswith(".")
        assert finding.fix_code is None or (finding.fix and finding.fix_code in FIXES)


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((64, 64), np.uint8), "empty-image"),
        (np.full((4, 64, 64), -1000, np.int16), "empty-image"),
        (np.full((64, 64), np.nan, np.float32), "empty-image"),
        (np.ones((1, 1), np.uint8), "tiny-image"),
        (np.eye(20, dtype=np.uint8), "tiny-image"),
    ],
)
def test_nothing_to_see_stops_a_run(array, code):
    assert found(from_array(array))[code].severity == "stop"


def test_another_modality_stops_a_run(sound):
    study = sound.replace(modality=None, notes=(Note("other-modality", {"modality": "MR"}),))
    assert "MR" in found(study)["other-modality"].what
    assert found(study)["other-modality"].severity == "stop"
    fixed = doctor.apply_fix(study, "set-ct")
    assert fixed.modality is Modality.CT
    assert "other-modality" not in found(fixed)


def test_a_rescale_that_was_not_applied_is_seen_and_done(sound, chest):
    study = sound.replace(array=(chest + 1024).astype(np.uint16), is_hu=False)
    finding = found(study)["rescale-missing"]
    fixed = doctor.apply_fix(study, finding.fix_code)
    np.testing.assert_array_equal(fixed.array, chest)
    assert fixed.is_hu and fixed.array.dtype == np.int16
    assert "rescale-missing" not in found(fixed)
    with pytest.raises(CovidsegError, match="already"):
        doctor.apply_fix(fixed, "rescale")


def test_a_ct_picture_in_a_soft_tissue_window_is_warned_of(sound, chest):
    soft = np.clip((chest + 160) / 400 * 255, 0, 255).astype(np.uint8)
    lung = np.clip((chest + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
    soft[:, 20:44, 15:65] = 0  # lungs fill the middle
    assert found(sound.replace(array=soft, is_hu=False))["ct-picture"].severity == "warning"
    assert found(sound.replace(array=lung, is_hu=False))["ct-picture"].severity == "info"


def test_numbers_that_are_none_are_replaced_by_air(sound, chest):
    array = chest.astype(np.float32)
    array[0, 0, :3] = (np.nan, np.inf, -np.inf)
    study = sound.replace(array=array)
    finding = found(study)["nonfinite"]
    fixed = doctor.apply_fix(study, finding.fix_code)
    assert np.isfinite(fixed.array).all()
    assert fixed.array[0, 0, 0] == fixed.array[0, 0, 2] == np.nanmin(array[np.isfinite(array)])
    assert np.isnan(study.array[0, 0, 0])


def test_dark_and_bright_changed_over_is_seen_and_undone(sound):
    wrong = doctor.apply_fix(sound, "invert").replace(is_hu=False)
    assert "inverted" in found(wrong)
    assert "inverted" not in found(sound)
    np.testing.assert_array_equal(doctor.apply_fix(wrong, "invert").array, sound.array)


def test_a_patient_upside_down_is_seen(sound, chest):
    assert "upside-down" not in found(sound)
    turned = sound.replace(array=np.ascontiguousarray(chest[:, ::-1]))
    assert found(turned)["upside-down"].fix_code == "rotate-180"


def test_lungs_cut_at_an_end_are_seen(sound, chest):
    assert "lungs-cut" not in found(sound)
    assert "upper end" in found(sound.replace(array=chest[:8]))["lungs-cut"].what
    sides = sound.replace(array=np.ascontiguousarray(chest[:, :, 15:65]))
    assert "cropped" in found(sides)


@pytest.mark.parametrize("spacing", [(5000.0, 900, 900), (0.001, 0.001, 0.001), (5, 0.1, 0.1)])
def test_absurd_spacing_is_seen_and_ignored_on_wish(chest, spacing):
    study = from_array(chest, spacing=spacing, modality=Modality.CT, is_hu=True)
    fixed = doctor.apply_fix(study, found(study)["absurd-spacing"].fix_code)
    assert fixed.voxel_ml is None
    assert fixed.spacing == (1, 1, 1)


def test_spacing_of_a_slice_can_be_assumed_and_says_so(chest):
    study = from_array(chest[5], modality=Modality.CT, is_hu=True)
    fixed = doctor.apply_fix(study, found(study)["spacing-unknown"].fix_code)
    assert fixed.spacing == pytest.approx((384 / 80, 384 / 80))
    assert "assumed" in found(fixed)


@pytest.mark.parametrize(
    ("code", "turn"),
    [
        ("flip-horizontal", lambda a: a[..., ::-1]),
        ("flip-vertical", lambda a: a[..., ::-1, :]),
        ("rotate-90", lambda a: np.rot90(a, -1, (-2, -1))),
        ("rotate-180", lambda a: np.rot90(a, 2, (-2, -1))),
        ("rotate-270", lambda a: np.rot90(a, 1, (-2, -1))),
        ("flip-feet-head", lambda a: a[::-1]),
    ],
)
def test_a_mask_of_a_turned_image_goes_back_to_the_file(tmp_path, chest, code, turn):
    affine = np.diag([0.7, -0.8, 2.5, 1.0])
    affine[:3, 3] = (5, 6, 7)
    nib.save(nib.Nifti1Image(chest.T, affine), tmp_path / "a.nii")
    study = io.read(tmp_path / "a.nii")
    fixed = doctor.apply_fix(study, code)
    np.testing.assert_array_equal(fixed.array, turn(study.array))
    if code in ("rotate-90", "rotate-270"):
        assert fixed.spacing == pytest.approx((2.5, 0.7, 0.8))
    io.write_mask((fixed.array > 300).astype(np.uint8), fixed, tmp_path / "m.nii")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "m.nii").dataobj).T, chest > 300)
    assert (
        nib.load(tmp_path / "m.nii").affine.tobytes()
        == nib.load(tmp_path / "a.nii").affine.tobytes()
    )


def test_missing_slices_are_filled_between_their_neighbours(ct_folder, chest):
    kept = [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    places = np.array([[-30, -25, -100 + 2.5 * k] for k in kept])
    study = io.read(ct_folder(chest[kept], positions=places))
    finding = found(study)["missing-slices"]
    assert "2 slices are missing" in finding.what
    fixed = doctor.apply_fix(study, finding.fix_code)
    assert fixed.array.shape == chest.shape
    assert fixed.array.dtype == np.int16
    np.testing.assert_array_equal(fixed.array[kept], chest[kept])
    between = chest[2] + (chest[5].astype(float) - chest[2]) / 3
    np.testing.assert_allclose(fixed.array[3], between, atol=0.51)
    assert "missing-slices" not in found(fixed)


def test_uneven_slices_are_resampled_to_even_steps(ct_folder, chest):
    heights = np.array([0, 2, 4, 6.5, 9, 11, 13, 15, 17, 19, 21, 23.0])
    study = io.read(ct_folder(chest, positions=np.array([[0, 0, h] for h in heights])))
    fixed = doctor.apply_fix(study, found(study)["uneven-slices"].fix_code)
    assert fixed.spacing[0] == pytest.approx(2.0)
    assert len(fixed.array) == 13  # 0 to 24 mm holds the last slice
    with pytest.raises(CovidsegError, match="evenly"):
        doctor.apply_fix(fixed, "even-slices")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "turn", ["flip-horizontal", "flip-feet-head", "rotate-90", "ignore-spacing"]
)
def test_evening_slices_keeps_what_was_fixed_before(ct_folder, chest, turn, descending):
    heights = np.array([0, 2, 4, 10, 12, 14, 16, 18, 20, 22, 24, 26.0])
    heights = heights[::-1] if descending else heights
    volume = chest[::-1] if descending else chest
    study = io.read(ct_folder(volume, positions=np.array([[0, 0, h] for h in heights])))
    evened = doctor.apply_fix(study, "even-slices")
    np.testing.assert_allclose(evened.affine, evened.grid.display_affine())
    one = doctor.apply_fix(doctor.apply_fix(study, turn), "even-slices")
    other = doctor.apply_fix(evened, turn)
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine)
    assert (one.grid.axes, one.grid.flips) == (other.grid.axes, other.grid.flips)


def test_a_film_in_a_volume_file_is_looked_at_too():
    ramp = np.tile(np.linspace(200, 10, 64)[:, None], (1, 64)).astype(np.uint8)
    study = from_array(ramp[np.newaxis], modality=Modality.XR)
    assert found(study)["upside-down"].fix_code == "rotate-180"


def test_an_unknown_fix_names_those_there_are(sound):
    with pytest.raises(CovidsegError, match="rotate-90"):
        doctor.apply_fix(sound, "make-it-good")


def test_what_a_reader_noticed_is_said(sound):
    for code in (
        "duplicate-slices", "gantry-tilt", "several-series", "colour", "damaged-files",
        "volume-picked", "exif-rotation", "position-unknown", "picture-stack", "several-frames",
        "transparency", "wrong-ending", "monochrome1", "window-ignored", "spacing-at-detector",
    ):  # fmt: skip
        assert code in found(sound.replace(notes=(Note(code),)))


def test_a_label_map_or_a_photograph_is_not_taken_for_a_chest_in_silence(chest):
    labels = (chest[5] > 0).astype(np.uint8)
    ramp = np.arange(0, 128, 2, dtype=np.uint8)
    photograph = ramp[:, None] + ramp  # unlike its mirror image, across and down
    noisy = chest[5] + np.random.default_rng(0).normal(0, 60, chest[5].shape)
    lung = np.clip((noisy + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
    for picture, odd in ((labels, True), (photograph, True), (lung, False), (lung.T, False)):
        findings = found(from_array(picture, modality=Modality.CT))
        assert ("something-else" in findings) is odd
        assert not odd or findings["something-else"].severity == "warning"


def test_a_colour_photograph_is_said_to_be_one(sound):
    few, many = (found(sound.replace(notes=(Note("colour", {"share": s}),))) for s in (0.01, 0.9))
    assert "photograph" not in few["colour"].what
    assert "90.0 %" in many["colour"].what and "photograph" in many["colour"].what


def test_a_volume_of_unknown_values_is_not_taken_for_ct_in_silence(sound, chest):
    picture = np.clip((chest + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
    assert "modality-guessed" not in found(sound.replace(array=picture, is_hu=False))
    assert "modality-guessed" not in found(sound)
    magnetic = sound.replace(array=(picture.astype(np.int16) * 2), is_hu=False)
    assert found(magnetic)["modality-guessed"].severity == "warning"
