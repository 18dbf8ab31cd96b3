import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_covidseg.labels import INFECTION, LUNGS
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import edits, geometry, results


def outcome(study, value=1):
    labels = np.zeros(study.array.shape, np.uint8)
    labels[0, 0, 0] = value
    made = Segmentation(labels, INFECTION, ModelRef("ct-infection", "1.2"), 0.4, 0.9)
    return Outcome((made,), (), "CPU")


def test_names_colours_and_provenance(viewer, add_scan, scan):
    image = add_scan(viewer)
    (layer,) = results.add_outcome(viewer, image, scan, outcome(scan))
    assert layer.name == "infection - scan"
    assert layer.opacity == INFECTION.opacity
    np.testing.assert_allclose(layer.get_color(1)[:3], (0xF0 / 255, 0xE4 / 255, 0x42 / 255))
    assert list(layer.features["name"]) == ["background", "ground glass", "consolidation"]
    made = layer.metadata["covidseg"]
    assert {k: made[k] for k in ("model", "version", "threshold", "scheme")} == {
        "model": "ct-infection",
        "version": "1.2",
        "threshold": 0.4,
        "scheme": "infection",
    }
    assert results.source_of(viewer, layer) is image
    assert results.scheme_of(layer) is INFECTION


def test_every_part_of_the_geometry_is_the_images(viewer, scan):
    image = viewer.add_image(
        scan.array,
        scale=(5, 2, 2),
        translate=(1, 2, 3),
        rotate=np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0],
        shear=(0.1, 0.2, 0.3),
        affine=np.diag([1, 2, 3, 1]),
        units="mm",
        axis_labels=("z", "y", "x"),
    )
    (layer,) = results.add_outcome(viewer, image, scan, outcome(scan))
    for name in geometry.COPIED:
        np.testing.assert_array_equal(
            np.asarray(getattr(layer, name)), np.asarray(getattr(image, name)), err_msg=name
        )


def test_the_first_answer_is_kept_apart_from_corrections(viewer, add_scan, scan):
    image = add_scan(viewer)
    (layer,) = results.add_outcome(viewer, image, scan, outcome(scan))
    assert not results.is_corrected(layer)
    layer.data_setitem((np.array([1]), np.array([1]), np.array([1])), 2)
    assert layer.metadata["prediction"][1, 1, 1] == 0
    assert results.is_corrected(layer)


def test_a_rerun_leaves_nothing_to_undo_into(viewer, add_scan, scan):
    image = add_scan(viewer)
    (old,) = results.add_outcome(viewer, image, scan, outcome(scan))
    (new,) = results.add_outcome(viewer, image, scan, outcome(scan, 2))
    assert old not in viewer.layers
    new.undo()
    assert new.data[0, 0, 0] == 2


def test_a_closed_image_is_an_error_in_words(viewer, add_scan, scan):
    image = add_scan(viewer)
    viewer.layers.remove(image)
    with pytest.raises(CovidsegError, match="open it again"):
        results.add_outcome(viewer, image, scan, outcome(scan))


def test_of_several_masks_the_selected_or_corrected_one_is_measured(viewer, add_scan, scan):
    image = add_scan(viewer)
    (kept,) = results.add_outcome(viewer, image, scan, outcome(scan))
    kept.paint((1, 1, 1), 2)
    (new,) = results.add_outcome(viewer, image, scan, outcome(scan))
    lungs = replace(outcome(scan).segmentations[0], scheme=LUNGS, model=ModelRef("ct-lungs", "1"))
    (lung,) = results.add_outcome(viewer, image, scan, Outcome((lungs,)))

    def measured():
        return {layer for layer, _ in results.to_measure(viewer, image)}

    assert measured() == {kept, lung}
    viewer.layers.selection = {new}
    assert measured() == {new, lung}
    viewer.layers.selection = {image}
    kept.undo()
    edits.mark_saved(kept)
    assert not results.is_corrected(kept)
    assert measured() == {new, lung}  # the newest, where nothing speaks for one


def test_results_of_another_image_are_left_alone(viewer, add_scan, scan):
    first, second = add_scan(viewer, "a"), add_scan(viewer, "b")
    results.add_outcome(viewer, first, scan, outcome(scan))
    results.add_outcome(viewer, second, scan, outcome(scan))
    assert len(viewer.layers) == 4


def test_colours_of_labels_give_no_warning_whatever_thread_makes_them():
    """A warning would be the first thing that napari shows to whoever opens a dock."""
    code = (
        "import napari_covidseg.viewer.results, skimage.color;"
        "skimage.color.lab2rgb([[10.0, 0.0, 100.0]])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "CIE-LAB" not in said.stderr
