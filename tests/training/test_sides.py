import numpy as np
import pytest

from napari_covidseg import phantom
from napari_covidseg.training.sides import LEFT, RIGHT, split_sides


def test_two_pieces_are_told_apart_by_their_place() -> None:
    mask = np.zeros((3, 40, 60), bool)
    mask[:, 10:30, 5:25], mask[:, 10:30, 35:55] = True, True
    sides = split_sides(mask)
    assert (sides[:, 10:30, 5:25] == RIGHT).all()
    assert (sides[:, 10:30, 35:55] == LEFT).all()


def test_lungs_that_touch_are_parted() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:35, 4:29], mask[5:35, 31:56] = True, True
    mask[8:12, 29:31] = True
    sides = split_sides(mask)
    assert np.array_equal(sides > 0, mask)
    assert (sides[5:35, 4:27] == RIGHT).all()
    assert (sides[5:35, 33:56] == LEFT).all()


def test_no_lung_has_no_side() -> None:
    assert not split_sides(np.zeros((4, 8, 8), bool)).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_phantoms_lungs_are_told_apart(seed: int) -> None:
    chest = phantom.ct(shape=(24, 96, 96), seed=seed)
    sides = split_sides(chest.lungs > 0)
    assert (sides == chest.lungs)[chest.lungs > 0].mean() > 0.99
