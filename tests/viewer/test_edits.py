"""Hand edits are noticed, shown, kept, and given back."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from napari_covidseg.annotation import recovery
from napari_covidseg.labels import INFECTION
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import Source
from napari_covidseg.viewer import autosave, edits, restore, results
from napari_covidseg.viewer.geometry import study_of


@pytest.fixture
def layer(viewer, add_scan, scan):
    image = add_scan(viewer)
    mask = np.zeros(scan.array.shape, np.uint8)
    mask[2, 30:44, 12:22] = 1
    made = Segmentation(mask, INFECTION, ModelRef("ct-infection", "1.0"), 0.4, 0.9)
    (layer,) = results.add_outcome(viewer, image, scan, Outcome((made,)))
    return layer


def left_behind(monkeypatch):
    """As another process would find them after this one was killed."""
    autosave._writer.submit(int).result()
    with monkeypatch.context() as patch:
        patch.setattr(recovery.owner, "lives", lambda process: False)
        return recovery.find()


def test_a_result_is_not_edited_by_being_looked_at(viewer, layer):
    viewer.dims.set_point(0, 10)
    layer.opacity = 0.2
    layer.refresh()
    assert not edits.is_edited(layer)
    assert not viewer.title.endswith("*")


@pytest.mark.parametrize(
    "edit",
    [
        lambda layer: layer.paint((2, 5, 5), 1),
        lambda layer: layer.fill((2, 35, 15), 2),
        lambda layer: layer.data_setitem((np.array([1]), np.array([1]), np.array([1])), 2),
        lambda layer: setattr(layer, "data", np.ones_like(layer.data)),
    ],
    ids=["paint", "fill", "set", "replace"],
)
def test_every_way_of_editing_is_noticed(viewer, layer, edit):
    edit(layer)
    assert edits.is_edited(layer)
    assert viewer.title == "napari *"


def test_undo_after_saving_is_an_edit(viewer, layer):
    layer.paint((2, 5, 5), 1)
    edits.mark_saved(layer)
    assert viewer.title == "napari"
    layer.undo()
    assert edits.is_edited(layer)


def test_edits_are_kept_and_dropped_when_saved(viewer, layer, monkeypatch):
    layer.paint((2, 5, 5), 2)
    edits.keep_now(viewer)
    (unsaved,) = left_behind(monkeypatch)
    kept, prediction = recovery.load(unsaved)
    np.testing.assert_array_equal(kept, layer.data)
    assert (prediction != kept).any()
    edits.mark_saved(layer)
    assert left_behind(monkeypatch) == ()


def test_an_edit_is_kept_soon_without_being_asked(layer, monkeypatch, qtbot):
    monkeypatch.setattr(autosave, "SECONDS", 0.05)
    layer.paint((2, 5, 5), 2)
    qtbot.waitUntil(lambda: len(left_behind(monkeypatch)) == 1, timeout=3000)


def test_edits_of_a_viewer_closed_by_a_script_are_kept(viewer, layer, monkeypatch):
    layer.paint((2, 5, 5), 2)
    viewer.layers.clear()
    assert len(left_behind(monkeypatch)) == 1


def test_edits_of_a_layer_that_the_user_deletes_go(viewer, layer, monkeypatch):
    layer.paint((2, 5, 5), 2)
    edits.keep_now(viewer)
    monkeypatch.setattr(edits, "interactive", lambda: True)
    viewer.layers.remove(layer)
    assert left_behind(monkeypatch) == ()


def test_a_closing_window_keeps_its_own_edits_and_not_those_deleted_in_another(
    viewer, layer, add_scan, scan, monkeypatch, qtbot
):
    monkeypatch.setattr(edits, "interactive", lambda: True)
    monkeypatch.setattr(edits, "ask_on_close", lambda names, parent: edits.OnClose.KEEP)
    layer.paint((2, 5, 5), 2)
    window = QWidget()
    qtbot.addWidget(window)
    assert not edits._CloseGuard(viewer, window).eventFilter(window, QCloseEvent())
    viewer.layers.clear()
    assert len(left_behind(monkeypatch)) == 1
    other = ViewerModel()
    mask = other.add_labels(np.zeros(scan.array.shape, np.uint8))
    edits.watch(mask, other)
    mask.paint((2, 5, 5), 1)
    edits.keep_now(other)
    other.layers.remove(mask)
    assert len(left_behind(monkeypatch)) == 1


def test_restored_edits_lie_at_their_place_and_are_still_unsaved(viewer, layer, monkeypatch):
    layer.paint((2, 5, 5), 2)
    edits.keep_now(viewer)
    (unsaved,) = left_behind(monkeypatch)
    other = ViewerModel()
    back = restore.restore(other, unsaved)
    np.testing.assert_array_equal(back.data, layer.data)
    np.testing.assert_allclose(back.scale, layer.scale)
    np.testing.assert_allclose(back.translate, layer.translate)
    assert back.units == layer.units
    assert back.metadata["covidseg"]["model"] == "ct-infection"
    np.testing.assert_array_equal(back.metadata["prediction"], layer.metadata["prediction"])
    assert edits.is_edited(back)
    assert len(left_behind(monkeypatch)) == 1


def test_restored_edits_find_their_image_again(tmp_path, viewer, scan, monkeypatch):
    from napari_covidseg import io
    from napari_covidseg.viewer.reader import image_layer

    path = tmp_path / "scan.nii.gz"
    io.write_image(scan, path)
    study = io.read(path)
    data, kwargs, _ = image_layer(study)
    image = viewer.add_image(data, **kwargs)
    made = Segmentation(np.zeros(data.shape, np.uint8), INFECTION, ModelRef("m", "1"), 0.4, 0.9)
    (layer,) = results.add_outcome(viewer, image, study, Outcome((made,)))
    layer.paint((2, 5, 5), 2)
    edits.keep_now(viewer)
    (unsaved,) = left_behind(monkeypatch)
    other = ViewerModel()
    back = restore.restore(other, unsaved)
    assert len(other.layers) == 2
    assert results.source_of(other, back) is other.layers[0]
    np.testing.assert_array_equal(study_of(back).array, study.array)
    path.unlink()
    alone = restore.restore(ViewerModel(), unsaved)
    np.testing.assert_array_equal(alone.data, back.data)


def test_metadata_of_kept_edits_hold_no_header(layer, scan, monkeypatch):
    layer.metadata["study"] = scan.replace(source=Source("dicom", "DOE^JANE", header="DOE^JANE"))
    facts = autosave.describe(layer)
    assert "DOE" not in repr(facts)


def test_question_is_asked_once_and_not_without_edits(viewer, qtbot, monkeypatch):
    monkeypatch.setattr(restore, "_offered", set())
    assert restore.offer(viewer) is None
    recovery.keep(recovery.new_file(), np.ones((2, 3), np.uint8), None, {"name": "lungs"})
    monkeypatch.setattr(recovery.owner, "lives", lambda process: False)
    box = restore.offer(viewer)
    qtbot.addWidget(box)
    assert "lungs" in box.informativeText()
    assert restore.offer(viewer) is None


def test_a_layer_with_no_viewer_can_be_watched(qapp):
    layer = Labels(np.zeros((3, 4), np.uint8))
    edits.watch(layer)
    layer.paint((1, 1), 1)
    assert edits.is_edited(layer)
    assert not edits.is_edited(Labels(np.zeros((3, 4), np.uint8)))
