"""The dock widget on a viewer model, with no window: the fake child does the runs."""

import threading

import numpy as np
import pytest
from napari.utils import progress as napari_progress
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.doctor import Finding
from napari_covidseg.study import Modality
from napari_covidseg.viewer import geometry
from napari_covidseg.viewer.check import Answers, with_answers
from napari_covidseg.viewer.image_panel import facts
from napari_covidseg.viewer.run_controls import RunState
from napari_covidseg.viewer.summary import summarise
from napari_covidseg.viewer.widget import SegmentationWidget
from tests.viewer.conftest import shown_text


def wait_idle(qtbot, widget):
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=20_000)


def wait_ready(qtbot, widget):
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=10_000)


def run(qtbot, widget):
    wait_ready(qtbot, widget)
    widget.run()
    assert widget.controls.state is RunState.RUNNING
    wait_idle(qtbot, widget)


def test_with_no_image_it_says_how_to_begin(widget):
    assert "No image is open" in shown_text(widget)
    assert not widget.controls.button.isEnabled()
    assert RESEARCH_ONLY in shown_text(widget)


def test_run_adds_label_layers_where_the_image_lies(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    run(qtbot, widget)
    lungs, infection = viewer.layers[1:]
    assert (lungs.name, infection.name) == ("lungs - scan", "infection - scan")
    for layer in (lungs, infection):
        assert layer.data.dtype == np.uint8
        np.testing.assert_array_equal(layer.extent.world, image.extent.world)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
    assert lungs.metadata["covidseg"]["model"] == "ct-lungs"
    assert lungs.metadata["covidseg"]["version"] == "1.0"
    assert lungs.metadata["covidseg"]["threshold"] == 0.5
    # the patient's right lung is at the left of the picture
    assert set(np.unique(lungs.data[:, :, :32])) == {0, 1}
    text = shown_text(widget)
    assert "Lung, mL" in text and "Right" in text and "Infection, % of lung" in text
    assert "How sure" in text and "on the CPU" in text


def test_classification_gives_scan_and_slice(widget, viewer, qtbot, add_scan):
    add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.classify()
    wait_idle(qtbot, widget)
    viewer.dims.set_current_step(0, 3)
    text = shown_text(widget)
    assert "COVID-19: probability 0.80 for the scan, above the threshold 0.50." in text
    assert "This slice (3): 0.45." in text
    assert len(viewer.layers) == 1


def test_a_second_run_replaces_the_first_result_unless_it_was_edited(
    widget, viewer, qtbot, add_scan
):
    add_scan(viewer)
    widget.models.want("lungs")
    run(qtbot, widget)
    first = viewer.layers["lungs - scan"]
    run(qtbot, widget)
    second = viewer.layers["lungs - scan"]
    assert len(viewer.layers) == 2 and second is not first
    second.paint((0, 20, 20), 2)
    corrected = second.data.copy()
    run(qtbot, widget)
    assert len(viewer.layers) == 3
    np.testing.assert_array_equal(second.data, corrected)
    assert "Kept what you corrected (lungs - scan)" in widget.controls.line.text()


def test_cancel_says_so_and_the_next_run_works(widget, viewer, qtbot, add_scan, monkeypatch):
    add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.runner.start(widget.image.layer, widget.checked, ["sleep"])
    qtbot.waitUntil(lambda: "Running sleep" in widget.controls.line.text(), timeout=20_000)
    widget.controls.button.click()
    assert widget.controls.button.text() == "Cancelling"
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=500)
    assert "Cancelled" in widget.controls.line.text()
    assert len(viewer.layers) == 1
    run(qtbot, widget)
    assert len(viewer.layers) == 3


def test_cancel_while_the_results_are_summarised(widget, viewer, qtbot, add_scan, monkeypatch):
    """The engine has done its part by then; what comes after must come to nothing."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(study, outcome):
        begun.set()
        go_on.wait(10)
        return summarise(study, outcome)

    add_scan(viewer)
    wait_ready(qtbot, widget)
    monkeypatch.setattr("napari_covidseg.viewer.runner.summarise", slow)
    widget.run()
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    widget.controls.button.click()
    assert widget.controls.state is RunState.IDLE
    assert "Cancelled" in widget.controls.line.text()
    widget.run()
    go_on.set()
    wait_idle(qtbot, widget)
    qtbot.wait(100)
    assert [layer.name for layer in viewer.layers[1:]] == ["lungs - scan", "infection - scan"]
    assert "Done" in widget.controls.line.text()


def test_a_run_cannot_be_cancelled_before_it_has_begun(widget, monkeypatch):
    """napari serves events while it makes its own progress bar."""
    clickable = []

    def make(**options):
        clickable.append(widget.controls.button.isEnabled())
        return napari_progress(**options)

    monkeypatch.setattr("napari_covidseg.viewer.run_controls.napari_progress", make)
    widget.controls.start()
    assert clickable == [False]
    assert widget.controls.button.isEnabled()
    widget.controls.finish("")


@pytest.mark.parametrize(
    ("model", "words"), [("killed", "memory ran out"), ("bad-input", "is empty"), ("bug", "ours")]
)
def test_a_failed_run_is_told_in_words(widget, viewer, qtbot, add_scan, model, words):
    add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.runner.start(widget.image.layer, widget.checked, [model])
    wait_idle(qtbot, widget)
    assert words in widget.controls.line.text()
    assert widget.controls.button.text() == "Run"


def test_an_image_closed_during_the_run_is_told(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.run()
    viewer.layers.remove(image)
    wait_idle(qtbot, widget)
    assert "closed during the run" in widget.controls.line.text()
    assert len(viewer.layers) == 0


def test_an_image_that_got_other_pixels_during_the_run_is_told(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.run()
    image.data = image.data[:, ::-1].copy()
    wait_idle(qtbot, widget)
    assert "other pixels" in widget.controls.line.text()
    assert len(viewer.layers) == 1


def test_a_change_of_the_image_is_looked_at(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    wait_ready(qtbot, widget)
    image.scale = (4, 3, 2)
    assert widget.checked is None
    wait_ready(qtbot, widget)
    assert widget.checked.detected.spacing == pytest.approx((4, 3, 2))
    image.data = image.data[:3].copy()
    wait_ready(qtbot, widget)
    assert widget.checked.detected.array.shape[0] == 3


def test_results_are_never_shown_for_another_image(widget, viewer, qtbot, add_scan):
    first, second = add_scan(viewer, "first"), add_scan(viewer, "second")
    viewer.layers.selection.active = first
    wait_ready(qtbot, widget)
    widget.classify()
    viewer.layers.selection.active = second
    wait_idle(qtbot, widget)
    assert widget.image.layer is first
    assert "COVID-19: probability" in shown_text(widget)
    viewer.layers.selection.active = second
    assert "COVID-19: probability" not in shown_text(widget)
    wait_ready(qtbot, widget)
    widget.segment()
    wait_idle(qtbot, widget)
    widget.measure()
    qtbot.waitUntil(lambda: "Measured" in widget.controls.line.text(), timeout=10_000)
    assert "COVID-19: probability" not in shown_text(widget)


def test_measuring_after_another_image_was_classified_does_not_borrow_its_probability(
    widget, viewer, qtbot, add_scan
):
    first, second = add_scan(viewer, "first"), add_scan(viewer, "second")
    wait_ready(qtbot, widget)
    widget.segment()
    wait_idle(qtbot, widget)
    viewer.layers.selection.active = first
    wait_ready(qtbot, widget)
    widget.classify()
    wait_idle(qtbot, widget)
    viewer.layers.selection.active = second
    wait_ready(qtbot, widget)
    widget.measure()
    qtbot.waitUntil(lambda: "Measured" in widget.controls.line.text(), timeout=10_000)
    assert widget.results.summary.classifications == ()


def test_the_chosen_image_follows_the_active_layer(widget, viewer, qtbot, add_scan):
    first, second = add_scan(viewer, "first"), add_scan(viewer, "second")
    assert widget.image.layer is second
    viewer.layers.selection.active = first
    assert widget.image.layer is first
    run(qtbot, widget)
    viewer.layers.selection.active = second
    viewer.layers.selection.active = viewer.layers["lungs - first"]
    assert widget.image.layer is first
    first.name = "renamed"
    assert widget.image.image.currentText() == "renamed"


def test_the_modality_can_be_overruled_and_brings_its_models(widget, viewer, qtbot, add_scan):
    add_scan(viewer)
    wait_ready(qtbot, widget)
    assert widget.image.modality.currentText() == "CT (detected)"
    assert widget.models.selected == ["ct-lungs", "ct-infection"]
    combo = widget.image.modality
    combo.setCurrentIndex(combo.findData(Modality.XR))
    combo.activated.emit(combo.currentIndex())
    qtbot.waitUntil(lambda: widget.models.selected == ["xray-lungs", "xray-ggo"], timeout=10_000)
    assert not widget.models.ticks["classification"].isEnabled()


def test_a_layer_of_another_reader_is_asked_for_what_it_does_not_tell(widget, viewer, qtbot, scan):
    viewer.add_image(scan.array.copy(), name="foreign")
    wait_ready(qtbot, widget)
    assert widget.image.values.isVisibleTo(widget)
    assert widget.image.spacing.isVisibleTo(widget)
    assert widget.checked.study.voxel_ml is None
    for axis, mm in zip("zyx", (5.0, 2.0, 2.0), strict=True):
        widget.image.spacing.axes[axis].setValue(mm)
    qtbot.waitUntil(
        lambda: widget.checked is not None and widget.checked.study.voxel_ml is not None,
        timeout=10_000,
    )
    assert widget.checked.study.spacing == pytest.approx((5.0, 2.0, 2.0))


def test_the_spacing_of_one_image_is_not_offered_for_the_next(widget, viewer, qtbot, scan):
    viewer.add_image(scan.array.copy(), name="first")
    wait_ready(qtbot, widget)
    for axis, mm in zip("zyx", (5.0, 2.0, 2.0), strict=True):
        widget.image.spacing.axes[axis].setValue(mm)
    qtbot.waitUntil(lambda: widget.checked is not None and widget.checked.study.spacing_known)
    viewer.add_image(scan.array.copy(), name="second")
    qtbot.waitUntil(
        lambda: widget.checked is not None and not widget.checked.study.spacing_known,
        timeout=10_000,
    )
    assert widget.image.spacing.given is None
    widget.image.image.setCurrentIndex(0)
    qtbot.waitUntil(lambda: widget.image.spacing.given == (5.0, 2.0, 2.0), timeout=10_000)


def test_findings_have_words_and_their_fix_a_way_back(widget, viewer, qtbot, add_scan, monkeypatch):
    finding = Finding(
        "upside-down", "warning", "It is upside down.", "Sides swap.", "Flip it.", "flip-vertical"
    )
    monkeypatch.setattr(
        "napari_covidseg.doctor.examine", lambda study: () if study.is_hu else (finding,)
    )
    monkeypatch.setattr(
        "napari_covidseg.doctor.apply_fix", lambda study, code: study.replace(is_hu=True)
    )
    image = add_scan(viewer)
    wait_ready(qtbot, widget)
    assert "Nothing speaks against a run" in shown_text(widget)
    image.metadata["study"] = image.metadata["study"].replace(is_hu=False)
    widget.image.set_answers(widget.image.answers)
    qtbot.waitUntil(lambda: "It is upside down." in shown_text(widget), timeout=10_000)
    visible_button(widget, "Flip").click()
    qtbot.waitUntil(lambda: "Fixed:" in shown_text(widget), timeout=10_000)
    assert widget.checked.study.is_hu and not widget.checked.detected.is_hu
    visible_button(widget, "Undo").click()
    qtbot.waitUntil(lambda: "Warning:" in shown_text(widget), timeout=10_000)


def test_a_fix_that_no_longer_fits_does_not_make_the_image_unusable(widget, viewer, qtbot, scan):
    slice_ = np.clip((scan.array[3].astype(int) + 1000) // 6, 0, 255).astype(np.uint8)
    viewer.add_image(slice_, name="picture")
    combo = widget.image.modality

    def choose(modality):
        combo.setCurrentIndex(combo.findData(modality))
        combo.activated.emit(combo.currentIndex())
        qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)

    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    choose(Modality.CT)
    visible_button(widget, "Assume").click()
    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    assert widget.checked.study.spacing_known
    choose(Modality.XR)
    assert widget.checked.study.modality is Modality.XR
    assert not widget.checked.study.spacing_known
    assert combo.currentData() is Modality.XR and combo.count() == 3
    assert "Not fixed:" in shown_text(widget)
    assert "for a single CT slice only" in shown_text(widget)
    wait_ready(qtbot, widget)
    visible_button(widget, "Undo").click()
    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    assert widget.image.answers.fixes == () and "Not fixed:" not in shown_text(widget)


def test_a_fault_of_ours_in_the_check_can_be_undone(widget, viewer, qtbot, add_scan, monkeypatch):
    def fail(study, code):
        raise ValueError(code)

    monkeypatch.setattr("napari_covidseg.doctor.apply_fix", fail)
    add_scan(viewer)
    wait_ready(qtbot, widget)
    widget.image.set_answers(widget.image.answers.fixed("invert"))
    qtbot.waitUntil(lambda: "fault of ours" in shown_text(widget), timeout=10_000)
    assert widget.image.modality.currentText() == "CT (detected)"
    assert not widget.controls.button.isEnabled()
    visible_button(widget, "Undo").click()
    wait_ready(qtbot, widget)


def visible_button(widget, text):
    QApplication.processEvents()  # a row that joins a visible panel is shown by the event loop
    found = [b for b in widget.findChildren(QAbstractButton) if b.text() == text]
    return next(b for b in found if b.isVisibleTo(widget))


def test_a_stop_finding_forbids_the_run_and_says_why(widget, viewer, qtbot, add_scan, monkeypatch):
    stop = Finding("empty", "stop", "The image is empty.", "Nothing can be found.")
    monkeypatch.setattr("napari_covidseg.doctor.examine", lambda study: (stop,))
    add_scan(viewer)
    qtbot.waitUntil(lambda: "Cannot run" in shown_text(widget), timeout=10_000)
    assert not widget.controls.button.isEnabled()
    widget.run()
    assert widget.controls.line.text() == "The image is empty."


def test_a_layer_that_cannot_be_read_is_told(widget, viewer, qtbot, add_scan):
    add_scan(viewer)
    wait_ready(qtbot, widget)
    viewer.add_image(np.zeros((2, 3, 4, 8, 8)), name="5D")
    qtbot.waitUntil(lambda: "'5D' has" in shown_text(widget), timeout=10_000)
    assert widget.image.modality.count() == 0  # nothing left of the image before
    assert not widget.controls.button.isEnabled()


def test_measuring_counts_corrections(widget, viewer, qtbot, add_scan):
    add_scan(viewer)
    run(qtbot, widget)
    before = widget.results.summary.measurement.row("lung", "both").voxels
    lungs = viewer.layers["lungs - scan"]
    lungs.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    widget.measure()
    qtbot.waitUntil(
        lambda: widget.results.summary.measurement.row("lung", "both").voxels == before + 1,
        timeout=10_000,
    )


def test_what_was_corrected_is_measured_after_another_run(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    widget.models.want("infection", "classification")
    run(qtbot, widget)
    corrected = viewer.layers["infection - scan"]
    corrected.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    run(qtbot, widget)
    ours = int((corrected.data > 0).sum())
    assert ours == int((viewer.layers["infection - scan [1]"].data > 0).sum()) + 1
    viewer.layers.selection.active = image
    widget.measure()
    qtbot.waitUntil(lambda: "Measured" in widget.controls.line.text(), timeout=10_000)
    assert widget.results.summary.measurement.row("infection", "image").voxels == ours
    assert "Measured as they are now: infection - scan." in shown_text(widget)
    assert "COVID-19: probability" in shown_text(widget)


def test_a_picture_and_an_rgb_picture_work(widget, viewer, qtbot, scan):
    slice_ = np.clip((scan.array[3].astype(int) + 1000) // 6, 0, 255).astype(np.uint8)
    for data in (slice_, np.stack([slice_] * 3, axis=-1)):
        image = viewer.add_image(data, name="picture")
        combo = widget.image.modality
        qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
        combo.setCurrentIndex(combo.findData(Modality.CT))
        combo.activated.emit(combo.currentIndex())
        run(qtbot, widget)
        assert viewer.layers["lungs - picture"].data.shape == slice_.shape
        np.testing.assert_array_equal(
            viewer.layers["lungs - picture"].extent.world, image.extent.world
        )
        viewer.layers.clear()


def test_every_control_has_a_tooltip(widget, viewer, qtbot, add_scan):
    add_scan(viewer)
    run(qtbot, widget)
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox)
    ours = [w for kind in kinds for w in widget.findChildren(kind) if w.isVisibleTo(widget)]
    assert len(ours) > 8
    assert [w for w in ours if not w.toolTip()] == []


def test_the_card_is_shown(widget, viewer, qtbot, add_scan, models):
    from napari_covidseg.viewer.model_rows import card_dialog

    add_scan(viewer)
    wait_ready(qtbot, widget)
    dialog = card_dialog(widget.models.offered("lungs")[0], widget)
    assert "Card of ct-lungs" in dialog.findChildren(type(dialog).__mro__[1])[0].toPlainText()


def test_it_lets_go_of_the_viewer_when_its_dock_is_closed(viewer, qtbot, models, fake_engine):
    from qtpy.QtWidgets import QWidget

    home = QWidget()
    qtbot.addWidget(home)
    widget = SegmentationWidget(viewer, home)
    qtbot.waitUntil(lambda: widget.bridge.engine.pid is not None, timeout=10_000)
    widget.setParent(None)
    assert widget.bridge.engine.pid is None
    viewer.add_image(np.zeros((4, 4)))
    assert widget.image.image.count() == 0


def test_a_dock_that_is_closed_at_once_starts_no_engine(viewer, qtbot, models, fake_engine):
    viewer.add_image(np.zeros((4, 8, 8), np.int16))
    widget = SegmentationWidget(viewer)
    qtbot.addWidget(widget)
    widget.shutdown()
    qtbot.wait(500)
    assert widget.bridge.engine.pid is None
    assert widget.checked is None


def test_geometry_of_a_result_is_the_layers_not_the_studys(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    image.scale, image.translate = (4, 3, 2), (7, 8, 9)
    run(qtbot, widget)
    lungs = viewer.layers["lungs - scan"]
    np.testing.assert_array_equal(lungs.scale, (4, 3, 2))
    np.testing.assert_array_equal(lungs.translate, (7, 8, 9))
    assert geometry.study_of(lungs) is not None


def test_a_run_asked_for_before_all_is_ready_is_done_when_it_is(
    viewer, qtbot, models, fake_engine, add_scan
):
    add_scan(viewer)
    widget = SegmentationWidget(viewer)
    qtbot.addWidget(widget)
    widget.segment()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    wait_idle(qtbot, widget)
    widget.shutdown()


def test_the_image_panel_says_which_side_is_which() -> None:
    from napari_covidseg.study import from_array

    known = from_array(np.zeros((4, 5, 6), np.int16), affine=np.diag([-2.0, -1.0, -1.0, 1.0]))
    assert facts(known, known) == "4 x 5 x 6, 2 x 1 x 1 mm. Left of the picture: patient's right."
    picture = from_array(np.zeros((5, 6), np.uint8))
    unknown = facts(picture, picture)
    assert "spacing not known" in unknown
    assert "is taken for the patient's right" in unknown


@pytest.mark.parametrize(
    ("fixes", "edge"),
    [
        ((), "Left"),
        (("flip-horizontal",), "Right"),
        (("flip-vertical",), "Left"),
        (("rotate-180",), "Right"),
        (("rotate-90",), "Bottom"),
        (("rotate-270",), "Top"),
        (("rotate-90", "flip-horizontal"), "Top"),
    ],
)
def test_the_side_that_is_told_is_that_of_the_answers(scan, fixes, edge):
    answered = with_answers(scan, Answers(fixes=fixes))
    assert facts(scan, answered).endswith(f"{edge} of the picture: patient's right.")
    right = np.zeros(answered.array.shape, bool)
    right[..., 0] = True
    shown = scan.grid.to_display(answered.grid.to_native(right))
    edges = {"Left": np.s_[..., 0], "Right": np.s_[..., -1]}
    edges |= {"Top": np.s_[..., 0, :], "Bottom": np.s_[..., -1, :]}
    assert shown[edges[edge]].all()


def test_without_an_image_no_model_is_said_to_be_missing(widget):
    for names in widget.models.names.values():
        assert names.placeholderText() == "CT or X-ray?"
        assert "No model" not in names.toolTip()


def test_results_come_back_with_their_image_and_its_line_does_not_stay(
    widget, viewer, qtbot, add_scan
):
    first = add_scan(viewer, "first")
    wait_ready(qtbot, widget)
    widget.classify()
    wait_idle(qtbot, widget)
    assert "Done" in widget.controls.line.text()
    add_scan(viewer, "second")
    assert widget.controls.line.text() == ""
    assert "COVID-19: probability" not in shown_text(widget)
    viewer.layers.selection.active = first
    assert "COVID-19: probability" in shown_text(widget)
    viewer.layers.clear()
    assert "COVID-19: probability" not in shown_text(widget)


def test_a_run_asked_for_on_one_image_is_not_done_on_the_next(widget, viewer, qtbot, add_scan):
    add_scan(viewer, "first")
    widget.segment()
    assert "Looking at the image" in widget.controls.line.text()
    add_scan(viewer, "second")
    wait_ready(qtbot, widget)
    qtbot.wait(100)
    assert widget.controls.state is RunState.IDLE
    assert widget.controls.line.text() == ""
    assert len(viewer.layers) == 2


def test_a_run_asked_for_on_what_cannot_be_read_is_answered(widget, viewer, qtbot):
    viewer.add_image(np.zeros((2, 3, 4, 8, 8)), name="5D")
    widget.segment()
    qtbot.waitUntil(lambda: "'5D' has" in widget.controls.line.text(), timeout=10_000)


def type_spacing(widget, *mm):
    for axis, value in zip("zyx"[-len(mm) :], mm, strict=True):
        widget.image.spacing.axes[axis].setValue(value)


def test_a_typed_spacing_takes_the_place_of_an_assumed_one_and_can_be_taken_back(
    widget, viewer, qtbot, scan
):
    def spacing():
        return widget.checked.study.spacing if widget.checked else None

    viewer.add_image(scan.array[3].copy(), name="slice")
    wait_ready(qtbot, widget)
    visible_button(widget, "Assume").click()
    qtbot.waitUntil(lambda: spacing() == pytest.approx((6.0, 6.0)), timeout=10_000)
    type_spacing(widget, 2.0, 3.0)
    qtbot.waitUntil(lambda: spacing() == pytest.approx((2.0, 3.0)), timeout=10_000)
    assert "Fixed:" not in shown_text(widget)
    type_spacing(widget, 0.0)
    qtbot.waitUntil(
        lambda: widget.checked is not None and not widget.checked.study.spacing_known,
        timeout=10_000,
    )
    assert widget.image.spacing.axes["y"].value() == 2.0


def test_a_spacing_can_be_typed_in_place_of_an_ignored_one(widget, viewer, qtbot, add_scan):
    def known():
        return widget.checked.study.spacing_known if widget.checked else None

    def spacing():
        return widget.checked.study.spacing if widget.checked else None

    image = add_scan(viewer)
    image.scale = (5000, 2000, 2000)
    wait_ready(qtbot, widget)
    assert not widget.image.spacing.isVisibleTo(widget)
    visible_button(widget, "Ignore").click()
    qtbot.waitUntil(lambda: known() is False, timeout=10_000)
    assert widget.image.spacing.isVisibleTo(widget)
    boxes = widget.image.spacing.axes.values()
    assert [box.value() for box in boxes] == [0, 0, 0]
    type_spacing(widget, 5.0, 2.0)
    assert widget.image.answers.spacing is None  # one number is still to come
    type_spacing(widget, 5.0, 2.0, 3.0)
    qtbot.waitUntil(lambda: spacing() == pytest.approx((5, 2, 3)), timeout=10_000)
    assert known() and widget.image.spacing.isVisibleTo(widget)
    assert "make no human chest" in shown_text(widget).partition("Fixed:")[2]
    assert not widget.checked.kept.spacing_known  # what is saved has none, as the file
    visible_button(widget, "Undo").click()
    qtbot.waitUntil(lambda: spacing() == pytest.approx((5000, 2000, 2000)), timeout=10_000)
    assert not widget.image.spacing.isVisibleTo(widget)
    assert widget.image.answers == Answers()


def test_a_typed_spacing_that_makes_no_chest_can_be_ignored_and_typed_anew(
    widget, viewer, qtbot, scan
):
    def spacing():
        study = widget.checked.study if widget.checked else None
        return study.spacing if study and study.spacing_known else None

    viewer.add_image(scan.array.copy(), name="foreign")
    wait_ready(qtbot, widget)
    type_spacing(widget, 5000.0, 90.0, 90.0)
    qtbot.waitUntil(lambda: spacing() == pytest.approx((100, 90, 90)), timeout=10_000)
    visible_button(widget, "Ignore").click()
    qtbot.waitUntil(lambda: widget.checked is not None and spacing() is None, timeout=10_000)
    assert [box.value() for box in widget.image.spacing.axes.values()] == [0, 0, 0]
    type_spacing(widget, 5.0, 2.0, 2.0)
    qtbot.waitUntil(lambda: spacing() == pytest.approx((5, 2, 2)), timeout=10_000)


def test_a_chosen_modality_says_nothing_of_the_spacing(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    image.scale = (5.00049, 2, 2)
    wait_ready(qtbot, widget)
    combo = widget.image.modality
    combo.setCurrentIndex(combo.findData(Modality.CT))
    combo.activated.emit(combo.currentIndex())
    wait_ready(qtbot, widget)
    assert widget.image.answers == Answers(modality=Modality.CT)
    image.scale = (4, 2, 2)
    wait_ready(qtbot, widget)
    assert widget.checked.study.spacing == pytest.approx((4, 2, 2))


def test_results_of_other_answers_are_said_to_be_outdated(widget, viewer, qtbot, add_scan):
    def outdated():
        return "since this run: run again" in shown_text(widget)

    add_scan(viewer)
    run(qtbot, widget)
    assert not outdated()
    widget.image.set_answers(Answers(fixes=("flip-horizontal",)))
    qtbot.waitUntil(outdated, timeout=10_000)
    widget.measure()
    qtbot.waitUntil(lambda: "Measured" in widget.controls.line.text(), timeout=10_000)
    assert outdated()
    widget.image.set_answers(Answers())
    qtbot.waitUntil(lambda: not outdated(), timeout=10_000)
    widget.image.set_answers(Answers(fixes=("flip-horizontal",)))
    qtbot.waitUntil(outdated, timeout=10_000)
    run(qtbot, widget)
    assert not outdated()
