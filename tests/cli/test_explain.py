"""covidseg explain: what is written where, on which grid, and what is said of it."""

import json

import nibabel as nib
import numpy as np
from PIL import Image


def test_a_picture_gives_an_overlay_and_a_16_bit_map(covidseg, picture, tmp_path):
    image = picture("slice.png", (64, 48))
    code, out, err = covidseg("explain", image, "--out", tmp_path / "o")
    assert code == 0
    said = json.loads(out)
    assert said["overlay"] == str(tmp_path / "o" / "slice_gradcam.png")
    overlay = np.asarray(Image.open(said["overlay"]))
    assert (overlay.shape, overlay.dtype) == ((64, 48, 3), np.uint8)
    grey = np.asarray(Image.open(image)).astype(float)
    grey = (grey - grey.min()) / (grey.max() - grey.min()) * 255
    assert np.abs(overlay[10:] - grey[10:, :, None]).max() <= 1  # untouched where there is none
    red, blue = overlay[2:5, 3:9, 0].mean(), overlay[2:5, 3:9, 2].mean()
    assert red > 150 and red > blue
    values = np.asarray(Image.open(tmp_path / "o" / "slice_gradcam_map.png"))
    expected = np.zeros((64, 48), np.uint16)
    expected[2:5, 3:9] = 65535
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, expected)
    assert (said["method"], said["mass_in_lungs"], said["lung_share"]) == ("gradcam", 0.5, 0.25)
    assert said["shortcut"] == {
        "shown": 0.7,
        "lungs_blanked": 0.65,
        "lungs_only": 0.2,
        "from_lungs": False,
    }
    assert "Made up." in err


def test_a_volume_gives_a_float_map_on_its_own_grid(covidseg, nifti, tmp_path):
    scan = nifti()
    code, out, _ = covidseg("explain", scan, "--method", "hirescam", "--out", tmp_path / "o")
    assert code == 0
    said = json.loads(out)
    made, image = nib.load(said["map"]), nib.load(scan)
    assert said["map"].endswith("scan_hirescam_map.nii.gz")
    assert made.get_data_dtype() == np.float32
    assert made.shape == image.shape
    np.testing.assert_array_equal(made.affine, image.affine)
    values = made.get_fdata()
    assert (values.min(), values.max()) == (0, 1)
    # rows 2 to 4 from the front and columns 3 to 8 from the patient's right, as displayed
    assert np.unique(np.argwhere(values > 0)[:, 0]).size == 6
    assert len(said["mass_in_lungs_by_slice"]) == image.shape[2]
    assert (said["slices_positive"], said["slices_total"]) == (0, image.shape[2])
    assert np.asarray(Image.open(said["overlay"])).shape == (*image.shape[1::-1], 3)


def test_bad_input_is_said_and_the_rest_goes_on(covidseg, picture, tmp_path):
    image, missing = picture(), tmp_path / "nowhere.png"
    code, out, err = covidseg("explain", missing, image, "--out", tmp_path / "o")
    assert code == 2
    assert len(out.splitlines()) == 1
    assert "nowhere.png" in err and "1 of 2 images failed" in err
    code, _, err = covidseg("explain", image, "--model", "ct-lungs", "--out", tmp_path / "o")
    assert code == 2 and "ct-lungs is no classification model" in err
    code, _, err = covidseg("explain", image, "--method", "lime", "--out", tmp_path / "o")
    assert code == 2 and "lime" in err
    code, _, err = covidseg("explain", image, "--out", image)
    assert code == 2 and "name a folder" in err


def test_no_map_overwrites_an_image_or_another_map(covidseg, picture, tmp_path):
    first, second = picture("a/slice.png"), picture("b/slice.png")
    code, out, err = covidseg("explain", first, second, "--out", tmp_path / "o")
    assert code == 2 and len(out.splitlines()) == 1
    assert "would overwrite that of" in err
    named = picture("o2/slice_gradcam.png")
    before = named.read_bytes()
    code, _, err = covidseg("explain", picture("o2/slice.png"), named, "--out", tmp_path / "o2")
    assert code == 2 and "would overwrite the image" in err
    assert named.read_bytes() == before


def test_classify_tells_the_shortcut_test(covidseg, picture):
    code, out, err = covidseg("classify", picture())
    assert code == 0
    assert json.loads(out)["shortcut"]["from_lungs"] is False
    assert "Made up." in err


def test_pixels_that_are_no_numbers_do_not_blacken_the_overlay(covidseg, tmp_path, recwarn):
    values = np.random.default_rng(0).random((48, 64, 1)).astype(np.float32)
    values[0, 0], values[1, 0], values[2, 0] = np.nan, np.inf, -np.inf
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1])), tmp_path / "a.nii")
    code, out, _ = covidseg("explain", tmp_path / "a.nii", "--modality", "ct", "--out", tmp_path)
    assert code == 0
    grey = np.asarray(Image.open(json.loads(out)["overlay"]))[10:]
    assert grey.std() > 50
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]
