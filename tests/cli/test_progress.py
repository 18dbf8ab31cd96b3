"""Only the progress bar speaks while a model runs, and stderr is whole afterwards."""

import os

import pytest

from napari_covidseg.cli.progress import progress_bar
from napari_covidseg.segmentation import Progress


def chatter(capfd):
    with progress_bar("scan") as show:
        os.write(2, b"greetings from native code\n")
        show(Progress("Looking", 1, 3))
    os.write(2, b"after\n")
    return capfd.readouterr().err


def test_native_chatter_is_muted(capfd, monkeypatch):
    monkeypatch.delenv("COVIDSEG_DEBUG", raising=False)
    assert chatter(capfd) == "after\n"


def test_debug_shows_it(capfd, monkeypatch):
    monkeypatch.setenv("COVIDSEG_DEBUG", "1")
    assert "greetings" in chatter(capfd)


def test_stderr_is_back_after_an_error(capfd):
    with pytest.raises(RuntimeError), progress_bar("scan"):
        raise RuntimeError
    os.write(2, b"after\n")
    assert capfd.readouterr().err.endswith("after\n")
