"""Calibration on cases whose answer is known."""

import math

import numpy as np
import pytest

from napari_covidseg.measure.calibration import (
    brier,
    calibration_error,
    reliability,
)
from napari_covidseg.study import CovidsegError


def test_probabilities_that_hold_have_no_error():
    probability = np.repeat([0.0, 0.25, 0.5, 1.0], 4)
    truth = [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1]
    assert calibration_error(truth, probability, bins=4) == 0
    table = reliability(truth, probability, bins=4)
    assert [(b.predicted, b.observed, b.n) for b in table] == [
        (0, 0, 4),
        (0.25, 0.25, 4),
        (0.5, 0.5, 4),
        (1, 1, 4),
    ]


def test_the_error_of_an_overconfident_model_is_how_far_it_is_off():
    # says 0.9 and is right in six of ten; says 0.1 and is wrong in four of ten
    probability = np.repeat([0.9, 0.1], 10)
    truth = np.array([1] * 6 + [0] * 4 + [1] * 4 + [0] * 6)
    assert calibration_error(truth, probability) == pytest.approx(0.3)
    shuffled = np.random.default_rng(0).permutation(20)
    assert calibration_error(truth[shuffled], probability[shuffled]) == pytest.approx(0.3)


def test_bins_are_of_equal_mass_and_never_part_equal_probabilities():
    probability = np.linspace(0, 1, 100) ** 4
    table = reliability(np.zeros(100), probability)
    assert [b.n for b in table] == [10] * 10
    assert [b.predicted for b in table] == sorted(b.predicted for b in table)
    tied = reliability([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.9], bins=4)
    assert [(b.n, round(b.observed, 3)) for b in tied] == [(3, 0.667), (1, 1.0)]


def test_a_sample_from_its_own_probabilities_is_nearly_calibrated():
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    truth = rng.random(20_000) < probability
    assert calibration_error(truth, probability, bins=15) < 0.02
    assert calibration_error(truth, probability**3, bins=15) > 0.15


def test_the_brier_score_is_the_mean_squared_distance():
    assert brier([1, 0, 1, 0], [1.0, 0.0, 0.5, 0.5]) == pytest.approx(0.125)
    assert brier([1, 0], [0.5, 0.5]) == 0.25
    assert math.isnan(brier([], []))


@pytest.mark.parametrize(
    ("truth", "probability", "words"),
    [
        ([0, 1], [0.5], "2 truths and 1 probabilities"),
        ([0, 2], [0.5, 0.5], "0 or 1"),
        ([0, 1], [0.5, float("nan")], "between 0 and 1"),
        ([0, 1], [0.5, 3.0], "between 0 and 1"),
    ],
)
def test_what_is_no_truth_or_probability_is_refused(truth, probability, words):
    with pytest.raises(CovidsegError, match=words):
        calibration_error(truth, probability)


def test_without_cases_there_is_no_error_to_tell():
    assert reliability([], []) == ()
    assert math.isnan(calibration_error([], []))
