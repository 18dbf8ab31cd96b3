"""Unsaved edits outlive the process that made them, and no one else sees them."""

import errno
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

from napari_covidseg.annotation import recovery
from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.io import WriteError


@pytest.fixture(autouse=True)
def unsaved_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "folder", lambda: tmp_path / "unsaved")
    return tmp_path / "unsaved"


LABELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)

KEEP_AND_HANG = """
import sys, time, numpy as np
from pathlib import Path
from napari_covidseg.annotation import recovery
recovery.keep(Path(sys.argv[1]), np.ones((2, 3), np.uint8), None, {"name": "lungs"})
print("kept", flush=True)
time.sleep(60)
"""


def killed_after_keeping(file):
    child = subprocess.Popen([sys.executable, "-c", KEEP_AND_HANG, str(file)], stdout=-1)
    assert child.stdout.readline() == b"kept\n"
    yield
    child.send_signal(signal.SIGKILL)
    child.wait()
    yield


def test_edits_of_a_killed_process_are_found_and_read():
    steps = killed_after_keeping(recovery.new_file())
    next(steps)
    assert recovery.find() == ()  # it still runs: its edits are its own
    next(steps)
    (unsaved,) = recovery.find()
    assert unsaved.facts["name"] == "lungs"
    labels, prediction = recovery.load(unsaved)
    np.testing.assert_array_equal(labels, np.ones((2, 3)))
    assert prediction is None
    recovery.discard(unsaved.file)
    assert recovery.find() == ()


def test_mask_and_prediction_come_back_as_they_were(monkeypatch):
    file = recovery.new_file()
    recovery.keep(file, LABELS, LABELS // 2, {"name": "lungs"})
    monkeypatch.setattr(recovery.owner, "lives", lambda process: False)
    (unsaved,) = recovery.find()
    labels, prediction = recovery.load(unsaved)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(prediction, LABELS // 2)
    assert labels.dtype == np.uint8


def test_only_the_owner_can_read_them():
    file = recovery.new_file()
    recovery.keep(file, LABELS, None, {})
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_a_full_disk_keeps_what_was_kept_before(monkeypatch):
    file = recovery.new_file()
    recovery.keep(file, LABELS, None, {})
    before = file.read_bytes()

    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(WriteError, match="disk is full"):
        recovery.keep(file, LABELS, None, {})
    assert file.read_bytes() == before
    assert len(list(file.parent.iterdir())) == 1


def test_a_damaged_file_is_passed_over_and_said(unsaved_folder, monkeypatch):
    unsaved_folder.mkdir()
    (unsaved_folder / "a.npz").write_bytes(b"half a file")
    assert recovery.find() == ()
    file = recovery.new_file()
    recovery.keep(file, LABELS, None, {})
    monkeypatch.setattr(recovery.owner, "lives", lambda process: False)
    (unsaved,) = recovery.find()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(CaseError, match="damaged"):
        recovery.load(unsaved)


def test_no_folder_is_no_edits():
    assert recovery.find() == ()
