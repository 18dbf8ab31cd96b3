import numpy as np
import pytest

from napari_covidseg.inference import clean
from napari_covidseg.inference.registry import ModelInfo, available
from napari_covidseg.labels import SCHEMES


def two_lungs() -> np.ndarray:
    p = np.zeros((4, 64, 64, 2), np.uint8)
    p[:, 16:48, 8:28, 0] = 255
    p[:, 16:48, 36:56, 1] = 255
    return p


def labels(p: np.ndarray) -> np.ndarray:
    return np.where(p.max(-1) >= clean.HALF, p.argmax(-1) + 1, 0)


def test_good_lungs_stay_as_they_are() -> None:
    before = labels(two_lungs())
    assert np.array_equal(labels(clean.clean_lungs(two_lungs(), sides_known=False)), before)


def test_specks_outside_the_lungs_go() -> None:
    p = two_lungs()
    p[:, 58:61, 58:61, 0] = 255
    assert not clean.clean_lungs(p, sides_known=False)[:, 56:].any()


def test_a_hole_in_a_lung_is_filled_with_its_side() -> None:
    p = two_lungs()
    p[:, 28:33, 14:19] = 0
    assert (labels(clean.clean_lungs(p, sides_known=False))[:, 28:33, 14:19] == 1).all()


def test_an_island_of_the_other_side_joins_the_lung_round_it() -> None:
    p = two_lungs()
    p[:, 20:25, 12:17] = (0, 255)
    assert (labels(clean.clean_lungs(p, sides_known=False))[:, 16:48, 8:28] == 1).all()


def test_known_sides_overrule_the_network() -> None:
    swapped = two_lungs()[..., ::-1].copy()
    assert (labels(clean.clean_lungs(swapped, sides_known=True))[:, 16:48, 8:28] == 1).all()


def test_unknown_sides_follow_the_network() -> None:
    turned = two_lungs()[..., ::-1].copy()
    assert (labels(clean.clean_lungs(turned, sides_known=False))[:, 16:48, 8:28] == 2).all()


def test_both_lungs_never_get_one_side_when_they_lie_apart() -> None:
    p = two_lungs()
    p[:, 16:48, 36:56] = (140, 110)
    found = labels(clean.clean_lungs(p, sides_known=False))
    assert (found[:, 16:48, 8:28] == 1).all()
    assert (found[:, 16:48, 36:56] == 2).all()


def test_lungs_that_touch_keep_the_border_that_was_drawn() -> None:
    p = two_lungs()
    p[:, 20:24, 28:32, 0], p[:, 20:24, 32:36, 1] = 255, 255
    before = labels(p)
    assert np.array_equal(labels(clean.clean_lungs(p, sides_known=True)), before)


def test_nothing_stays_nothing() -> None:
    assert not clean.clean_lungs(np.zeros((2, 16, 16, 2), np.uint8), sides_known=True).any()


def test_a_lesion_is_kept_wholly_where_it_lies_in_the_lungs_and_dropped_elsewhere() -> None:
    p = np.zeros((1, 32, 32, 2), np.uint8)
    p[0, 8:16, 2:12, 1] = 220  # half in the lung, half in what was taken for chest wall
    p[0, 26:30, 26:30, 0] = 220
    lungs = np.zeros((1, 32, 32), bool)
    lungs[:, 6:24, 7:20] = True
    clean.inside(p, lungs, 0.5)
    assert (p[0, 8:16, 2:12, 1] == 220).all()
    assert not p[0, 24:, 24:].any()


def test_specks_of_infection_go_and_lesions_stay() -> None:
    p = np.zeros((1, 32, 32, 1), np.uint8)
    p[0, 2, 2] = 255
    p[0, 10:16, 10:16] = 255
    clean.drop_specks(p, 0.5)
    assert p[0, 2, 2, 0] == 0
    assert p[0, 10:16, 10:16].min() == 255


def shades(side: int, classes: int) -> np.ndarray:
    """Squares of `side` pixels, apart from each other; that of row and column 4k is k bright."""
    p = np.zeros((1, 64, 64, classes), np.uint8)
    for k in range(1, 256):
        y, x = 4 * (k // 16), 4 * (k % 16)
        p[0, y : y + side, x : x + side, k % classes] = k
    return p


INFECTION = [info for info in available() if info.shipped and info.role == "infection"]


@pytest.mark.parametrize("info", INFECTION, ids=lambda info: info.name)
def test_with_the_thresholds_of_models_that_ship_a_quarter_counts(info: ModelInfo) -> None:
    assert info.scheme is not None
    classes = len(SCHEMES[info.scheme].labels)
    lesions = shades(3, classes)
    quarter = lesions * (lesions >= 64)
    lungs = np.ones((1, 64, 64), bool)
    assert np.array_equal(clean.inside(lesions, lungs, info.threshold), quarter)
    specks = shades(1, classes)
    faint = specks * (specks < 64)
    assert np.array_equal(clean.drop_specks(specks, info.threshold), faint)


@pytest.mark.parametrize(("classes", "least"), [(1, 26), (2, 13)])
def test_what_a_low_threshold_draws_is_kept_or_dropped_as_any_lesion(
    classes: int, least: int
) -> None:
    """With a threshold of 0.1 that is 26 of 255, of one class or of two together."""
    lungs = np.ones((1, 64, 64), bool)
    kept = clean.inside(shades(3, classes), lungs, 0.1)
    assert set(np.unique(kept)) == {0, *range(least, 256)}
    assert not clean.inside(shades(3, classes), ~lungs, 0.1).any()
    assert set(np.unique(clean.drop_specks(shades(1, classes), 0.1))) == {*range(least)}
