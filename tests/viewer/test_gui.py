"""The dock widget in a real window; the engine's child runs a fake."""

import time

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.settings import get_plugin_settings
from qtpy.QtWidgets import QLabel, QScrollArea, QWidget

from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference import registry
from napari_covidseg.phantom import ct
from napari_covidseg.study import Modality, from_array
from napari_covidseg.viewer import geometry
from napari_covidseg.viewer.dock import WIDTH
from napari_covidseg.viewer.gui_clock import GuiClock
from napari_covidseg.viewer.run_controls import RunState
from napari_covidseg.viewer.widget import TITLE

pytestmark = pytest.mark.gui


@pytest.fixture
def plugin(npe2pm):
    """Register our manifest and no other plugin's."""
    with npe2pm.tmp_plugin(package="napari-covidseg") as plugin:
        yield plugin


@pytest.fixture
def viewer(plugin, make_napari_viewer, models, fake_engine):
    return make_napari_viewer()


def open_widget(viewer):
    from napari_covidseg.viewer import commands

    return commands.open_widget(viewer)


def run(qtbot, widget):
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=20_000)
    widget.run()
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=60_000)


def test_open_run_and_see_the_result_on_a_small_screen(viewer, qtbot, add_scan):
    viewer.window._qt_window.setGeometry(0, 0, 1366, 738)
    viewer.window.show()
    widget = open_widget(viewer)
    add_scan(viewer)
    run(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["scan", "lungs - scan", "infection - scan"]
    # one column, nothing cut off, results seen without scrolling
    qtbot.wait(200)
    assert 330 <= widget.width() <= 350
    body = widget.findChild(QWidget, "body")
    assert body.minimumSizeHint().width() <= widget.width()
    assert widget.results.mapTo(widget, widget.results.rect().bottomLeft()).y() <= widget.height()
    # the patient's right lung (blue) at the left of the screen, the left lung (green) right
    viewer.layers["scan"].visible = False
    red, green, blue = np.moveaxis(viewer.screenshot(flash=False)[..., :3].astype(int), -1, 0)
    right = np.nonzero(blue > green + 10)[1]
    left = np.nonzero((green > blue + 10) & (red < 20))[1]
    assert len(right) and len(left)
    assert right.mean() < blue.shape[1] / 2 < left.mean()


def test_it_opens_fast_and_once_and_follows_the_preferences(viewer, qtbot, plugin_settings):
    start = time.thread_time()  # this machine may be busy with other things
    widget = open_widget(viewer)
    assert time.thread_time() - start < 1
    assert open_widget(viewer) is widget
    qtbot.waitUntil(lambda: widget.bridge.engine.pid is not None, timeout=20_000)
    chosen = get_plugin_settings("napari-covidseg").covidseg
    chosen.threads, chosen.device = 2, "cpu"
    assert widget.bridge.engine.settings == EngineSettings(threads=2, device="cpu")
    pid = widget.bridge.engine.pid
    dock, _ = viewer.window.add_plugin_dock_widget("napari-covidseg", "COVID-19 segmentation")
    dock.destroyOnClose()
    assert pid is not None and widget.bridge.engine.pid is None


def test_what_is_asked_of_a_foreign_image_fits_beside_a_scroll_bar(viewer, qtbot, scan):
    viewer.window._qt_window.setGeometry(0, 0, 1366, 738)
    viewer.window.show()
    widget = open_widget(viewer)
    viewer.add_image(scan.array.copy(), name="foreign")
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=20_000)
    assert widget.image.spacing.isVisible() and widget.image.values.isVisible()
    bar = widget.findChild(QScrollArea).verticalScrollBar().sizeHint().width()
    widget.run()
    qtbot.waitUntil(lambda: widget.results.isVisible(), timeout=60_000)
    numbers = ("16,913.5", "22,010.5", "38,924.0")
    cells = [x for x in widget.results.findChildren(QLabel) if x.text()[:1].isdigit()]
    for cell, text in zip(cells, numbers * len(cells), strict=False):
        cell.setText(text)
    assert cells
    viewer.add_labels(np.zeros(scan.array.shape, np.uint8))
    assert widget.save.scheme.isVisibleTo(widget)
    for combo in (widget.image.modality, widget.image.values):
        combo.addItem("Grey values of a picture (detected), the longest words there are")
    assert widget.findChild(QWidget, "body").minimumSizeHint().width() <= WIDTH - bar


def test_the_title_of_the_dock_is_short_wherever_it_goes(viewer):
    open_widget(viewer)
    viewer.window.show()
    dock, _ = viewer.window.add_plugin_dock_widget("napari-covidseg", TITLE)
    for floating in (False, True, False):
        dock.setFloating(floating)
        assert dock.titleBarWidget().findChild(QLabel).text() == TITLE
        assert dock.windowTitle() == TITLE


def test_menus_and_shortcuts_reach_the_widget(viewer, qtbot, add_scan):
    app = get_app_model()
    found = {
        item.command.id
        for name in ("segment", "classify", "annotate", "measure")
        for item in app.menus.get_menu(f"napari/layers/{name}")
        if hasattr(item, "command")
    }
    names = ("widget", "segment", "classify", "save_case", "measure", "models")
    assert {f"napari-covidseg.{name}" for name in names} <= found

    add_scan(viewer)
    app.commands.execute_command("napari-covidseg.classify").result()
    widget = open_widget(viewer)
    qtbot.waitUntil(lambda: "Done" in widget.controls.line.text(), timeout=60_000)
    assert widget.results.summary.classifications
    app.commands.execute_command("napari-covidseg.measure").result()
    assert "no label layers" in widget.controls.line.text()
    viewer.window._qt_viewer.canvas._key_map_handler.press_key("Control-Alt-S")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=60_000)


def test_the_gui_stays_responsive_on_a_large_volume(viewer, qtbot):
    """What the GUI thread computes at a stretch, between pressing Run and the result."""
    array = np.full((40, 512, 512), -1000, np.int16)
    array[:, 100:400, 60:450] = 40
    array[:, 150:350, 100:220] = array[:, 150:350, 290:410] = -850
    affine = np.array([[0, 0, -1.0, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    study = from_array(array, affine=affine, modality=Modality.CT, is_hu=True)
    viewer.add_image(array, name="large", **geometry.layer_kwargs(study))
    widget = open_widget(viewer)
    qtbot.wait(300)
    with GuiClock() as clock:
        run(qtbot, widget)
    print(f"longest GUI call {1000 * clock.busiest:.0f} ms")
    assert clock.busiest < 0.5  # the aim is 0.1 on a free machine


def test_the_shipped_models_run_in_a_window(plugin, make_napari_viewer, qtbot):
    """TensorFlow in the child, an OpenGL canvas here: in one process they would crash."""
    shipped = {model.name for model in registry.available()}
    if not {"ct-lungs", "ct-infection"} <= shipped:
        pytest.skip("the models ct-lungs and ct-infection are not in the package yet")
    phantom = ct()
    viewer = make_napari_viewer()
    viewer.add_image(phantom.study.array, name="p", **geometry.layer_kwargs(phantom.study))
    widget = open_widget(viewer)
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=20_000)
    widget.run()
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=240_000)
    found = viewer.layers["lungs - p"].data
    for side in (1, 2):
        both = np.sum((found == side) & (phantom.lungs == side))
        dice = 2 * both / (np.sum(found == side) + np.sum(phantom.lungs == side))
        assert dice > 0.8, f"lung {side}: Dice {dice:.2f}"


def test_our_docks_share_the_column_as_tabs(viewer, qtbot, tmp_path):
    viewer.window._qt_window.setGeometry(0, 0, 1024, 700)
    viewer.window.show()
    widget = open_widget(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-covidseg", "Train a model")
    qtbot.waitUntil(lambda: not panel.visibleRegion().isEmpty(), timeout=10_000)
    assert open_widget(viewer) is widget
    qtbot.waitUntil(lambda: panel.visibleRegion().isEmpty(), timeout=10_000)
    assert widget.height() > 500
    panel.shutdown()
