"""What people install shows the plugin and runs, as a wheel and as an editable install."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import napari_covidseg

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "napari_covidseg"


def run(*arguments, **options):
    result = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        **options,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT))
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Folder with the wheel's content, that goes before the editable install."""
    target = tmp_path_factory.mktemp("installed")
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target))
    run(*pip, str(wheel))
    return target


def test_wheel_holds_models_and_manifest(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {
        path.relative_to(ROOT).as_posix()
        for path in [PACKAGE / "napari.yaml", *(PACKAGE / "models").rglob("*")]
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert data <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "models/")) for name in names)


def test_wheel_runs_and_validates(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    where = run("-c", "import napari_covidseg as n; print(n.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed))
    version = run(str(installed / "bin" / "covidseg"), "--version", cwd=tmp_path)
    assert version.split() == ["napari-covidseg", napari_covidseg.__version__]
    assert "valid!" in run("-m", "npe2", "validate", "napari-covidseg", cwd=tmp_path)


def test_this_install_validates(tmp_path):
    assert "valid!" in run("-m", "npe2", "validate", "napari-covidseg", cwd=tmp_path)


def test_links_at_the_top_lead_into_the_package():
    assert (ROOT / "models").resolve() == PACKAGE / "models"
    assert (ROOT / "napari.yaml").resolve() == PACKAGE / "napari.yaml"


def test_no_model_is_over_20_mb():
    for folder in (PACKAGE / "models").iterdir():
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        assert size <= 20 * 2**20, folder.name
