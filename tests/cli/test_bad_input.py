"""Whatever is thrown at the command line: exit code 2, one line, nothing half-written."""

import errno
import gzip
import os

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_covidseg import doctor
from napari_covidseg.doctor import looks

LUNGS = ("--model", "ct-lungs")
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def truncated_nifti(folder, nifti, _picture):
    whole = nifti("whole.nii.gz").read_bytes()
    path = folder / "truncated.nii.gz"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def corrupt_gzip(folder, nifti, _picture):
    path = folder / "corrupt.nii.gz"
    path.write_bytes(gzip.compress(b"no header here" * 100))
    return path


def zero_bytes(folder, *_):
    path = folder / "empty.nii.gz"
    path.touch()
    return path


def pdf_as_dicom(folder, *_):
    path = folder / "report.dcm"
    path.write_bytes(PDF)
    return path


def text_as_picture(folder, *_):
    path = folder / "notes.png"
    path.write_text("not a picture")
    return path


def truncated_picture(folder, _nifti, picture):
    path = picture("whole.png", (200, 200))
    cut = folder / "cut.png"
    cut.write_bytes(path.read_bytes()[:5000])
    return cut


def folder_of_junk(folder, *_):
    junk = folder / "junk"
    (junk / "deeper").mkdir(parents=True)
    (junk / "a.dcm").write_bytes(PDF)
    (junk / "deeper" / "notes.txt").write_text("hello")
    (junk / "no_ending").write_bytes(os.urandom(3000))
    return junk


def empty_folder(folder, *_):
    path = folder / "nothing"
    path.mkdir()
    return path


def singular_affine(folder, *_):
    path = folder / "singular.nii"
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), affine), path)
    data = bytearray(path.read_bytes())
    data[312:328] = bytes(16)  # srow_z, the third row of the sform
    path.write_bytes(data)
    return path


def missing(folder, *_):
    return folder / "missing.nii.gz"


CASES = (
    truncated_nifti,
    corrupt_gzip,
    zero_bytes,
    pdf_as_dicom,
    text_as_picture,
    truncated_picture,
    folder_of_junk,
    empty_folder,
    singular_affine,
    missing,
)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_one_line_and_code_2(make, covidseg, nifti, picture, tmp_path):
    image = make(tmp_path, nifti, picture)
    out = tmp_path / "out"
    for command in (
        ("segment", image, "--model", "ct-lungs", "--out", out),
        ("classify", image),
        ("doctor", image),
        ("measure", image, "--labels", image),
        ("evaluate", image, image),
    ):
        code, text, err = covidseg(*command)
        assert (code, text) == (2, ""), command[0]
        assert len(err.strip().splitlines()) == 1, err
        assert "internal error" not in err
    assert not out.exists()


def test_a_full_disk_leaves_nothing_half_written(covidseg, picture, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    image = picture()
    command = ("segment", image, "--model", "ct-lungs", "--out", out, "--modality", "ct")
    assert covidseg(*command)[0] == 0
    before = (out / "slice.png").read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    code, text, err = covidseg(*command)
    assert (code, text) == (2, "")
    assert "disk is full" in err
    assert [p.name for p in out.iterdir()] == ["slice.png"]
    assert (out / "slice.png").read_bytes() == before


def test_an_output_folder_that_is_a_file(covidseg, picture, tmp_path):
    out = tmp_path / "out"
    out.touch()
    code, _, err = covidseg("segment", picture(), "--model", "ct-lungs", "--out", out)
    assert code == 2
    assert "name a folder" in err


def numbers_that_are_none(folder, nifti, _picture):
    path = folder / "nan.nii"
    nib.save(nib.Nifti1Image(np.full((40, 40, 6), np.nan, np.float32), np.eye(4) * 2), path)
    return path


def one_pixel(folder, *_):
    path = folder / "pixel.png"
    Image.new("L", (1, 1), 9).save(path)
    return path


def thin_strip(folder, *_):
    path = folder / "strip.png"
    Image.fromarray(np.tile(np.arange(20_000) % 251, (3, 1)).astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("make", [numbers_that_are_none, one_pixel, thin_strip])
def test_what_the_doctor_stops_is_one_line_and_code_2(
    make, covidseg, nifti, picture, tmp_path, monkeypatch
):
    monkeypatch.setattr(doctor, "examine", looks.examine)  # the real one
    out = tmp_path / "out"
    code, text, err = covidseg("segment", make(tmp_path, nifti, picture), *LUNGS, "--out", out)
    assert (code, text) == (2, "")
    assert len([line for line in err.splitlines() if "warning" not in line]) == 1
    assert "internal error" not in err
    assert not out.exists()


def test_a_wide_picture_is_segmented(covidseg, tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.tile(np.arange(20_000) % 251, (64, 1)).astype(np.uint8)).save(path)
    assert covidseg("segment", path, *LUNGS, "--out", tmp_path / "out")[0] == 0
    assert Image.open(tmp_path / "out" / "wide.png").size == (20_000, 64)


def test_negative_spacing_is_said(covidseg, nifti, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "examine", looks.examine)
    path = tmp_path / "flipped.nii"
    image = nib.load(nifti())
    image.set_sform(None, code=0)
    image.set_qform(image.affine, code=1)
    nib.save(image, path)
    blob = bytearray(path.read_bytes())
    blob[80:84] = np.array([-0.8], "<f4").tobytes()
    path.write_bytes(bytes(blob))
    _, out, _ = covidseg("doctor", path)
    assert "negative voxel size" in out and "2.5 x 0.8 x 0.8 mm" in out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(covidseg, picture, tmp_path):
    out = tmp_path / "locked"
    out.mkdir(mode=0o500)
    code, _, err = covidseg("segment", picture(), *LUNGS, "--out", out)
    assert code == 2
    assert "may not write there" in err


def test_a_folder_that_may_not_be_written(covidseg, picture, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    image = picture()
    monkeypatch.setattr("napari_covidseg.io.atomic.Path.write_bytes", refuse)
    code, text, err = covidseg("segment", image, *LUNGS, "--out", tmp_path / "out")
    assert (code, text) == (2, "")
    assert "you may not write there" in err
    assert len([line for line in err.splitlines() if "warning" not in line]) == 1
