"""Whatever is thrown at the command line: exit code 2, one line, nothing half-written."""

import errno
import gzip
import os

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000)])
def test_odd_sizes_do_not_break(covidseg, shape, tmp_path):
    path = tmp_path / "odd.png"
    Image.fromarray(np.full(shape, 9, np.uint8)).save(path)
    code, _, err = covidseg("doctor", path)
    assert code in (0, 2)
    assert "internal error" not in err
