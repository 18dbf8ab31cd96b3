"""Agreement metrics against hand-counted and independent answers."""

import math

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import binary_erosion, distance_transform_edt

from napari_covidseg.measure import agreement
from napari_covidseg.study import CovidsegError


def ball(shape, centre, radius):
    grid = np.indices(shape)
    distance = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
    return distance <= radius**2


def test_counts_by_hand():
    prediction = np.array([1, 1, 1, 0, 0, 0], bool)
    truth = np.array([0, 1, 1, 1, 1, 0], bool)
    assert agreement.count(prediction, truth) == agreement.Counts(2, 1, 2)
    assert agreement.dice(prediction, truth) == pytest.approx(4 / 7)
    assert agreement.iou(prediction, truth) == pytest.approx(2 / 5)
    assert agreement.sensitivity(prediction, truth) == pytest.approx(1 / 2)
    assert agreement.precision(prediction, truth) == pytest.approx(2 / 3)


def test_pooled_counts_weigh_by_size():
    pooled = agreement.Counts(8, 2, 0) + agreement.Counts(0, 0, 2)
    assert pooled.dice == pytest.approx(16 / 20)


def test_empty_masks_are_not_perfect():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert math.isnan(agreement.dice(empty, empty))
    assert math.isnan(agreement.hd95(empty, empty, (1, 1)))
    assert agreement.dice(empty, full) == 0
    assert agreement.hd95(full, empty, (1, 1)) == math.inf
    assert agreement.nsd(full, empty, (1, 1), 3) == 0
    assert math.isnan(agreement.sensitivity(full, empty))
    assert math.isnan(agreement.precision(empty, full))


def test_shift_is_measured_in_mm():
    truth = np.zeros((20, 20, 20), bool)
    truth[5:15, 5:15, 5:15] = True
    shifted = np.roll(truth, 2, axis=0)
    assert agreement.hd95(shifted, truth, (2.5, 1, 1)) == pytest.approx(5.0)
    assert agreement.hd95(shifted, truth, (1, 0.7, 0.7)) == pytest.approx(2.0)
    assert agreement.nsd(shifted, truth, (2.5, 1, 1), tolerance=5.0) == 1


def test_surface_distances_match_a_distance_transform():
    spacing = (2.0, 0.8, 0.7)
    a = ball((24, 40, 40), (12, 20, 20), 9)
    b = ball((24, 40, 40), (13, 18, 23), 8)
    there, back = agreement.surface_distances(a, b, spacing)
    edges = [m & ~binary_erosion(m) for m in (a, b)]
    to_b = distance_transform_edt(~edges[1], sampling=spacing)[edges[0]]
    to_a = distance_transform_edt(~edges[0], sampling=spacing)[edges[1]]
    np.testing.assert_allclose(there, to_b)
    np.testing.assert_allclose(back, to_a)


def test_overlap_matches_simpleitk():
    a = ball((16, 30, 30), (8, 15, 15), 7).astype(np.uint8)
    b = ball((16, 30, 30), (8, 13, 16), 6).astype(np.uint8)
    peer = SimpleITK.LabelOverlapMeasuresImageFilter()
    peer.Execute(SimpleITK.GetImageFromArray(a), SimpleITK.GetImageFromArray(b))
    assert agreement.dice(a, b) == pytest.approx(peer.GetDiceCoefficient())
    assert agreement.iou(a, b) == pytest.approx(peer.GetJaccardCoefficient())


def test_label_maps_row_by_row():
    truth = np.zeros((10, 10), np.uint8)
    truth[2:8, 1:4], truth[2:8, 6:9] = 1, 2
    prediction = truth.copy()
    prediction[2, 1] = 0
    rows = agreement.compare(
        prediction, truth, names={1: "right lung", 2: "left lung", 3: "else"}, spacing=(5, 5)
    )
    assert [r.name for r in rows] == ["right lung", "left lung", "else", "any label"]
    assert rows[0].predicted == pytest.approx(17 * 0.25)
    assert rows[0].size_unit == "cm2"
    assert rows[1].dice == 1
    assert rows[1].hd95 == 0
    assert rows[2].both_empty
    assert math.isnan(rows[2].dice)
    assert not rows[3].both_empty


def test_without_spacing_units_are_pixels():
    truth = np.ones((3, 4, 5), np.uint8)
    (row,) = agreement.compare(truth, truth)
    assert (row.length_unit, row.size_unit, row.true) == ("px", "px", 60)


def test_different_shapes_are_refused_in_words():
    with pytest.raises(CovidsegError, match="same image"):
        agreement.compare(np.zeros((3, 3), np.uint8), np.zeros((3, 4), np.uint8))


def test_bootstrap_covers_the_mean_and_repeats():
    values = np.random.default_rng(1).normal(0.8, 0.1, 200)
    low, high = agreement.bootstrap_interval([*values, math.nan], seed=3)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / 200**0.5, rel=0.25)
    assert (low, high) == agreement.bootstrap_interval([*values, math.nan], seed=3)


def test_bootstrap_by_patient_is_wider():
    values = np.repeat([0.2, 0.5, 0.9, 0.7], 25)
    by_case = agreement.bootstrap_interval(values)
    by_patient = agreement.bootstrap_interval(values, groups=np.repeat(list("abcd"), 25))
    assert np.diff(by_patient)[0] > 3 * np.diff(by_case)[0]
    assert all(map(math.isnan, agreement.bootstrap_interval([0.5])))


def test_kappa_by_hand():
    # 20 of 50 "yes" by both, 15 "no" by both, 5 and 10 split: kappa 0.4
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert agreement.cohen_kappa(first, second) == pytest.approx(0.4)
    assert agreement.cohen_kappa([1, 2, 3], [1, 2, 3]) == 1
    assert math.isnan(agreement.cohen_kappa([1, 1], [1, 1]))
