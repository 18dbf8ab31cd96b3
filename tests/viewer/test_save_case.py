"""What a person corrected becomes a training case, from the panel as from a script."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_covidseg import io
from napari_covidseg.annotation.cases import load_cases
from napari_covidseg.labels import INFECTION
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import edits, geometry, results, settings
from napari_covidseg.viewer.save_case import SaveCasePanel
from napari_covidseg.viewer.saving import save_training_case


@pytest.fixture
def viewer(qapp, add_scan, scan):
    viewer = ViewerModel()
    image = add_scan(viewer)
    mask = np.zeros(scan.array.shape, np.uint8)
    mask[2, 30:44, 12:22] = 1
    made = Segmentation(mask, INFECTION, ModelRef("ct-infection", "1.0"), 0.4, 0.9)
    results.add_outcome(viewer, image, scan, Outcome((made,)))
    return viewer


@pytest.fixture
def panel(viewer, qtbot, tmp_path):
    panel = SaveCasePanel(viewer)
    qtbot.addWidget(panel)
    panel.folder.setText(str(tmp_path / "cases"))
    return panel


def test_corrected_labels_the_first_answer_and_provenance_are_saved(viewer, tmp_path):
    layer = viewer.layers[-1]
    layer.paint((2, 5, 5), 2)
    sidecar = save_training_case(viewer, folder=tmp_path, annotator="reader A")
    (case,) = load_cases(sidecar.parent.parent)
    study = layer.metadata["study"]
    np.testing.assert_array_equal(io.read_mask(case.labels, study), layer.data)
    np.testing.assert_array_equal(
        io.read_mask(case.prediction, study), layer.metadata["prediction"]
    )
    assert case.facts["model"] == "ct-infection"
    assert case.facts["threshold"] == 0.4
    assert case.facts["annotator"] == "reader A"
    assert case.facts["changed_voxels"] > 0
    assert not edits.is_edited(layer)


def test_panel_saves_in_the_background_and_says_where(viewer, panel, qtbot):
    layer = viewer.layers[-1]
    layer.paint((2, 5, 5), 2)
    assert "not saved" in panel.status.text()
    assert panel.save_button.text().endswith("*")
    panel.save_button.click()
    qtbot.waitUntil(lambda: panel.status.text().startswith("Saved case-"), timeout=5000)
    assert "Dataset702_CT-infection" in panel.status.text()
    assert not panel.save_button.text().endswith("*")
    assert not edits.is_edited(layer)


def test_save_asked_for_twice_saves_once(viewer, panel, qtbot, tmp_path):
    panel.save()
    viewer.layers[-1].name = "renamed"  # the panel shows itself anew
    panel.save()
    qtbot.waitUntil(lambda: panel.status.text().startswith("Saved case-"), timeout=5000)
    qtbot.wait(100)
    assert len(load_cases(tmp_path / "cases" / "Dataset702_CT-infection")) == 1


def test_the_panel_follows_the_preferences(panel, monkeypatch, tmp_path):
    panel.folder.setText("typed")
    panel.follow_preferences()
    assert panel.folder.text() == "typed"
    monkeypatch.setattr(settings, "dataset_folder", lambda: tmp_path / "preferred")
    panel.follow_preferences()
    assert panel.folder.text() == str(tmp_path / "preferred")


def test_edits_made_while_saving_are_not_taken_as_saved(viewer, panel, qtbot):
    layer = viewer.layers[-1]
    layer.paint((2, 5, 5), 2)
    panel.save()
    layer.paint((2, 9, 9), 2)
    qtbot.waitUntil(lambda: "save again" in panel.status.text(), timeout=5000)
    assert edits.is_edited(layer)


def test_panel_follows_the_selected_labels(viewer, panel):
    own = viewer.add_labels(np.zeros((6, 64, 64), np.uint8), name="mine")
    assert panel.chosen is own
    assert panel.scheme.isVisibleTo(panel)
    viewer.layers.selection.active = viewer.layers[1]
    assert panel.chosen is viewer.layers[1]
    assert not panel.scheme.isVisibleTo(panel)
    viewer.layers.remove(own)
    assert panel.layer.count() == 1


def test_labels_drawn_by_hand_alone_can_be_saved(viewer, panel, qtbot, tmp_path):
    own = viewer.add_labels(np.zeros((6, 64, 64), np.uint8), name="mine")
    own.paint((2, 5, 5), 1)
    panel.scheme.setCurrentIndex(panel.scheme.findData("lungs"))
    panel.save()
    qtbot.waitUntil(lambda: panel.status.text().startswith("Saved"), timeout=5000)
    (case,) = load_cases(tmp_path / "cases" / "Dataset701_CT-lungs")
    assert case.prediction is None
    assert json.loads((case.image.parents[1] / "dataset.json").read_text())["numTraining"] == 1


@pytest.fixture
def drawn(qapp, add_scan, scan):
    """A viewer with labels drawn by hand on a scan, and the map of a "Why?" over it."""
    from tests.viewer.test_explainer import add_map

    viewer = ViewerModel()
    add_map(viewer, add_scan(viewer))
    viewer.add_labels(np.ones(scan.array.shape, np.uint8), name="mine")
    return viewer


def test_a_map_over_the_image_does_not_keep_labels_from_being_saved(drawn, scan, tmp_path):
    sidecar = save_training_case(drawn, folder=tmp_path, scheme=INFECTION)
    (case,) = load_cases(sidecar.parent.parent)
    np.testing.assert_array_equal(io.read(case.image).array, scan.array)


def test_a_map_is_never_saved_as_the_image(drawn, tmp_path):
    drawn.layers.remove("scan")
    with pytest.raises(CovidsegError, match="not open"):
        save_training_case(drawn, folder=tmp_path, scheme=INFECTION)
    assert list(tmp_path.rglob("*.nii.gz")) == []


def test_of_several_images_of_a_size_the_selected_one_is_saved(drawn, scan, tmp_path):
    other = scan.replace(array=scan.array + np.int16(7))
    drawn.add_image(other.array, name="other", **geometry.layer_kwargs(other))
    mine = drawn.layers["mine"]
    drawn.layers.selection = {mine}
    with pytest.raises(CovidsegError, match="select the right one together with the labels"):
        save_training_case(drawn, folder=tmp_path, scheme=INFECTION)
    drawn.layers.selection = {mine, drawn.layers["other"]}
    sidecar = save_training_case(drawn, folder=tmp_path, scheme=INFECTION)
    (case,) = load_cases(sidecar.parent.parent)
    np.testing.assert_array_equal(io.read(case.image).array, other.array)


def test_what_is_missing_is_said(viewer, tmp_path):
    with pytest.raises(CovidsegError, match="dataset folder"):
        save_training_case(viewer)
    with pytest.raises(CovidsegError, match="label layer"):
        save_training_case(viewer, viewer.layers[0], folder=tmp_path)
    alone = ViewerModel()
    alone.add_labels(np.zeros((3, 4), np.uint8))
    with pytest.raises(CovidsegError, match="not known"):
        save_training_case(alone, folder=tmp_path)
    with pytest.raises(CovidsegError, match="not open"):
        save_training_case(alone, folder=tmp_path, scheme=INFECTION)


def test_a_failure_is_said_in_the_panel_and_the_edits_stay(viewer, panel, qtbot, tmp_path):
    (tmp_path / "cases").write_text("a file stands there")
    viewer.layers[-1].paint((2, 5, 5), 2)
    panel.save()
    qtbot.waitUntil(lambda: "could not be saved" in panel.status.text(), timeout=5000)
    assert edits.is_edited(viewer.layers[-1])


def test_every_control_has_a_tooltip(panel):
    for control in (
        panel.layer,
        panel.scheme,
        panel.folder,
        panel.browse,
        panel.annotator,
        panel.save_button,
    ):
        assert control.toolTip()


def test_what_was_saved_is_not_said_of_other_labels(viewer, panel, qtbot):
    saved = viewer.layers[-1]
    panel.save()
    qtbot.waitUntil(lambda: panel.status.text().startswith("Saved"), timeout=5000)
    viewer.add_labels(np.zeros((6, 64, 64), np.uint8), name="mine")
    assert panel.status.text() == ""
    viewer.layers.selection.active = saved
    assert panel.status.text().startswith("Saved")


def test_the_meaning_of_foreign_labels_is_asked_of_each_and_never_guessed(viewer, panel, tmp_path):
    mine, other = (viewer.add_labels(np.ones((6, 64, 64), np.uint8), name=n) for n in "ab")
    panel.save()
    assert "is not known: choose it" in panel.status.text()
    assert not (tmp_path / "cases").exists()
    panel.scheme.setCurrentIndex(panel.scheme.findData("infection"))
    assert "not known" not in panel.status.text()
    viewer.layers.selection.active = mine
    assert panel.scheme.currentIndex() == -1
    viewer.layers.selection.active = other
    assert panel.scheme.currentData() == "infection"
