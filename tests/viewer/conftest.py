"""Fixtures of the viewer's tests: fake models, a fake engine child, a small scan."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# Before napari is imported, which reads it once; viewers in processes of their own get it too.
_config = tempfile.TemporaryDirectory(prefix="napari-covidseg-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_config.name, "settings.yaml"))

MODELS = (
    ("ct-lungs", "lungs", "CT", "lungs"),
    ("ct-infection", "infection", "CT", "infection"),
    ("ct-covid", "classification", "CT", None),
    ("xray-lungs", "lungs", "XR", "lungs"),
    ("xray-ggo", "infection", "XR", "opacity"),
)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with the descriptions of all models, in place of those that ship."""
    for name, role, modality, scheme in MODELS:
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        classifies = role == "classification"
        description = {
            "name": name,
            "version": "1.0",
            "title": name.upper(),
            "summary": "Made up for a test.",
            "task": "classification" if classifies else "segmentation",
            "role": role,
            "modality": modality,
            "scheme": scheme,
            "threshold": 0.5,
            "input": {"values": "ct", "frame": "whole", "size": 256},
            "architecture": "unet",
            "config": {},
            "weights": {"file": "weights.h5", "sha256": "0" * 64},
        }
        (folder / "model.json").write_text(json.dumps(description))
        (folder / "README.md").write_text(f"# Card of {name}\n")
    monkeypatch.setattr(
        "napari_covidseg.inference.registry.shipped_folder", lambda: tmp_path / "models"
    )
    return tmp_path / "models"


@pytest.fixture
def fake_engine(monkeypatch, fake_inference):
    """Let the widget's engine run the fake in its child."""
    from napari_covidseg.engine import Engine

    monkeypatch.setattr(
        "napari_covidseg.viewer.background.Engine", partial(Engine, work=fake_inference)
    )


@pytest.fixture
def viewer(qapp):
    """A viewer with no window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def widget(viewer, qtbot, models, fake_engine):
    """The segmentation widget on that viewer, with a fake child."""
    from napari_covidseg.viewer.widget import SegmentationWidget

    widget = SegmentationWidget(viewer)
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.shutdown()


def shown_text(widget):
    """All words that a widget shows."""
    from qtpy.QtWidgets import QApplication, QLabel

    QApplication.processEvents()  # a row that joins a visible panel is shown by the event loop
    return "\n".join(x.text() for x in widget.findChildren(QLabel) if x.isVisibleTo(widget))


@pytest.fixture
def scan():
    """A study in HU: two lungs in a body, mm known."""
    from napari_covidseg.study import Modality, from_array

    array = np.full((6, 64, 64), -1000, np.int16)
    array[:, 8:56, 4:60] = 40
    array[:, 16:48, 10:28] = array[:, 16:48, 36:54] = -850
    array[2:4, 30:44, 12:22] = -500
    affine = np.diag([5.0, 1, 1, 1])
    affine[:3, :3] = [[0, 0, -2.0], [0, -2.0, 0], [5.0, 0, 0]]
    return from_array(array, affine=affine, modality=Modality.CT, is_hu=True, stem="scan")


@pytest.fixture
def add_scan(scan):
    """Open the scan in a viewer, as our reader would."""
    from napari_covidseg.viewer import geometry

    def add(viewer, name="scan"):
        return viewer.add_image(scan.array, name=name, **geometry.layer_kwargs(scan))

    return add


@pytest.fixture
def plugin(npe2pm):
    """Our plugin registered with napari, alone."""
    with npe2pm.tmp_plugin(package="napari-covidseg"):
        yield "napari-covidseg"


@pytest.fixture(autouse=True)
def own_settings(plugin_settings):
    """Keep the user's own settings out of the tests, and theirs out of his."""


@pytest.fixture(autouse=True)
def unsaved_folder(tmp_path, monkeypatch):
    """Keep the user's own unsaved edits out of the tests, and theirs out of his."""
    from napari_covidseg.annotation import recovery

    monkeypatch.setattr(recovery, "folder", lambda: tmp_path / "unsaved")
    return tmp_path / "unsaved"
