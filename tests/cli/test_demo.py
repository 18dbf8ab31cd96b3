"""covidseg demo without a display leaves everything it names."""

import json
import sys

import cv2
import numpy as np
import pytest

from napari_covidseg import phantom
from napari_covidseg.cli import demo, demo_files
from napari_covidseg.cli.overlay import picture
from napari_covidseg.labels import LUNGS
from napari_covidseg.segmentation import ModelRef, Segmentation
from napari_covidseg.study import from_array


@pytest.fixture
def small_phantom(monkeypatch):
    chest = phantom.ct((24, 64, 64))
    monkeypatch.setattr(phantom, "ct", lambda: chest)
    return chest


def test_files_are_written_and_named(covidseg, small_phantom, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_files, "viewer_picture", lambda path: "No screen here.")
    out = tmp_path / "demo"
    code, text, err = covidseg("demo", "--no-window", "--out", out)
    assert code == 0
    names = {p.name for p in out.iterdir()}
    assert names == {
        "image.nii.gz",
        "lungs.nii.gz",
        "infection.nii.gz",
        "measurements.json",
        "measurements.csv",
        "viewer.png",
    }
    assert all(name in text for name in names)
    assert str(out) in text
    assert "drawn without napari" in err
    assert json.loads((out / "measurements.json").read_text())["measurement"]["unit"] == "mL"
    assert cv2.imread(str(out / "viewer.png")).shape[1] == 3 * 64


def test_without_xvfb_the_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install xvfb" in demo_files.viewer_picture(tmp_path / "x.png")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_display_is_told_from_the_environment(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not demo.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert demo.has_display()


def test_overlay_colours_only_what_is_marked():
    study = from_array(np.full((3, 40, 80), -600, np.int16), spacing=(1, 1, 1), is_hu=True)
    labels = np.zeros(study.array.shape, np.uint8)
    labels[1, :20] = 1
    result = Segmentation(labels, LUNGS, ModelRef("ct-lungs", "1.0"), 0.5, 0.9)
    image = picture(study, [result], [1], "title")
    assert image.dtype == np.uint8
    body = image[28:-28]
    assert (body[20:] == body[20:, :, :1]).all()  # grey where nothing is marked
    assert (body[:20, :, 2] > body[:20, :, 0]).all()  # the right lung's blue
