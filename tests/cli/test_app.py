"""The command line as a process: version, pipes, and what it imports."""

import subprocess
import sys

import pytest

import napari_covidseg


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "napari_covidseg.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_version():
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout == f"napari-covidseg {napari_covidseg.__version__}\n"


def test_no_arguments_show_the_help():
    result = run()
    assert result.returncode == 2
    assert "segment" in result.stdout + result.stderr


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m napari_covidseg.cli --help | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stderr == ""
    assert result.stdout.strip() in {"0", "141"}  # 0 where the help was out before


@pytest.mark.parametrize("module", ["napari_covidseg", "napari_covidseg.cli"])
def test_import_brings_neither_tensorflow_nor_qt(module):
    heavy = ("tensorflow", "keras", "napari", "qtpy", "PyQt6")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"
