"""The panel "Train a model" on a model of the viewer, with a training that is made up."""

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QWidget

from napari_covidseg.annotation import cases
from napari_covidseg.annotation.overview import overview
from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference import registry
from napari_covidseg.labels import INFECTION, LUNGS
from napari_covidseg.training import runs
from napari_covidseg.training.messages import Shown, Trained
from napari_covidseg.training.trainer import Trainer
from napari_covidseg.viewer import edits, train_controls
from napari_covidseg.viewer.dock import WIDTH
from napari_covidseg.viewer.image_panel import ImagePanel
from napari_covidseg.viewer.save_case import SaveCasePanel
from napari_covidseg.viewer.train_controls import TrainState
from napari_covidseg.viewer.train_curves import Chart
from napari_covidseg.viewer.train_form import FROM_FILE
from napari_covidseg.viewer.train_panel import TrainPanel
from napari_covidseg.viewer.train_preview import LABELS, PICTURE

TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def datasets(tmp_path, scan):
    """A folder with a dataset of three lung cases and one of a single infection case."""
    folder = tmp_path / "cases"
    for k in range(3):
        study = scan.replace(array=scan.array + k)
        labels = np.where(scan.array == -850, 1, 0).astype(np.uint8)
        cases.save_case(cases.dataset_for(folder, study, LUNGS), study, labels, LUNGS)
    cases.save_case(
        cases.dataset_for(folder, scan, INFECTION), scan, np.zeros_like(labels), INFECTION
    )
    return folder


@pytest.fixture
def panel(qtbot, models, datasets, tmp_path, monkeypatch):
    """The panel with the lung dataset chosen, ready to start."""
    monkeypatch.setattr(runs, "folder", lambda: tmp_path / "trainings")
    monkeypatch.syspath_prepend(TESTS)  # the child gets the same path
    monkeypatch.setenv("FAKE_TRAINING", "good")
    monkeypatch.setattr(
        "napari_covidseg.viewer.train_bridge.Trainer",
        partial(Trainer, work="fake_training", patience=1.0),
    )
    panel = TrainPanel(ViewerModel())
    qtbot.addWidget(panel)
    panel.form.folder.setText(str(datasets))
    panel.refresh()
    qtbot.waitUntil(lambda: panel.form.dataset.count() == 2, timeout=60_000)
    yield panel
    panel.shutdown()


def wait_for(qtbot, panel, *states):
    qtbot.waitUntil(lambda: panel.controls.state in states, timeout=120_000)


def write_checkpoint(version, epochs=2):
    run = runs.folder_of("ct-lungs", version) / "ct-lungs"
    run.mkdir(parents=True)
    rows = [[2.0 - k, 0.5 + k / 10] for k in range(epochs)]
    np.savez(run / "checkpoint.npz", rows=rows, columns=["loss", "val_dice"])


def made_before(panel, qtbot, *versions):
    """Let unfinished runs of two epochs be there, and the panel know of them."""
    form = panel.form
    base, dataset = form.base.currentData(), form.dataset.currentData().folder
    for version in versions:
        runs.begin(base, dataset, "ct-lungs", version, "quick", EngineSettings())
        write_checkpoint(version)
    panel.refresh()
    qtbot.waitUntil(lambda: not panel.go_on.isHidden(), timeout=60_000)


def test_datasets_of_a_folder_are_told_apart(datasets):
    lungs, infection = overview(datasets)
    assert (lungs.cases, lungs.scheme, lungs.modality) == (3, "lungs", "CT")
    assert lungs.labels == ("right lung", "left lung")
    assert (infection.cases, infection.scheme) == (1, "infection")
    assert overview(lungs.folder) == (lungs,)
    (infection.folder / "dataset.json").write_text("{")
    assert overview(datasets) == (lungs,)


def test_it_offers_what_fits_the_dataset_and_the_next_version(panel):
    form = panel.form
    assert form.facts.text() == "3 cases: right lung, left lung"
    assert [form.base.itemText(i) for i in range(form.base.count())] == ["ct-lungs 1.0"]
    assert (form.name.text(), form.version.text()) == ("ct-lungs", "1.1.0")
    assert form.why_not == ""
    assert panel.controls.button.isEnabled()


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("name", "My Lungs", "small letters"),
        ("version", "2", "version like 1.1.0"),
        ("version", "0.1.0", "name of a model that ships, in version 1.0"),
    ],
)
def test_a_name_that_cannot_be_is_said_before_the_start(panel, field, text, words):
    getattr(panel.form, field).setText(text)
    panel.form.changed.emit()
    assert words in panel.form.why_not
    assert not panel.controls.button.isEnabled()
    panel.start()
    assert panel.controls.state is TrainState.IDLE
    assert words in panel.controls.line.text()


def test_one_case_is_too_few(panel):
    form = panel.form
    form.dataset.setCurrentIndex(1)
    form.dataset.activated.emit(1)
    assert form.facts.text() == "1 case: ground glass, consolidation"
    assert "At least 2 cases" in panel.controls.line.text()
    assert not panel.controls.button.isEnabled()


def test_a_training_shows_curves_preview_and_comparison(panel, qtbot):
    panel.start()
    assert panel.controls.state is TrainState.PREPARING
    assert not panel.form.isEnabled()
    wait_for(qtbot, panel, TrainState.DONE, TrainState.FAILED)
    assert panel.controls.line.text().startswith("Installed ct-lungs 1.1.0")
    assert panel.curves.loss.points["training"] == [(1, 1), (2, 0.5), (3, 1 / 3)]
    assert panel.curves.loss.points["validation"] == []
    assert [x for x, _ in panel.curves.dice.points["validation"]] == [1, 2, 3]
    assert [layer.name for layer in panel.viewer.layers] == [PICTURE, LABELS]
    assert (panel.viewer.layers[LABELS].data[8:16, 8:20] == 2).all()
    assert (
        "(ct-lungs 1.0): Dice 0.700, new model: Dice 0.900 on 5 held"
        in panel.comparison.words.text()
    )
    assert not panel.comparison.use.isHidden()
    assert panel.form.isEnabled()
    recipe = (runs.folder_of("ct-lungs", "1.1.0") / runs.RECIPE).read_text()
    assert 'start_from = "ct-lungs@1.0"' in recipe
    assert 'kind = "dataset"' in recipe


def test_what_to_know_of_the_comparison_is_shown_with_it(panel):
    told = Trained("m", "1.1.0", "m@1.0.0", 0.7, 0.9, 5, False, caveat="Mind the gap.")
    panel.bridge.ended.emit(told)
    assert "on 5 held-out cases.\nMind the gap." in panel.comparison.words.text()


def test_a_worse_model_is_not_offered_as_default(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "worse")
    panel.start()
    wait_for(qtbot, panel, TrainState.DONE, TrainState.FAILED)
    assert "did not prove better, so ct-lungs stays" in panel.comparison.words.text()
    assert panel.comparison.use.isHidden()


def test_use_by_default_makes_it_the_one_that_answers(panel, qtbot, models, own_models):
    target = own_models / "ct-lungs-1.1.0"
    target.mkdir(parents=True)
    facts = json.loads((models / "ct-lungs" / "model.json").read_text())
    text = json.dumps({**facts, "version": "1.1.0", "default": False})
    (target / "model.json").write_text(text)
    panel.form.version.setText("1.2.0")
    panel.start()
    wait_for(qtbot, panel, TrainState.DONE)
    assert registry.find("ct-lungs").version == "1.0"
    panel.comparison.use.click()
    qtbot.waitUntil(panel.comparison.use.isHidden, timeout=60_000)
    assert registry.find("ct-lungs").version == "1.1.0"
    assert registry.find("ct-lungs@1.0").shipped


def test_stop_ends_it_and_go_on_is_offered(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "slow")
    panel.start()
    qtbot.waitUntil(lambda: bool(panel.curves.loss.points["training"]), timeout=60_000)
    write_checkpoint("1.1.0")
    assert panel.controls.button.text() == "Stop"
    panel.controls.button.click()
    assert panel.controls.state is TrainState.STOPPING
    wait_for(qtbot, panel, TrainState.IDLE, TrainState.DONE)
    assert "1 finished epochs are kept" in panel.controls.line.text()
    qtbot.waitUntil(lambda: not panel.go_on.isHidden(), timeout=60_000)
    assert panel.unfinished.text() == "Not finished: ct-lungs-1.1.0."
    # A new training gets a version of its own, and none takes the place of that one.
    assert panel.form.version.text() == "1.2.0"
    assert panel.form.why_not == ""
    panel.form.version.setText("1.1.0")
    panel.form.version.textEdited.emit("1.1.0")
    assert panel.controls.line.text().startswith("ct-lungs 1.1.0 is not finished: press Go on")
    assert not panel.controls.button.isEnabled()
    monkeypatch.setenv("FAKE_TRAINING", "good")
    panel.go_on.click()
    wait_for(qtbot, panel, TrainState.DONE)


def test_stop_while_a_run_that_goes_on_is_prepared_keeps_its_epochs(panel, qtbot):
    made_before(panel, qtbot, "1.1.0")
    panel.go_on.click()
    panel.stop()
    wait_for(qtbot, panel, TrainState.IDLE)
    assert "2 finished epochs are kept: press Go on" in panel.controls.line.text()
    qtbot.waitUntil(lambda: not panel.go_on.isHidden(), timeout=60_000)


def test_of_several_unfinished_runs_the_one_that_is_named_goes_on(panel, qtbot):
    made_before(panel, qtbot, "1.1.0", "1.2.0")
    assert panel.form.version.text() == "1.3.0"
    for version in ("1.1.0", "1.2.0"):
        panel.form.version.setText(version)
        panel.form.version.textEdited.emit(version)
        assert panel.unfinished.text() == f"Not finished: ct-lungs-{version}."
    panel.drop.click()
    left = "Not finished: ct-lungs-1.1.0."
    qtbot.waitUntil(lambda: panel.unfinished.text() == left, timeout=60_000)
    assert not runs.folder_of("ct-lungs", "1.2.0").exists()
    assert panel.form.version.text() == "1.2.0"
    assert panel.controls.line.text() == "Dropped ct-lungs-1.2.0."


def test_the_curves_go_on_from_the_epochs_before(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "deaf")
    made_before(panel, qtbot, "1.1.0")
    panel.go_on.click()
    wait_for(qtbot, panel, TrainState.TRAINING)
    assert panel.curves.loss.points["training"][:2] == [(1, 2.0), (2, 1.0)]
    assert panel.curves.dice.points["validation"][:2] == [(1, 0.5), (2, 0.6)]


def test_what_goes_on_is_named_and_no_other(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "slow")
    made_before(panel, qtbot, "1.1.0")
    assert panel.form.version.text() == "1.2.0"
    panel.go_on.click()
    assert panel.unfinished.text() == "Going on: ct-lungs-1.1.0."
    assert panel.unfinished.isVisibleTo(panel)
    assert panel.form.isHidden() and panel.go_on.isHidden()
    panel.stop()
    wait_for(qtbot, panel, TrainState.IDLE)
    assert panel.form.isVisibleTo(panel)
    panel.start()
    assert panel.form.isVisibleTo(panel) and panel.unfinished.isHidden()


def test_the_recipe_that_was_chosen_is_named(panel, monkeypatch, tmp_path):
    combo = panel.form.schedule
    monkeypatch.setattr(
        "napari_covidseg.viewer.train_form.QFileDialog.getOpenFileName",
        lambda *args: (str(tmp_path / "mine.toml"), ""),
    )
    combo.setCurrentIndex(combo.findData(FROM_FILE))
    combo.activated.emit(combo.currentIndex())
    assert combo.currentText() == "mine.toml..."
    assert panel.form.choice.schedule == tmp_path / "mine.toml"


def test_what_trains_in_another_window_is_not_offered_there(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "deaf")
    panel.start()
    wait_for(qtbot, panel, TrainState.TRAINING)
    write_checkpoint("1.1.0")
    other = TrainPanel(ViewerModel())
    qtbot.addWidget(other)
    other.form.folder.setText(panel.form.folder.text())
    other.refresh()
    qtbot.waitUntil(lambda: other.form.version.text() == "1.2.0", timeout=60_000)
    assert other.go_on.isHidden()
    assert other.drop.isHidden()
    other.form.version.setText("1.1.0")
    assert "ct-lungs 1.1.0 is being trained in another window" in other.form.why_not
    panel.shutdown()
    other.refresh()
    qtbot.waitUntil(lambda: not other.go_on.isHidden(), timeout=60_000)
    other.shutdown()


def test_closing_says_what_is_kept(panel, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("napari_covidseg.viewer.train_panel.show_info", said.append)
    monkeypatch.setenv("FAKE_TRAINING", "deaf")
    made_before(panel, qtbot, "1.1.0")
    panel.go_on.click()
    wait_for(qtbot, panel, TrainState.TRAINING)
    panel.shutdown()
    assert "2 finished epochs are kept" in said[0]


def test_stop_while_it_is_prepared_starts_nothing(panel, qtbot):
    panel.start()
    panel.stop()
    wait_for(qtbot, panel, TrainState.IDLE)
    assert "nothing is kept" in panel.controls.line.text()
    assert panel.bridge.trainer.pid is None


@pytest.mark.parametrize(
    ("how", "words"),
    [("killed", "memory ran out"), ("bad-data", "too few cases"), ("bug", "a fault of ours")],
)
def test_a_failure_is_said_and_never_called_done(panel, qtbot, monkeypatch, how, words):
    monkeypatch.setenv("FAKE_TRAINING", how)
    panel.start()
    wait_for(qtbot, panel, TrainState.FAILED, TrainState.DONE)
    assert panel.controls.state is TrainState.FAILED
    assert words in panel.controls.line.text()
    assert panel.controls.button.text() == "Start"
    assert panel.comparison.isHidden()


def test_closing_ends_the_child(panel, qtbot, monkeypatch):
    monkeypatch.setenv("FAKE_TRAINING", "deaf")
    panel.start()
    wait_for(qtbot, panel, TrainState.TRAINING)
    panel.shutdown()
    assert panel.bridge.trainer.pid is None


def shown(value):
    labels = np.full((32, 32), value, np.uint8)
    return Shown("mine/case", 32, labels.tobytes(), labels.tobytes())


def test_the_preview_leaves_the_users_layers_and_choice_alone(qtbot, add_scan, panel):
    viewer = panel.viewer
    scan = add_scan(viewer)
    mine = viewer.add_labels(np.zeros(scan.data.shape, np.uint8), name=LABELS, scale=scan.scale)
    image, saving = ImagePanel(viewer), SaveCasePanel(viewer)
    qtbot.addWidget(image)
    qtbot.addWidget(saving)
    panel.preview.show(shown(1), LUNGS)
    panel.preview.show(shown(2), LUNGS)
    assert viewer.layers.selection.active is mine
    assert image.layer is scan
    assert saving.chosen is mine
    assert not mine.data.any()
    preview = viewer.layers[-1]
    assert (preview.data == 2).all()
    assert not edits.is_edited(preview)
    # beside the scan, as high as it is
    assert preview.extent.world[0][-1] > scan.extent.world[1][-1]
    np.testing.assert_allclose(
        np.ptp(preview.extent.world[:, -2]), np.ptp(scan.extent.world[:, -2])
    )
    viewer.layers.remove(preview)
    panel.preview.show(shown(1), LUNGS)
    assert preview not in viewer.layers
    panel.preview.remove()
    assert list(viewer.layers) == [scan, mine]
    panel.preview.show(shown(1), LUNGS)
    drawn = viewer.layers[-1]
    drawn.data_setitem((np.array([3]), np.array([3])), 2)
    panel.preview.show(shown(2), LUNGS)
    assert drawn in viewer.layers
    assert (drawn.data == 1).sum() == 32 * 32 - 1
    assert (viewer.layers[-1].data == 2).all()
    image.detach()
    saving.detach()


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (lambda picture, labels: None, []),
        (lambda picture, labels: setattr(labels, "name", "mine"), [PICTURE, "mine"]),
        (lambda picture, labels: setattr(picture, "name", "mine"), ["mine"]),
        (lambda picture, labels: labels.paint((3, 3), 2), [PICTURE, LABELS]),
    ],
)
def test_a_closed_panel_takes_its_preview_along_but_what_was_kept(panel, add_scan, keep, left):
    viewer = panel.viewer
    add_scan(viewer)
    panel.preview.show(shown(0), LUNGS)
    panel.preview.show(shown(1), LUNGS)
    picture, labels = viewer.layers[1:]
    keep(picture, labels)
    panel.shutdown()
    assert [layer.name for layer in viewer.layers] == ["scan", *left]


def test_a_preview_that_was_renamed_gets_no_other_pixels(panel):
    viewer = panel.viewer
    panel.preview.show(shown(1), LUNGS)
    mine = viewer.layers[LABELS]
    mine.name = "first"
    panel.preview.show(shown(2), LUNGS)
    assert (mine.data == 1).all()
    assert (viewer.layers[LABELS].data == 2).all()
    panel.shutdown()
    assert [layer.name for layer in viewer.layers] == [PICTURE, "first"]


def test_each_label_has_a_thin_curve_of_its_colour(panel):
    row = {
        "loss": 0.5,
        "val_dice": 0.9,
        "val_dice_right_lung": 0.4,
        "val_dice_left_lung": float("nan"),
        "val_sensitivity": 0.8,
        "val_precision": 0.7,
        "val_iou": 0.6,
    }
    panel.curves.show_rows([(1, row), (2, {**row, "val_dice_left_lung": 0.5})])
    dice = panel.curves.dice
    assert dice.points == {
        "validation": [(1, 0.9), (2, 0.9)],
        "right lung": [(1, 0.4), (2, 0.4)],
        "left lung": [(2, 0.5)],
    }
    assert dice.colours["right lung"] == LUNGS.colours[1]
    assert dice.colours["left lung"] == LUNGS.colours[2]
    assert "validation" not in dice.colours
    panel.curves.show_rows([(1, {"loss": 1.0, "val_dice": 0.5})])
    assert dice.points == {"validation": [(1, 0.5)]}


@pytest.mark.parametrize("scheme", [LUNGS, INFECTION])
def test_names_and_lines_of_a_narrow_chart_fit(qtbot, scheme):
    chart = Chart("Dice", unit=True)
    qtbot.addWidget(chart)
    chart.resize(chart.sizeHint())
    assert chart.width() <= 140  # two of them in 300 pixels
    names = ("validation", *scheme.names.values())
    lines = {name: [(1, 0.1), (2, 0.3 * (k + 1))] for k, name in enumerate(names)}
    chart.set_points(lines, {label.name: label.colour for label in scheme.labels})
    places = chart.places()
    assert list(places) == list(lines)
    metrics = QFontMetrics(chart._font())
    ends = {name: x + metrics.horizontalAdvance(name) for name, (x, _) in places.items()}
    assert max(ends.values()) <= chart.width()
    for before, after in pairwise(places):
        (_, row), (x, next_row) = places[before], places[after]
        assert next_row == row + 1 or x > ends[before]
    assert max(row for _, row in places.values()) <= 2
    picture = chart.grab().toImage()
    at = [(x, y) for x in range(chart.width()) for y in range(chart.height())]
    seen = {picture.pixelColor(x, y).name() for x, y in at}
    assert all(any(near(colour, c) for c in seen) for colour in scheme.colours.values())


def near(one, other):
    """Whether two colours are the same to the eye; thin lines are blended with what is below."""
    a, b = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (one, other))
    return np.abs(a - b).max() < 40


def test_the_column_is_narrow_and_every_control_explains_itself(panel):
    assert panel.minimumSizeHint().width() <= WIDTH
    controls = [panel.form.folder, panel.form.dataset, panel.form.base, panel.form.schedule]
    controls += [panel.form.name, panel.form.version, panel.controls.button, panel.comparison.use]
    controls += [panel.go_on, panel.drop, panel.curves.loss, panel.curves.dice]
    assert all(isinstance(x, QWidget) and x.toolTip() for x in controls)


def test_remaining_time():
    assert train_controls.remaining(10, 5, 20) == 30
    assert train_controls.remaining(1, 0, 20) is None
    assert [train_controls.in_words(s) for s in (30, 600, 7200)] == ["30 s", "10 min", "2.0 h"]
