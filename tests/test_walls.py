"""The walls of the house: who may import what, and what an import may bring along."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_covidseg

TENSORFLOW = ("tensorflow", "keras")
VIEWER = ("napari", "qtpy", "magicgui", "PyQt6", "PySide6")
WITH_TENSORFLOW = ("nets", "training")


def modules():
    """All modules of the package, found without importing them."""
    found = pkgutil.iter_modules(napari_covidseg.__path__, "napari_covidseg.")
    for info in found:
        yield info.name
        if info.ispkg:
            folder = f"{info.module_finder.path}/{info.name.rpartition('.')[2]}"
            yield from (i.name for i in pkgutil.iter_modules([folder], f"{info.name}."))


def brought_along(names, heavy):
    """Import modules in a process of their own; give the heavy ones that came along."""
    code = (
        "import importlib, sys\n"
        f"for name in {list(names)}: importlib.import_module(name)\n"
        f"print(*[m for m in {list(heavy)} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def room(name):
    return name.split(".")[1]


def without_main(names):
    return [n for n in names if not n.endswith("__main__")]


def test_imports_between_rooms():
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_viewer_brings_no_tensorflow(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    names = [n for n in modules() if room(n) in ("viewer", "cli", "engine")]
    assert brought_along(without_main(names), TENSORFLOW) == []


def test_other_rooms_bring_no_napari():
    names = [n for n in modules() if room(n) not in ("viewer", *WITH_TENSORFLOW)]
    assert brought_along(without_main(names), VIEWER) == []


@pytest.mark.parametrize("module", ["napari_covidseg.inference", "napari_covidseg.training"])
def test_doors_of_the_tensorflow_rooms_are_light(module):
    assert brought_along([module], TENSORFLOW) == []
