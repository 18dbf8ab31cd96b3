"""Bad input gives one line that says what is wrong and what to do, and nothing half-written."""

from __future__ import annotations

import errno
import gzip
import os

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_covidseg import io
from napari_covidseg.labels import LUNGS
from napari_covidseg.study import CovidsegError, from_array


@pytest.fixture
def good(tmp_path, chest):
    """One good file of each kind, by ending."""
    nib.save(nib.Nifti1Image(chest.T, np.diag([-1, -1, 2, 1.0])), tmp_path / "a.nii")
    nib.save(nib.Nifti1Image(chest.T, np.diag([-1, -1, 2, 1.0])), tmp_path / "a.nii.gz")
    grey = np.random.default_rng(0).integers(0, 255, (90, 80)).astype(np.uint8)
    for ending in ("png", "jpg", "tif"):
        Image.fromarray(grey).save(tmp_path / f"a.{ending}")
    return tmp_path


def poke(path, offset, content):
    """Overwrite some bytes of a file."""
    blob = bytearray(path.read_bytes())
    blob[offset : offset + len(content)] = content
    path.write_bytes(bytes(blob))


def one_line(error: Exception) -> str:
    words = str(error)
    assert "\n" not in words and len(words) < 300
    assert "Traceback" not in words
    return words


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_file_cut_short_is_refused(good, ending, share):
    path = good / f"a.{ending}"
    blob = path.read_bytes()
    path.write_bytes(blob[: int(len(blob) * share)])
    with pytest.raises(io.ReadError) as error:
        io.read(path)
    assert one_line(error.value).startswith(path.name)


def test_a_damaged_middle_is_refused(good):
    for ending in ("nii.gz", "png"):
        path = good / f"a.{ending}"
        blob = bytearray(path.read_bytes())
        blob[len(blob) // 2 : len(blob) // 2 + 20] = b"\xa5" * 20
        path.write_bytes(bytes(blob))
        with pytest.raises(io.ReadError, match="damaged"):
            io.read(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n%....", "PDF"),
        (b"PK\x03\x04....", "zip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"NRRD0005\n", "NRRD"),
        (b"version https://git-lfs", "git lfs"),
        (b"just some words, no image", "not an image"),
        (gzip.compress(b"words, packed"), "packed but not NIfTI"),
        (b"\x1f\x8b\x08", "cut short"),
        (b"\0" * 128 + b"DICM", "no image|damaged"),
        (bytes(range(256)) * 8, "not an image"),
    ],
)
@pytest.mark.parametrize("name", ["scan.dcm", "scan.nii.gz", "scan.png", "scan"])
def test_what_is_no_image_is_named_whatever_its_ending(tmp_path, content, word, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(io.ReadError, match=word) as error:
        io.read(tmp_path / name)
    one_line(error.value)


@pytest.mark.parametrize(
    ("true", "false", "kind"),
    [("png", "jpg", "picture"), ("nii.gz", "nii", "nifti"), ("nii", "nii.gz", "nifti"),
     ("jpg", "dcm", "picture"), ("nii", "png", "nifti")],
)  # fmt: skip
def test_content_counts_and_not_the_ending(good, true, false, kind):
    right = io.read(good / f"a.{true}")
    (good / f"a.{true}").rename(good / f"b.{false}")
    study = io.read(good / f"b.{false}")
    np.testing.assert_array_equal(study.array, right.array)
    same_kind = true in ("png",) or (kind == "nifti" and false.startswith("nii"))
    assert [n.code for n in study.notes] == ([] if same_kind else ["wrong-ending"])


def test_a_folder_of_junk_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.dcm").write_bytes(b"%PDF")
    (tmp_path / "c.dcm").write_bytes(b"\0" * 128 + b"DICM\x02")
    with pytest.raises(io.ReadError, match="no DICOM image") as error:
        io.read(tmp_path)
    one_line(error.value)
    with pytest.raises(io.ReadError, match="does not exist"):
        io.read(tmp_path / "nowhere")
    with pytest.raises(io.ReadError, match="not a folder"):
        io.list_series(tmp_path / "a.txt")


def test_nan_and_infinity_are_kept_for_the_doctor(tmp_path, chest):
    data = chest.astype(np.float32)
    data[0, 0, 0], data[1, 1, 1] = np.nan, np.inf
    nib.save(nib.Nifti1Image(data.T, np.diag([-1, -1, 2, 1.0])), tmp_path / "a.nii")
    study = io.read(tmp_path / "a.nii")
    assert np.isnan(study.array).sum() == 1
    assert study.is_hu


def test_a_full_disk_leaves_the_old_mask(good, monkeypatch):
    study = io.read(good / "a.nii.gz")
    target = good / "mask.nii.gz"
    io.write_mask(np.zeros(study.array.shape, np.uint8), study, target)
    before, names = target.read_bytes(), sorted(p.name for p in good.iterdir())

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("mask.nii.gz", "new.nii", "new.nii.gz"):
        with pytest.raises(io.WriteError, match="disk is full"):
            io.write_mask(np.ones(study.array.shape, np.uint8), study, good / name)
    picture = io.read(good / "a.png")
    with pytest.raises(io.WriteError, match="disk is full"):
        io.write_mask(np.ones(picture.array.shape, np.uint8), picture, good / "new.png")
    assert target.read_bytes() == before
    assert sorted(p.name for p in good.iterdir()) == names


def test_a_mask_that_does_not_fit_is_refused(good):
    study = io.read(good / "a.nii.gz")
    shape = study.array.shape
    for mask, path, scheme, word in [
        (np.zeros((1, 2, 3), np.uint8), "m.nii", None, "shape"),
        (np.zeros(shape, np.float32), "m.nii", None, "whole label"),
        (np.full(shape, 300, np.int16), "m.nii", None, "0 to 255"),
        (np.full(shape, 3, np.uint8), "m.nii", LUNGS, r"\[3\]"),
        (np.zeros(shape, np.uint8), "m.png", None, "one slice"),
        (np.zeros(shape, np.uint8), "m.xyz", None, "must end in"),
    ]:
        with pytest.raises(io.WriteError, match=word) as error:
            io.write_mask(mask, study, good / path, scheme)
        one_line(error.value)
        assert not (good / path).exists()


def test_a_mask_of_another_image_is_refused(good, tmp_path, chest):
    study = io.read(good / "a.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros(chest.T.shape, np.uint8), np.eye(4)), good / "m.nii")
    with pytest.raises(io.ReadError, match="elsewhere"):
        io.read_mask(good / "m.nii", study)
    nib.save(
        nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([-1, -1, 2, 1.0])), good / "m.nii"
    )
    with pytest.raises(io.ReadError, match="shape"):
        io.read_mask(good / "m.nii", study)
    with pytest.raises(io.ReadError, match="no mask"):
        io.read_mask(good / "a.nii.gz", study)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (-1, 1, 1), (np.nan, 1, 1), (1, 1)])
def test_spacing_must_be_positive(chest, spacing):
    with pytest.raises(CovidsegError, match="Spacing"):
        from_array(chest, spacing=spacing)


@pytest.mark.parametrize(
    ("offset", "content", "word"),
    [
        (112, np.array([1, np.nan], "<f4"), "scl_inter"),
        (252, np.array([1, 0], "<i2").tobytes() + np.array([1, 1, 1], "<f4").tobytes(), "quatern"),
        (40, np.array([3, 32767, 32767, 32767], "<i2"), "cut short or damaged"),
        (70, np.array([9999], "<i2"), "cut short or damaged"),
    ],
)
def test_a_header_that_says_nonsense_is_refused(good, offset, content, word):
    path = good / "a.nii"
    poke(path, offset, bytes(content))
    for read in (io.read, io.read_mask):
        with pytest.raises(io.ReadError, match=word) as error:
            read(path)
        assert one_line(error.value).startswith(path.name)


def test_a_unit_of_length_that_nobody_knows_is_passed_over(good):
    poke(good / "a.nii", 123, b"\xff")
    assert io.read(good / "a.nii").spacing == io.read(good / "a.nii.gz").spacing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_half_a_pair_and_a_pipe_are_named(tmp_path, chest):
    nib.save(nib.Nifti1Pair(chest.T, np.eye(4)), tmp_path / "a.img")
    os.mkfifo(tmp_path / "pipe.nii")
    for name, word in (("a.hdr", "voxels lie in another file"), ("pipe.nii", "no file but")):
        with pytest.raises(io.ReadError, match=word) as error:
            io.read(tmp_path / name)
        one_line(error.value)
    for path in (tmp_path, tmp_path / "pipe.nii"):
        with pytest.raises(io.ReadError, match="no file but"):
            io.read_mask(path)
    with pytest.raises(io.ReadError, match="holds no DICOM image"):
        io.read(tmp_path)


def test_a_mask_in_colour_or_of_several_volumes_is_refused(good, chest):
    study = io.read(good / "a.nii")
    colour = np.zeros(chest.T.shape, [(c, "u1") for c in "RGB"])
    affine = np.diag([-1, -1, 2, 1.0])
    for data, word in ((colour, "in colour"), (np.stack([chest.T] * 2, -1), "2 volumes")):
        nib.save(nib.Nifti1Image(data, affine), good / "m.nii")
        with pytest.raises(io.ReadError, match=word) as error:
            io.read_mask(good / "m.nii", study)
        one_line(error.value)


@pytest.mark.parametrize("unit", ["meter", "mm", "micron"])
def test_a_mask_must_lie_on_the_images_voxels_in_whatever_unit(tmp_path, chest, unit):
    mm = {"meter": 1e-3, "mm": 1.0, "micron": 1e3}[unit]

    def save(name, data, x=-0.7, origin=30.0):
        affine = np.diag([x * mm, -0.8 * mm, 2.5 * mm, 1])
        affine[0, 3] = origin * mm
        image = nib.Nifti1Image(data, affine)
        image.header.set_xyzt_units(unit)
        nib.save(image, tmp_path / name)

    mask = (chest.T > 0).astype(np.uint8)
    save("image.nii", chest.T)
    study = io.read(tmp_path / "image.nii")
    save("near.nii", mask, x=-0.70001, origin=30.01)
    assert io.read_mask(tmp_path / "near.nii", study).any()
    for change in ({"x": 0.7}, {"origin": 30.7}, {"x": -0.709}):
        save("far.nii", mask, **change)
        with pytest.raises(io.ReadError, match="elsewhere"):
            io.read_mask(tmp_path / "far.nii", study)
