"""The command line as a process: version, pipes, and what it imports."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import napari_covidseg


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "napari_covidseg.cli", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
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


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes the streams")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error_and_no_file_gets_its_number(tmp_path, closed):
    mask = tmp_path / "mask.png"
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(mask)
    table = tmp_path / "table.json"
    command = f"{sys.executable} -m napari_covidseg.cli evaluate {mask} {mask} --out {table}"
    result = subprocess.run(
        ["bash", "-c", f"{command} {closed}"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(table.read_text())["agreement"][0]["dice"] == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_a_name_that_the_terminal_cannot_write_is_no_error(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    result = run("doctor", "sc\udcff 肺 [left].nii.gz", env=environment)
    assert result.returncode == 2
    assert "does not exist: check the path." in result.stderr
    assert run("models", env={**environment, "COLUMNS": "60"}).returncode == 0


def test_ctrl_c_while_it_loads_is_no_error():
    code = """
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == "napari_covidseg.cli.run":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from napari_covidseg.cli import main
main(["models"])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "Stopped.\n")
