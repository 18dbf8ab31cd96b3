"""The map of a classification: its place, its words, and what it must not disturb."""

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_covidseg.segmentation import CamMethod, Classification, Explanation, ModelRef
from napari_covidseg.viewer import explainer, why_button
from napari_covidseg.viewer.check import Answers, Check, onto_pixels, with_answers
from napari_covidseg.viewer.run_controls import RunState
from napari_covidseg.viewer.summary import Summary
from napari_covidseg.viewer.summary_panel import SummaryPanel
from napari_covidseg.viewer.why_button import WhyButton
from tests.viewer.conftest import shown_text


@pytest.fixture(autouse=True)
def first_method(monkeypatch):
    """Let each test begin as a session does."""
    monkeypatch.setattr(why_button, "_chosen", [CamMethod.GRADCAM])


def explanation(pixels, inside=0.75, lungs=0.3, method="gradcam"):
    return Explanation(ModelRef("ct-covid", "1.0"), method, pixels, inside, lungs, ((0, inside),))


def add_map(viewer, layer, method="gradcam"):
    pixels = np.zeros(layer.data.shape, np.uint8)
    made = explainer.map_layer(layer, explanation(pixels, method=method), pixels)
    explainer.add_map(viewer, layer, made)
    return made


def test_the_map_lies_where_the_image_lies(viewer, add_scan, scan):
    layer = add_scan(viewer)
    made = add_map(viewer, layer)
    assert made.name == "Grad-CAM - scan"
    for point in ((0, 0, 0), (3, 20, 31)):
        assert np.allclose(made.data_to_world(point), layer.data_to_world(point))
    assert made.colormap.map(np.array([0.0]))[0, 3] == 0  # the image is seen where nothing is
    assert made.colormap.map(np.array([1.0]))[0, 3] == 1
    assert list(made.contrast_limits) == [0, 255]
    picture = viewer.add_image(scan.array[0], scale=(2, 3), name="picture")
    flat = np.zeros(scan.array[0].shape, np.float32)
    over = explainer.map_layer(picture, explanation(flat), flat)
    assert list(over.contrast_limits) == [0, 1] and np.allclose(over.scale, (2, 3))


def test_it_goes_between_image_and_masks_and_replaces_the_last(viewer, add_scan, scan):
    layer = add_scan(viewer)
    mask = viewer.add_labels(np.zeros(scan.array.shape, np.uint8), name="mask")
    first = add_map(viewer, layer)
    second = add_map(viewer, layer)
    assert list(viewer.layers) == [layer, second, mask]
    assert first not in viewer.layers
    assert viewer.layers.selection.active is mask


def test_a_map_of_another_image_stays(viewer, add_scan):
    a, b = add_scan(viewer, "a"), add_scan(viewer, "b")
    first, second = add_map(viewer, a), add_map(viewer, b)
    assert list(viewer.layers) == [a, first, b, second]


def test_maps_by_both_methods_stand_beside_each_other_and_one_is_shown(viewer, add_scan):
    layer = add_scan(viewer)
    old, other = add_map(viewer, layer), add_map(viewer, layer, "hirescam")
    assert {x.name for x in viewer.layers} == {"scan", "Grad-CAM - scan", "HiResCAM - scan"}
    assert other.visible and not old.visible
    again = add_map(viewer, layer)
    assert old not in viewer.layers and other in viewer.layers
    assert again.visible and not other.visible


def test_a_map_is_no_image_to_work_on(viewer, add_scan, qtbot):
    from napari_covidseg.viewer.image_panel import ImagePanel

    panel = ImagePanel(viewer)
    qtbot.addWidget(panel)
    layer, other = add_scan(viewer), add_scan(viewer, "other")
    made = add_map(viewer, layer)
    assert [panel.image.itemText(i) for i in range(panel.image.count())] == ["scan", "other"]
    viewer.layers.selection.active = other
    assert panel.layer is other
    viewer.layers.selection.active = made  # follows to the image that it explains
    assert panel.layer is layer
    panel.detach()


@pytest.mark.parametrize("fixes", [("flip-horizontal",), ("rotate-90",)])
def test_a_map_of_a_turned_image_lands_on_the_layers_own_pixels(scan, fixes):
    turned = with_answers(scan, Answers(fixes=fixes))
    assert not np.array_equal(turned.array, scan.array)
    shown = onto_pixels(turned.array, Check(scan, turned, ()))
    np.testing.assert_array_equal(shown, scan.array)


@pytest.mark.parametrize(
    ("inside", "lungs", "expected"),
    [
        (0.75, 0.3, "75% of what speaks for COVID-19 lies in the lungs, which are 30%"),
        (0.2, 0.3, "no more than if it had looked anywhere"),
        (float("nan"), 0.3, "nothing that was seen speaks for COVID-19"),
        (float("nan"), float("nan"), "no lung was found"),
    ],
)
def test_the_words(inside, lungs, expected):
    made = explanation(np.zeros((2, 2)), inside, lungs)
    assert expected in explainer.words(made, "COVID-19")


# ---------------------------------------------------------------- In the widget


def press_why(qtbot, widget):
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=10_000)
    widget.classify()
    qtbot.waitUntil(lambda: bool(widget.results.summary.classifications), timeout=20_000)
    (why,) = [b for b in widget.results.findChildren(QPushButton) if b.text() == "Why?"]
    assert "COVID-19" in why.toolTip()
    why.click()
    assert widget.controls.state is RunState.RUNNING
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=20_000)


def test_why_puts_the_map_over_the_image_and_says_its_share(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    press_why(qtbot, widget)
    made = viewer.layers["Grad-CAM - scan"]
    assert viewer.layers.index(made) == viewer.layers.index(image) + 1
    np.testing.assert_array_equal(made.extent.world, image.extent.world)
    np.testing.assert_array_equal(made.data > 0, (image.data > -700) & (image.data < -300))
    assert "75% of what speaks for COVID-19 lies in the lungs" in shown_text(widget)
    assert "Explained in" in widget.controls.line.text()
    assert widget.image.layer is image and widget.results.isVisible()


def test_the_method_that_was_chosen_is_kept_and_each_says_its_share(
    widget, viewer, qtbot, add_scan
):
    add_scan(viewer)
    press_why(qtbot, widget)
    (why,) = widget.results.findChildren(WhyButton)
    assert [x.text() for x in why.methods.values()] == ["Grad-CAM", "HiResCAM"]
    why.methods[CamMethod.HIRESCAM].trigger()
    qtbot.waitUntil(lambda: "HiResCAM - scan" in viewer.layers, timeout=20_000)
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=20_000)
    assert "Grad-CAM - scan" in viewer.layers
    assert "Grad-CAM: 75%" in shown_text(widget) and "HiResCAM: 75%" in shown_text(widget)
    viewer.layers.remove("HiResCAM - scan")
    why.ask.click()
    qtbot.waitUntil(lambda: "HiResCAM - scan" in viewer.layers, timeout=20_000)
    other = WhyButton("tuberculosis")
    qtbot.addWidget(other)
    other.choose.menu().aboutToShow.emit()
    assert other.methods[CamMethod.HIRESCAM].isChecked()
    with qtbot.waitSignal(other.wanted) as asked:
        other.ask.click()
    assert asked.args == ["hirescam"]


def test_question_and_choice_fit_a_narrow_column(viewer, qtbot, add_scan):
    panel = SummaryPanel(viewer)
    qtbot.addWidget(panel)
    result = Classification(ModelRef("ct-covid", "1.0"), "COVID-19", 0.8, 0.5, ((0, 0.8),))
    panel.show_summary(Summary(classifications=(result,)), add_scan(viewer))
    assert panel.minimumSizeHint().width() <= 300
    (why,) = panel.findChildren(WhyButton)
    assert why.ask.toolTip() and why.choose.toolTip()
    panel.detach()


def test_the_version_that_answered_is_explained(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=10_000)
    result = Classification(ModelRef("ct-covid", "0.9"), "COVID-19", 0.8, 0.5, ((0, 0.8),))
    widget.explainer.start(image, widget.checked, result)
    qtbot.waitUntil(lambda: "Grad-CAM - scan" in viewer.layers, timeout=20_000)
    made = viewer.layers["Grad-CAM - scan"].metadata["covidseg"]
    assert (made["explains"], made["version"]) == ("ct-covid", "0.9")


@pytest.mark.parametrize("change", ["pixels", "fix"])
def test_an_answer_to_what_the_image_was_before_is_not_explained(
    widget, viewer, qtbot, add_scan, change
):
    image = add_scan(viewer)
    press_why(qtbot, widget)
    viewer.layers.remove("Grad-CAM - scan")
    before = image.data
    if change == "pixels":
        image.data = before + 1
    else:
        widget.image.set_answers(Answers(fixes=("flip-horizontal",)))
    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    (result,) = widget.results.summary.classifications
    widget.explain(result)
    assert widget.controls.state is RunState.IDLE
    assert "changed since this answer: run again" in widget.controls.line.text()
    if change == "pixels":
        image.data = before
    else:
        widget.image.set_answers(Answers())
    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    widget.explain(result)
    qtbot.waitUntil(lambda: "Grad-CAM - scan" in viewer.layers, timeout=20_000)


def test_an_explanation_can_be_cancelled(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=10_000)
    result = Classification(ModelRef("sleep", "1"), "COVID-19", 0.8, 0.5, ((0, 0.8),))
    widget.explainer.start(image, widget.checked, result)
    qtbot.waitUntil(lambda: "Explaining" in widget.controls.line.text(), timeout=20_000)
    widget.controls.button.click()
    qtbot.waitUntil(lambda: widget.controls.state is RunState.IDLE, timeout=5_000)
    assert "Cancelled" in widget.controls.line.text()
    assert list(viewer.layers) == [image]


def test_an_image_that_got_other_pixels_meanwhile_gets_no_map(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    qtbot.waitUntil(widget.controls.button.isEnabled, timeout=10_000)
    result = Classification(ModelRef("ct-covid", "1"), "COVID-19", 0.8, 0.5, ((0, 0.8),))
    widget.explainer.start(image, widget.checked, result)
    image.data = image.data + 1
    qtbot.waitUntil(lambda: "other pixels" in widget.controls.line.text(), timeout=20_000)
    assert list(viewer.layers) == [image]
