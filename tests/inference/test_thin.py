"""Thin slices are asked here and there, and filled in between."""

import numpy as np
import pytest

from napari_covidseg.inference.thin import LEAST, STEP, asked, between


@pytest.mark.parametrize(
    ("count", "spacing", "every"),
    [
        (1, 1.0, 1),
        (105, 1.0, 1),  # so few slices cannot be thin, whatever the file says
        (300, 5.0, 1),
        (300, 1.25, 2),
        (300, 1.0, 2),
        (300, 0.1, 2),
        (700, 0.5, 5),
    ],
)
def test_slices_that_are_asked_are_not_far_apart(count: int, spacing: float, every: int) -> None:
    indices = asked(count, spacing)
    assert indices[0] == 0 and indices[-1] == count - 1
    assert np.diff(indices).max(initial=1) == every
    assert every == 1 or every * spacing <= STEP
    assert len(indices) >= min(count, LEAST)


def test_answers_in_between_are_linear_and_those_asked_stay() -> None:
    rng = np.random.default_rng(0)
    indices = np.array([0, 3, 6, 7])
    p = rng.integers(0, 256, (4, 5, 6, 2), dtype=np.uint8)
    out = between(p, indices)
    assert out.shape == (8, 5, 6, 2)
    for k, c in np.ndindex(5, 6):
        exact = np.interp(np.arange(8), indices, p[:, k, c, 1])
        assert np.abs(out[:, k, c, 1] - exact).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(out[indices], p)


def test_where_all_were_asked_nothing_changes() -> None:
    p = np.ones((3, 2, 2, 1), np.uint8)
    assert between(p, asked(3, 1.0)) is p
