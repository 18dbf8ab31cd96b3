"""Pictures: every usual kind gives the grey values it holds, and a mask of the same size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_covidseg import io
from napari_covidseg.labels import LUNGS


@pytest.fixture
def grey() -> np.ndarray:
    """8-bit picture of 40 x 60 with no symmetry."""
    y, x = np.mgrid[0:40, 0:60]
    return (2 * y + 2 * x + (x > 45) * 30).astype(np.uint8)


def codes(study):
    return [note.code for note in study.notes]


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_grey_is_grey_however_it_is_stored(tmp_path, grey, ending, mode):
    if (ending == "bmp" and mode in ("RGBA", "LA")) or (ending == "tif" and mode == "LA"):
        pytest.skip("no such file")
    image = Image.fromarray(grey)
    if mode == "P":
        image.putpalette(bytes(v for i in range(256) for v in (255 - i,) * 3))
        grey = 255 - grey
    path = tmp_path / f"a.{ending}"
    (image if mode in ("L", "P") else image.convert(mode)).save(path)
    study = io.read(path)
    np.testing.assert_array_equal(study.array, grey)
    assert study.array.dtype == np.uint8
    assert codes(study) == []
    assert (study.source.kind, study.source.stem) == ("picture", "a")
    assert not study.spacing_known and not study.orientation_known


def test_jpeg_grey_in_three_channels_is_no_colour(tmp_path, grey):
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.jpg", quality=60)
    study = io.read(tmp_path / "a.jpg")
    assert codes(study) == []
    assert np.abs(study.array.astype(int) - grey).mean() < 6


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_stay_16_bits(tmp_path, grey, ending, channels):
    deep = grey.astype(np.uint16) * 257 + 3
    stored = deep if channels == 1 else np.repeat(deep[..., None], channels, axis=2)
    if channels == 4:
        stored[..., 3] = 65535
    assert cv2.imwrite(str(tmp_path / f"a.{ending}"), stored)
    study = io.read(tmp_path / f"a.{ending}")
    assert study.array.dtype == np.uint16
    np.testing.assert_array_equal(study.array, deep)


def test_real_colour_is_noticed(tmp_path, grey):
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgb[:4, :30] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    study = io.read(tmp_path / "a.png")
    assert codes(study) == ["colour"]
    assert study.notes[0].values["share"] == pytest.approx(120 / 2400)
    assert study.array[0, 0] == 76  # luminance of red
    np.testing.assert_array_equal(study.array[4:], grey[4:])


def test_see_through_parts_are_laid_on_black(tmp_path, grey):
    rgba = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    rgba[:10, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    study = io.read(tmp_path / "a.png")
    assert codes(study) == ["transparency"]
    assert (study.array[:10] == 0).all()


def test_one_bit_and_float_pictures_are_read(tmp_path, grey):
    Image.fromarray(grey > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(io.read(tmp_path / "a.png").array, (grey > 100) * 255)
    Image.fromarray(grey.astype(np.float32) / 7).save(tmp_path / "b.tif")
    study = io.read(tmp_path / "b.tif")
    assert study.array.dtype == np.float32


def test_pages_of_one_size_are_a_stack(tmp_path, grey):
    pages = [Image.fromarray(grey + k) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    study = io.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(study.array, [grey, grey + 1, grey + 2])
    assert codes(study) == ["picture-stack"]
    assert io.mask_name(study) == "a.nii.gz"
    io.write_mask((study.array > 99).astype(np.uint8), study, tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(io.read_mask(tmp_path / "m.nii.gz", study), study.array > 99)


TURNS = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.T, 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a),
}  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_picture_is_shown_upright_and_its_mask_lies_as_the_file(tmp_path, grey, turn):
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(grey).save(tmp_path / "a.png", exif=exif)
    study = io.read(tmp_path / "a.png")
    np.testing.assert_array_equal(study.array, TURNS[turn](grey))
    assert codes(study) == (["exif-rotation"] if turn != 1 else [])
    io.write_mask((study.array > 99).astype(np.uint8), study, tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), grey > 99)
        assert mask.getexif().get(274, 1) == turn
    np.testing.assert_array_equal(io.read_mask(tmp_path / "m.png", study), study.array > 99)


def test_a_mask_is_8_bit_label_values_of_the_same_size(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "slice.v2.jpg")
    study = io.read(tmp_path / "slice.v2.jpg")
    mask = np.zeros(study.array.shape, np.uint8)
    mask[3:9, 5:30], mask[3:9, 35:50] = 1, 2
    assert io.mask_name(study) == "slice.v2.png"
    io.write_mask(mask, study, tmp_path / io.mask_name(study), LUNGS)
    with Image.open(tmp_path / "slice.v2.png") as image:
        assert (image.mode, image.size) == ("L", (60, 40))
        np.testing.assert_array_equal(np.asarray(image), mask)


def test_a_palette_mask_gives_its_values(tmp_path, grey):
    labels = (grey > 100).astype(np.uint8) * 2
    image = Image.fromarray(labels)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(io.read_mask(tmp_path / "m.png"), labels)


def test_20_000_pixels_a_side_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)  # far below: quick to make
    for size in ((20_000, 200), (200, 20_000)):
        Image.new("L", size, 7).save(tmp_path / "huge.png", compress_level=1)
        assert io.read(tmp_path / "huge.png").array.shape == size[::-1]
    assert Image.MAX_IMAGE_PIXELS == 1_000_000  # the alarm of the rest of the process still holds


def test_more_than_that_is_refused_in_words(tmp_path, monkeypatch, grey):
    from napari_covidseg.io import picture

    monkeypatch.setattr(picture, "MAX_PIXELS", 1000)
    Image.fromarray(grey).save(tmp_path / "a.png")
    with pytest.raises(io.ReadError, match=r"60 x 40 pixels.*scale it down"):
        io.read(tmp_path / "a.png")


def test_a_single_pixel_is_read(tmp_path):
    Image.new("L", (1, 1), 7).save(tmp_path / "a.png")
    assert io.read(tmp_path / "a.png").array.tolist() == [[7]]


def test_a_mask_of_another_shape_is_not_folded_into_this_one(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((60, 40), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(io.ReadError, match="shape"):
        io.read_mask(tmp_path / "m.png", io.read(tmp_path / "a.png"))


def test_a_16_bit_tiff_whose_white_is_0_is_turned_as_one_of_8_bits(tmp_path, grey):
    for name, pixels in (("8.tif", grey), ("16.tif", grey.astype(np.uint16) * 257)):
        tifffile.imwrite(tmp_path / name, pixels, photometric="miniswhite")
    np.testing.assert_array_equal(io.read(tmp_path / "8.tif").array, 255 - grey)
    np.testing.assert_array_equal(io.read(tmp_path / "16.tif").array, (255 - grey) * np.uint16(257))


def test_a_tiff_of_a_kind_that_nobody_reads_is_refused_in_words(tmp_path, grey):
    tifffile.imwrite(tmp_path / "64.tif", grey.astype(np.float64))
    planes = np.stack([grey.astype(np.uint16) * 257] * 3)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    for name, word in (("64.tif", "64-bit numbers"), ("p.tif", "plane by plane")):
        for read in (io.read, io.read_mask):
            with pytest.raises(io.ReadError, match=word):
                read(tmp_path / name)
