"""Measured sizes are those that were drawn."""

import numpy as np
import pytest

from napari_covidseg.labels import INFECTION
from napari_covidseg.measure.volumes import measure
from napari_covidseg.study import CovidsegError, Grid, Note, from_array


@pytest.fixture
def scan():
    """10 x 20 x 40 voxels of 2 x 1 x 1 mm; right lung left in the picture."""
    array = np.full((10, 20, 40), -1000, np.int16)
    lungs = np.zeros(array.shape, np.uint8)
    lungs[:, 5:15, 5:15], lungs[:, 5:15, 20:40] = 1, 2
    infection = np.zeros_like(lungs)
    infection[:, 5:10, 5:15] = 1
    infection[:, 5:10, 20:25] = 2
    array[lungs > 0], array[infection == 1], array[infection == 2] = -850, -600, 20
    study = from_array(array, spacing=(2, 1, 1), modality="CT", is_hu=True)
    return study, lungs, infection


def test_volumes_and_percent_per_side(scan):
    study, lungs, infection = scan
    result = measure(study, lungs, infection, INFECTION)
    assert result.unit == "mL"
    assert result.row("lung", "right").size == pytest.approx(2.0)
    assert result.row("lung", "left").size == pytest.approx(4.0)
    assert result.row("ground glass", "right").percent_of_lung == pytest.approx(50)
    assert result.row("consolidation", "left").percent_of_lung == pytest.approx(12.5)
    assert result.row("infection", "both").size == pytest.approx(1.5)
    assert result.row("infection", "both").percent_of_lung == pytest.approx(25)
    assert result.row("lung", "both").percent_of_lung is None
    assert result.notes == ()


def test_hounsfield_summary_matches_numpy(scan):
    study, lungs, infection = scan
    noisy = study.array + np.random.default_rng(0).integers(-40, 40, study.array.shape)
    study = study.replace(array=noisy.astype(np.int16))
    hu = measure(study, lungs, infection).row("lung", "both").hu
    values = study.array[lungs > 0]
    assert hu.mean == pytest.approx(values.mean())
    assert hu.sd == pytest.approx(values.std())
    assert hu.median == pytest.approx(np.median(values), abs=1)
    assert hu.p5 == pytest.approx(np.percentile(values, 5), abs=1)


def test_no_hounsfield_from_a_picture(scan):
    study, lungs, _ = scan
    result = measure(study.replace(is_hu=False), lungs)
    assert all(row.hu is None for row in result.rows)


def test_infection_outside_the_lungs_is_shown_not_hidden(scan):
    study, lungs, infection = scan
    infection[0, 0, :4] = 1
    result = measure(study, lungs, infection)
    assert result.row("infection", "outside").voxels == 4
    assert result.row("infection", "both").percent_of_lung == pytest.approx(25)
    assert result.notes[0].startswith("4 marked voxels lie outside both lungs")


def test_one_pixel_outside_is_told_in_the_singular(scan):
    study, lungs, _ = scan
    film = from_array(study.array[0], modality="XR")
    dot = np.zeros_like(lungs[0])
    dot[0, 0] = 1
    assert measure(film, lungs[0], dot).notes[0].startswith("1 marked pixel lies outside")


def test_infection_alone_has_no_sides(scan):
    study, _, infection = scan
    result = measure(study, infection=infection)
    assert {row.side for row in result.rows} == {"image"}
    assert result.row("infection", "image").percent_of_lung is None


def test_slice_in_cm2_and_unknown_spacing_in_pixels():
    mask = np.zeros((30, 30), np.uint8)
    mask[:10, :10] = 1
    image = np.zeros((30, 30), np.uint8)
    area = measure(from_array(image, spacing=(0.5, 0.5)), mask)
    assert (area.unit, area.row("lung", "right").size) == ("cm2", pytest.approx(0.25))
    count = measure(from_array(image), mask)
    assert (count.unit, count.row("lung", "right").size) == ("px", 100)
    assert "not known how large" in count.notes[0]


def test_one_slice_volume_has_no_thickness_to_trust():
    mask = np.ones((1, 10, 10), np.uint8)
    study = from_array(np.zeros((1, 10, 10), np.uint8), spacing=(5, 1, 1))
    assert measure(study, mask).row("lung", "right").size == pytest.approx(1.0)


def test_unknown_values_are_counted_by_number(scan):
    study, lungs, infection = scan
    infection[0, 5, 5] = 7
    assert measure(study, lungs, infection).row("label 7", "right").voxels == 1


def test_nonfinite_voxels_do_not_break_the_sums(scan):
    study, lungs, _ = scan
    array = study.array.astype(np.float32)
    array[5, 7, 7], array[5, 7, 8] = np.nan, np.inf
    hu = measure(study.replace(array=array), lungs).row("lung", "right").hu
    assert np.isfinite(hu.mean)


def test_lungs_by_other_numbers_are_refused(scan):
    study, lungs, infection = scan
    for odd in (lungs * 127, np.where(lungs == 2, 5, lungs)):
        with pytest.raises(CovidsegError, match=r"only 1 \(right lung\) and 2"):
            measure(study, odd, infection)


def test_mask_of_another_image_is_refused(scan):
    study, lungs, _ = scan
    with pytest.raises(CovidsegError, match="made for this image"):
        measure(study, lungs[:-1])
    with pytest.raises(CovidsegError, match="nothing to measure"):
        measure(study)


@pytest.mark.parametrize("axis", [0, 1])
def test_slices_count_for_the_distance_to_their_neighbours(scan, axis):
    """A slab of the same tissue has the same volume, whether slices are missing or not."""
    study, lungs, infection = scan
    lungs[:], infection[:] = 1, 0
    infection.swapaxes(0, axis)[3:7] = 1  # up to where the next slice is
    gaps = np.array([1, 1, 1, 4, 1, 1.0])
    kept = np.concatenate([[0], np.cumsum(gaps)]).astype(int)

    def some(array, where):
        return np.take(array, where, axis)

    native = np.moveaxis(some(study.array, kept), axis, 0).shape
    order = (axis, *(a for a in range(3) if a != axis))
    part = study.replace(
        array=some(study.array, kept),
        grid=Grid(native, np.eye(4), tuple(np.argsort(order).tolist()), (False,) * 3),
        notes=(Note("uneven-slices", {"gaps": gaps * 2.5}),),
    )
    ten = range(10)
    whole = measure(study.replace(array=some(study.array, ten)), some(lungs, ten))
    found = measure(part, some(lungs, kept), some(infection, kept))
    assert found.row("lung", "right").size == pytest.approx(whole.row("lung", "right").size)
    assert found.row("lung", "right").voxels == some(lungs, kept).sum()
    assert found.row("infection", "both").percent_of_lung == pytest.approx(25)
    assert "each counts for the distance" in found.notes[0]
    counted = measure(part.replace(spacing_known=False), some(lungs, kept))
    assert counted.row("lung", "right").size == some(lungs, kept).sum()


def test_voxels_of_a_tilted_gantry_are_smaller_than_their_edges(scan):
    study, lungs, _ = scan
    sheared = study.affine.copy()
    # Display axes are z, y, x: each slice lies 1 mm further back than the one below it.
    sheared[1, 0] -= 1
    tilted = from_array(study.array, affine=sheared, modality="CT", is_hu=True)
    assert tilted.spacing[0] == pytest.approx(5**0.5)
    assert measure(tilted, lungs).row("lung", "right").size == pytest.approx(2.0)
