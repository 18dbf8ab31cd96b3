"""Edits in a real window: the star, the question on close, and a viewer that is killed."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtGui import QCloseEvent

from napari_covidseg import io
from napari_covidseg.annotation import recovery
from napari_covidseg.viewer import autosave, edits, restore
from napari_covidseg.viewer.edits import OnClose

pytestmark = pytest.mark.gui

EDIT_AND_HANG = """
import sys
import napari, numpy as np
from qtpy.QtCore import QTimer
from napari_covidseg.labels import INFECTION
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.viewer import autosave, edits, results
from napari_covidseg.viewer.geometry import study_of
from napari_covidseg.viewer.reader import read_layers

autosave.SECONDS = 0.2
viewer = napari.Viewer(show=False)
data, kwargs, _ = read_layers(sys.argv[1])[0]
image = viewer.add_image(data, **kwargs)
mask = np.zeros(data.shape, np.uint8)
made = Segmentation(mask, INFECTION, ModelRef("ct-infection", "1.0"), 0.4, 0.9)
(layer,) = results.add_outcome(viewer, image, study_of(image), Outcome((made,)))
layer.paint((2, 20, 20), 2)
said = []

def tell():
    if not said and edits._watches[layer].autosave.file.exists():
        said.append(True)
        print("kept", viewer.title, flush=True)

timer = QTimer()
timer.timeout.connect(tell)
timer.start(50)
napari.run(force=True)
"""


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


def edited(viewer):
    layer = viewer.add_labels(np.zeros((4, 30, 30), np.uint8), name="infection")
    edits.watch(layer, viewer)
    layer.paint((0, 5, 5), 1)
    return layer


def test_edits_of_a_killed_viewer_are_offered_back(viewer, scan, tmp_path, monkeypatch, qtbot):
    home = tmp_path / "home"
    image = tmp_path / "scan.nii.gz"
    io.write_image(scan, image)
    child = subprocess.Popen(
        [sys.executable, "-c", EDIT_AND_HANG, str(image)],
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "XDG_DATA_HOME": str(home),
            "NAPARI_CONFIG": str(tmp_path / "config.yaml"),
        },
    )
    try:
        said = child.stdout.readline().decode().split()
        assert said[0] == "kept"
        assert said[-1] == "*"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()

    monkeypatch.setattr(recovery, "folder", lambda: home / "napari-covidseg" / "unsaved")
    monkeypatch.setattr(restore, "_offered", set())
    box = restore.offer(viewer)
    assert box.isVisible()
    assert "infection" in box.informativeText()
    next(b for b in box.buttons() if b.text() == "Open edits").click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=5000)
    layer = viewer.layers["infection - scan"]
    assert isinstance(layer, Labels)
    assert layer.data[2, 20, 20] == 2
    np.testing.assert_allclose(layer.scale, viewer.layers["scan"].scale)
    assert edits.is_edited(layer)
    assert viewer.window._qt_window.windowTitle().endswith("*")
    edits.mark_saved(layer)
    autosave._writer.submit(int).result()
    assert recovery.find() == ()
    assert not list(recovery.folder().iterdir())


def closing_is_stopped(viewer, qtbot, answer, monkeypatch):
    """Ask to close from the event loop, as a click does; tell what was asked, and whether
    the window stays. The window itself is closed by its fixture."""
    asked = []

    def ask(names, parent):
        asked.append(names)
        return answer

    monkeypatch.setattr(edits, "ask_on_close", ask)
    window = viewer.window._qt_window
    guard = window.findChild(edits._CloseGuard)
    done = []
    QTimer.singleShot(0, lambda: done.append(guard.eventFilter(window, QCloseEvent())))
    qtbot.waitUntil(lambda: bool(done), timeout=5000)
    return asked, done[0]


def test_star_stands_in_the_title_until_saved(viewer):
    window = viewer.window._qt_window
    layer = edited(viewer)
    assert window.windowTitle().endswith("*")
    edits.mark_saved(layer)
    assert not window.windowTitle().endswith("*")


def test_close_is_asked_about_and_can_be_stopped(viewer, qtbot, monkeypatch):
    layer = edited(viewer)
    asked, stopped = closing_is_stopped(viewer, qtbot, OnClose.STAY, monkeypatch)
    assert asked == [["infection"]]
    assert stopped
    assert closing_is_stopped(viewer, qtbot, OnClose.KEEP, monkeypatch) == (asked, False)
    assert len(list(recovery.folder().iterdir())) == 1
    assert closing_is_stopped(viewer, qtbot, OnClose.DISCARD, monkeypatch) == (asked, False)
    autosave._writer.submit(int).result()
    assert not list(recovery.folder().iterdir())
    assert not edits.is_edited(layer)
    assert closing_is_stopped(viewer, qtbot, OnClose.STAY, monkeypatch) == ([], False)


def test_real_question_has_three_answers(viewer, qtbot):
    def press():
        box = viewer.window._qt_window.findChild(edits.QMessageBox)
        texts = {button.text(): button for button in box.buttons()}
        assert set(texts) == {answer.value for answer in OnClose}
        texts[OnClose.DISCARD.value].click()

    QTimer.singleShot(200, press)
    assert edits.ask_on_close(["infection"], viewer.window._qt_window) is OnClose.DISCARD
