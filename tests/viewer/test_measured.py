"""Volumes follow what the user said and fixed; what is saved keeps the file's geometry."""

import nibabel as nib
import numpy as np
import pytest
from napari.layers import Image

from napari_covidseg import doctor, io
from napari_covidseg.annotation.cases import load_cases, read_case
from napari_covidseg.labels import LUNGS
from napari_covidseg.study import Grid, Modality, Note, from_array
from napari_covidseg.viewer import geometry
from napari_covidseg.viewer.check import Answers, Check, with_answers
from napari_covidseg.viewer.saving import save_training_case
from napari_covidseg.viewer.summary import measure_masks
from napari_covidseg.viewer.writer import write_labels
from tests.viewer.test_widget import run, wait_ready


def answer(qtbot, widget, answers):
    widget.image.set_answers(answers)
    wait_ready(qtbot, widget)


def lung(widget):
    measurement = widget.results.summary.measurement
    return measurement.row("lung", "both"), measurement.notes


def measured_twice(qtbot, widget):
    """Run for lungs, measure again, and give both."""
    widget.models.want("lungs")
    run(qtbot, widget)
    first = widget.results.summary.measurement
    widget.measure()
    qtbot.waitUntil(lambda: "Measured" in widget.controls.line.text(), timeout=10_000)
    assert widget.results.summary.measurement == first
    return lung(widget)


def test_a_typed_spacing_gives_millilitres_and_stays_out_of_files(
    widget, viewer, qtbot, scan, tmp_path
):
    viewer.add_image(scan.array.copy(), name="foreign")
    wait_ready(qtbot, widget)
    row, notes = measured_twice(qtbot, widget)
    assert row.unit == "px" and any("how large a pixel" in note for note in notes)
    answer(qtbot, widget, Answers(spacing=(5.0, 2.0, 2.0)))
    row, notes = measured_twice(qtbot, widget)
    assert (row.unit, row.size) == ("mL", pytest.approx(row.voxels * 0.02))
    assert not any("how large a pixel" in note for note in notes)

    layer = viewer.layers["lungs - foreign"]
    write_labels(str(tmp_path / "m.nii.gz"), *layer.as_layer_data_tuple()[:2])
    expected = layer.metadata["study"].grid.affine
    np.testing.assert_array_equal(nib.load(tmp_path / "m.nii.gz").affine, expected)
    assert np.linalg.norm(expected[:3, :3], axis=0) == pytest.approx((1, 1, 1))
    (case,) = load_cases(save_training_case(viewer, layer, folder=tmp_path).parent.parent)
    assert not read_case(case)[0].spacing_known  # the file's own voxels have no size


def test_an_assumed_spacing_gives_areas_and_says_so(widget, viewer, qtbot, scan):
    slice_ = np.clip((scan.array[3].astype(int) + 1000) // 6, 0, 255).astype(np.uint8)
    viewer.add_image(slice_, name="picture")
    qtbot.waitUntil(lambda: widget.checked is not None, timeout=10_000)
    answer(qtbot, widget, Answers(modality=Modality.CT, fixes=("assume-spacing",)))
    row, notes = measured_twice(qtbot, widget)
    assert (row.unit, row.size) == ("cm2", pytest.approx(row.voxels * (384 / 64) ** 2 / 100))
    assert any("assumed" in note for note in notes)


def test_an_absurd_spacing_that_is_ignored_gives_no_volume(widget, viewer, qtbot, add_scan):
    image = add_scan(viewer)
    image.scale = (5000, 2000, 2000)
    wait_ready(qtbot, widget)
    answer(qtbot, widget, Answers(fixes=("ignore-spacing",)))
    row, _ = measured_twice(qtbot, widget)
    assert (row.unit, row.size) == ("px", row.voxels)
    assert not viewer.layers["lungs - scan"].metadata["study"].spacing_known


def test_slices_that_were_evened_out_leave_no_slice_too_light(widget, viewer, qtbot, scan):
    """Of 10 slices 4 are missing after the third, which shows more lung than the others."""
    after = {2: 4}
    gappy = scan.replace(notes=(Note("missing-slices", {"count": 4, "after": after, "mm": 5.0}),))
    viewer.add_image(gappy.array, name="gappy", **geometry.layer_kwargs(gappy))
    wait_ready(qtbot, widget)
    for fixes in ((), ("even-slices",), ("even-slices", "rotate-180")):
        answer(qtbot, widget, Answers(fixes=fixes))
        row, notes = measured_twice(qtbot, widget)
        labels = viewer.layers["lungs - gappy"].data > 0
        weights = np.array([1, 1, 3, 3, 1, 1])
        assert row.voxels == labels.sum()
        assert row.size == pytest.approx((labels.sum((1, 2)) * weights).sum() * 0.02)
        assert any("each counts for the distance" in note for note in notes)


@pytest.fixture
def study():
    """Stored CT numbers, slices unevenly far apart, voxels of three sizes, file upside down."""
    native = np.random.default_rng(0).integers(0, 1100, (4, 40, 48)).astype(np.uint16)
    grid = Grid.from_affine(native.shape, np.diag([0.8, 0.7, -2.0, 1.0]))
    made = from_array(
        np.ascontiguousarray(grid.to_display(native)),
        affine=grid.display_affine(),
        modality=Modality.CT,
        notes=(Note("uneven-slices", {"gaps": (2.0, 2.0, 5.0)}),),
    )
    return made.replace(grid=grid)


@pytest.mark.parametrize(
    "fixes",
    [
        ("rescale",),
        ("rotate-90", "rescale"),
        ("rescale", "even-slices", "rotate-270"),
        ("flip-feet-head", "rescale"),
    ],
)
def test_what_is_measured_lies_on_the_layers_pixels_with_the_fixed_values(study, fixes):
    answers = Answers(fixes=fixes)
    checked = Check(study, with_answers(study, answers), (), answers=answers)
    measured = checked.measured
    np.testing.assert_array_equal(measured.array, study.array.astype(int) - 1024)
    np.testing.assert_allclose(measured.affine, study.affine)
    assert measured.spacing == pytest.approx(study.spacing) and measured.is_hu
    assert (measured.grid.axes, measured.grid.flips) == (study.grid.axes, study.grid.flips)
    mask = np.zeros(study.array.shape, np.uint8)
    mask[0] = 1  # the last slice of the file, 5 mm from the next
    row = measure_masks(measured, [(mask, LUNGS)]).row("lung", "both")
    assert row.size == pytest.approx(40 * 48 * 0.8 * 0.7 * 3.5 / 1000)
    assert row.hu.mean == pytest.approx(study.array[0].mean() - 1024)


def test_what_is_kept_is_the_file_with_what_was_said_of_it(study, tmp_path):
    answers = Answers(Modality.XR, spacing=(1.0, 3.0, 3.0), fixes=("rescale", "rotate-90"))
    checked = Check(study, with_answers(study, answers), (), answers=answers)
    kept = checked.kept
    assert kept.modality is Modality.XR and not kept.is_hu
    assert kept.array is study.array and kept.grid is study.grid and kept.affine is study.affine
    assert Check(study, study, ()).kept is study
    io.write_mask(np.zeros(study.array.shape, np.uint8), kept, tmp_path / "m.nii")
    np.testing.assert_allclose(nib.load(tmp_path / "m.nii").affine, study.grid.affine, rtol=1e-6)


def test_slices_that_are_no_longer_those_of_the_file_are_not_weighted(study):
    cut = from_array(study.array[:3], spacing=(2, 1, 1), notes=study.notes)
    assert doctor.fixes.slice_gaps(cut) is None


def test_other_pixels_in_the_same_place_keep_the_order_of_the_file(study):
    layer = Image(study.array + 1, **geometry.layer_kwargs(study))
    again = geometry.study_from_layer(layer)
    assert (again.grid.axes, again.grid.flips) == (study.grid.axes, study.grid.flips)
    mask = np.zeros(study.array.shape, np.uint8)
    mask[0] = 1
    measured = measure_masks(again, [(mask, LUNGS)]).row("lung", "both")
    assert measured.size == pytest.approx(40 * 48 * 0.8 * 0.7 * 3.5 / 1000)
    layer.scale = (3, *layer.scale[1:])
    assert geometry.study_from_layer(layer).grid.flips == (False,) * 3
