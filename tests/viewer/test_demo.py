"""The demo on a screen: the phantom is opened, the models run, a picture is left."""

import shutil

import cv2
import pytest

from napari_covidseg.cli.demo_files import viewer_picture

pytestmark = pytest.mark.gui


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
def test_picture_of_the_viewer_with_results(tmp_path):
    path = tmp_path / "viewer.png"
    assert viewer_picture(path) == ""
    picture = cv2.imread(str(path))
    assert picture.shape[0] >= 600
    left_half = picture[:, : picture.shape[1] // 2].astype(int)
    coloured = left_half.max(axis=2) - left_half.min(axis=2) > 40
    assert coloured.mean() > 0.02  # masks lie on the grey image
