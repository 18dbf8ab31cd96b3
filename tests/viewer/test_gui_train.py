"""A real training from the panel in a real window: TensorFlow in the child, OpenGL here."""

import subprocess
import sys
from pathlib import Path

import pytest

from napari_covidseg.annotation import cases
from napari_covidseg.inference import registry
from napari_covidseg.labels import LUNGS
from napari_covidseg.phantom import ct
from napari_covidseg.training import runs
from napari_covidseg.viewer import commands, geometry
from napari_covidseg.viewer.gui_clock import GuiClock
from napari_covidseg.viewer.train_controls import TrainState
from napari_covidseg.viewer.train_form import FROM_FILE
from napari_covidseg.viewer.train_panel import TITLE
from napari_covidseg.viewer.train_preview import LABELS, PICTURE
from tests.tiny_recipe import write_recipe

pytestmark = pytest.mark.gui

TRAINING = """
steps = 40
epoch_steps = 20
batch = 4
learning_rate = 1e-2
warmup_steps = 2
ema = 0.8
"""


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A tiny untrained model as the only one that ships; made where TensorFlow may be."""
    monkeypatch.setattr(registry, "shipped_folder", lambda: tmp_path / "none")
    code = (
        "import sys; from pathlib import Path; from tests.inference.conftest import write_tiny;"
        "from napari_covidseg.inference.install import install;"
        "install(write_tiny(Path(sys.argv[1])))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "made")], check=True, cwd=root)


@pytest.fixture
def panel(base, npe2pm, make_napari_viewer, tmp_path, monkeypatch, qtbot):
    """The panel in a window, with three phantoms saved as cases and a tiny recipe."""
    monkeypatch.setattr(runs, "folder", lambda: tmp_path / "trainings")
    with npe2pm.tmp_plugin(package="napari-covidseg"):
        viewer = make_napari_viewer()
        phantoms = [ct((4, 64, 64), seed=seed) for seed in range(3)]
        for phantom in phantoms:
            dataset = cases.dataset_for(tmp_path / "cases", phantom.study, LUNGS)
            cases.save_case(dataset, phantom.study, phantom.lungs, LUNGS)
        study = phantoms[0].study
        viewer.add_image(study.array, name="mine", **geometry.layer_kwargs(study))
        _, panel = viewer.window.add_plugin_dock_widget("napari-covidseg", TITLE)
        panel.form.folder.setText(str(tmp_path / "cases"))
        panel.refresh()
        qtbot.waitUntil(lambda: panel.form.base.count() == 1, timeout=60_000)
        panel.form._file = write_recipe(tmp_path, 64, TRAINING)
        panel.form.schedule.setCurrentIndex(panel.form.schedule.findData(FROM_FILE))
        yield panel
        panel.shutdown()


def test_train_a_tiny_network_and_find_it_in_the_segmentation_widget(panel, qtbot):
    viewer = panel.viewer
    widget = commands.open_widget(viewer)
    assert (panel.form.name.text(), panel.form.version.text()) == ("tiny-lungs", "0.2.0")
    with GuiClock() as clock:
        panel.start()
        qtbot.waitUntil(lambda: not panel.controls.state.busy, timeout=400_000)
    assert panel.controls.state is TrainState.DONE, panel.controls.line.text()
    assert clock.busiest < 0.5
    epochs = [epoch for epoch, _ in panel.curves.loss.points["training"]]
    assert epochs == [1, 2]
    assert [epoch for epoch, _ in panel.curves.dice.points["validation"]] == [1, 2]
    assert {PICTURE, LABELS} <= {layer.name for layer in viewer.layers}
    assert viewer.layers[LABELS].data.shape == (64, 64)
    assert viewer.layers.selection.active is viewer.layers["mine"]
    assert "held-out case" in panel.comparison.words.text()
    registry.verify(registry.find("tiny-lungs@0.2.0"))
    assert registry.find("tiny-lungs").version == "0.1.0"
    names = widget.models.names["lungs"]
    offered = [names.itemText(i) for i in range(names.count())]
    assert offered == ["tiny-lungs 0.1.0", "tiny-lungs 0.2.0"]


def test_stop_in_a_window_keeps_what_was_finished_and_the_viewer_lives(panel, qtbot):
    file = panel.form._file
    file.write_text(file.read_text().replace("steps = 40\n", "steps = 40000\n"))
    panel.start()
    qtbot.waitUntil(lambda: bool(panel.curves.loss.points.get("training")), timeout=400_000)
    panel.controls.button.click()
    qtbot.waitUntil(lambda: not panel.controls.state.busy, timeout=60_000)
    assert "are kept: press Go on" in panel.controls.line.text()
    assert panel.bridge.trainer.pid is None
    qtbot.waitUntil(lambda: not panel.go_on.isHidden(), timeout=60_000)
    panel.viewer.screenshot(flash=False)
