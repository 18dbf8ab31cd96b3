""" "Why?" in a real window; the engine's child runs a fake."""

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton, QWidget

from napari_covidseg.segmentation import CamMethod
from napari_covidseg.viewer import why_button
from napari_covidseg.viewer.run_controls import RunState
from napari_covidseg.viewer.why_button import WhyButton

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(npe2pm, make_napari_viewer, models, fake_engine):
    with npe2pm.tmp_plugin(package="napari-covidseg"):
        yield make_napari_viewer()


def test_the_map_is_seen_over_the_image_where_the_evidence_lies(
    viewer, qtbot, add_scan, monkeypatch
):
    from napari_covidseg.viewer import commands

    monkeypatch.setattr(why_button, "_chosen", [CamMethod.GRADCAM])
    viewer.window._qt_window.setGeometry(0, 0, 1366, 738)
    viewer.window.show()
    widget = commands.open_widget(viewer)
    image = add_scan(viewer)
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=20_000)
    widget.classify()
    qtbot.waitUntil(lambda: bool(widget.results.summary.classifications), timeout=60_000)
    viewer.dims.set_point(0, image.data_to_world((2, 0, 0))[0])
    before = viewer.screenshot(flash=False)[..., :3].astype(int)
    (why,) = [b for b in widget.results.findChildren(QPushButton) if b.text() == "Why?"]
    assert why.isVisible()
    why.click()
    qtbot.waitUntil(lambda: "Grad-CAM - scan" in viewer.layers, timeout=60_000)
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=20_000)
    after = viewer.screenshot(flash=False)[..., :3].astype(int)
    # what the fake explains is the lesion of the scan, low in the lung at the picture's left
    rows, cols = np.nonzero(np.abs(after - before).max(axis=2) > 20)
    middle = np.array(after.shape[:2]) / 2
    assert len(rows) > 100
    assert rows.mean() > middle[0] and cols.mean() < middle[1]
    # one column still, nothing cut off
    assert widget.findChild(QWidget, "body").minimumSizeHint().width() <= widget.width()
    assert viewer.layers.selection.active is not viewer.layers["Grad-CAM - scan"]
    button = widget.results.findChild(WhyButton)
    button.methods[CamMethod.HIRESCAM].trigger()
    qtbot.waitUntil(lambda: "HiResCAM - scan" in viewer.layers, timeout=60_000)
    shown = {layer.name for layer in viewer.layers if layer.visible}
    assert shown == {"scan", "HiResCAM - scan"} and "Grad-CAM - scan" in viewer.layers
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=20_000)
