"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from napari_covidseg.io import WriteError
from napari_covidseg.io.atomic import atomic, write_text


def test_the_folder_holds_the_file_alone_afterwards(tmp_path):
    target = tmp_path / "new" / "mask.nii.gz"
    with atomic(target) as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.parent == target.parent
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [p.name for p in target.parent.iterdir()] == ["mask.nii.gz"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    target = tmp_path / "notes.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")]
)
def test_a_full_disk_is_said_in_words(tmp_path, monkeypatch, number, word):
    target = tmp_path / "notes.txt"
    target.write_text("old")

    def full(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match=word):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"mask\.png"):
        write_text(tmp_path / "file" / "mask.png", "x")
