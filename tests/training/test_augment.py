import hashlib

import cv2
import numpy as np
import pytest

from napari_covidseg.training.augment import augment, paint_opacity
from napari_covidseg.training.augment_spec import AugmentSpec
from napari_covidseg.training.augment_values import equalise, stretch, through_jpeg
from napari_covidseg.training.augment_warp import bent_map
from napari_covidseg.training.dataset import MARGIN, STILL


def picture() -> tuple[np.ndarray, np.ndarray]:
    values = np.full((83, 83), 0.9, np.float32)
    mask = np.zeros((83, 83), np.uint8)
    mask[24:60, 20:36], mask[24:60, 46:62] = 1, 2
    values[mask > 0] = 0.1
    return values, mask


def test_the_same_seed_gives_the_same_picture() -> None:
    first, again = (
        augment(*picture(), 64, MARGIN, AugmentSpec(), True, np.random.default_rng(3))
        for _ in range(2)
    )
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_a_recipe_without_the_newer_changes_shows_what_it_always_did() -> None:
    # A recipe shows the same from version to version; found when pictures became cubic, and no
    # number that is drawn by chance changed since elastic, barrel, contrast and jpeg came.
    found = hashlib.sha256()
    spec = AugmentSpec(turn=0.3, flip=0.5, opacity=0.5, wear=0.5)
    values, mask = picture()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        lungs = (mask > 0).astype(np.uint8) * 255
        shown, moved = augment(values, mask, 64, MARGIN, spec, True, rng, lungs)
        # Means of blocks in hundredths: the last bits of a float differ between processors.
        means = shown.reshape(8, 8, 8, 8, 2).mean((1, 3))
        found.update(np.rint(means * 100).astype(np.uint8).tobytes())
        found.update(moved.tobytes())
        found.update(np.float64(rng.random()).tobytes())
    assert found.hexdigest() == "73b7c100ea1fd71be195e5a2ca390d90e63de9055b15968bca948ee12dd9ea99"


def test_no_change_shows_the_middle_of_the_picture() -> None:
    shown, mask = augment(*picture(), 64, MARGIN, STILL, True, np.random.default_rng(0))
    assert ((shown[..., 0] < 0.5) != (mask > 0)).mean() < 0.02
    assert (mask == 1).sum() == (mask == 2).sum() > 0


def test_picture_and_mask_move_together() -> None:
    spec = AugmentSpec(window=0, gamma=0, noise=0, blur=0, turn=1, flip=0.5)
    for seed in range(10):
        shown, mask = augment(*picture(), 64, MARGIN, spec, True, np.random.default_rng(seed))
        assert ((shown[..., 0] < 0.5) != (mask > 0)).mean() < 0.03


@pytest.mark.parametrize("change", [{"elastic": 0.05}, {"barrel": 0.15}])
def test_a_bent_picture_takes_mask_and_lungs_along(change: dict[str, float]) -> None:
    _, mask = picture()
    spec = STILL.model_copy(update={**change, "rotate": 15.0, "shift": 0.05})
    # Soft edges: cubic and linear differ beside a sharp one.
    same = cv2.GaussianBlur((mask > 0).astype(np.float32), (0, 0), 3.0)
    mask = np.where(same > 0.5, mask, 0).astype(np.uint8)
    lungs = np.rint(same * 255).astype(np.uint8)
    moved = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shown, bent = augment(same, mask, 64, MARGIN, spec, False, rng, lungs)
        assert set(np.unique(bent)) == {0, 1, 2}  # no value in between
        # A linear picture crosses one half where the nearest neighbour changes.
        assert ((shown[..., 0] > 0.5) != (bent > 0)).mean() < 0.01
        assert np.abs(shown[..., 0] - shown[..., 1]).max() < 0.02
        still = STILL.model_copy(update={"rotate": 15.0, "shift": 0.05})
        straight = augment(same, mask, 64, MARGIN, still, False, np.random.default_rng(seed))[1]
        moved += int((straight != bent).sum())
    assert moved > 10 * 40


def test_the_strongest_bend_folds_nothing_over() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    for seed in range(20):
        columns, rows = bent_map(matrix, 96, 0.05, 0.15, np.random.default_rng(seed))
        (xy, xx), (yy, yx) = np.gradient(columns), np.gradient(rows)
        assert (xx * yy - xy * yx).min() > 0


def test_a_barrel_moves_points_along_the_radius_and_leaves_the_middle() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    bent = np.stack(bent_map(matrix, 65, 0.0, 0.15, np.random.default_rng(1)), axis=-1) - 32
    assert np.abs(bent[32, 32]).max() < 1e-5
    k = bent[32, 64, 0] / 32 - 1
    assert 0.001 < abs(k) <= 0.15
    x, y = 20 - 32, 50 - 32
    r2 = (x * x + y * y) / 32**2
    assert np.allclose(bent[50, 20], np.array([x, y]) * (1 + k * r2), atol=1e-3)


@pytest.mark.parametrize(
    "change", [{"contrast": 0.5}, {"local_contrast": 1.0}, {"jpeg": 1.0}, {"elastic": 0.04}]
)
def test_each_change_does_something_and_is_the_same_again(change: dict[str, float]) -> None:
    values, mask = picture()
    values += np.random.default_rng(0).normal(0, 0.05, values.shape).astype(np.float32)
    spec = STILL.model_copy(update=change)
    first, again = (
        augment(values, mask, 64, MARGIN, spec, False, np.random.default_rng(4))[0]
        for _ in range(2)
    )
    still = augment(values, mask, 64, MARGIN, STILL, False, np.random.default_rng(4))[0]
    assert np.array_equal(first, again)
    assert np.abs(first - still).max() > 0.01
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1


def test_contrast_is_stretched_round_the_mean() -> None:
    values = np.linspace(0.4, 0.6, 100, dtype=np.float32).reshape(10, 10)
    stretched = stretch(values, 2.0)
    assert stretched.mean() == pytest.approx(0.5, abs=1e-6)
    assert np.ptp(stretched) == pytest.approx(0.4, abs=1e-6)


def test_local_contrast_lifts_what_is_faint_in_its_part() -> None:
    values = np.full((64, 64), 0.5, np.float32)
    values[20:40, 20:40] = 0.53
    evened = equalise(values, 4.0, 4)
    assert evened[30, 30] - evened[22, 10] > 0.04


def test_a_worse_jpeg_is_further_from_the_picture() -> None:
    values = np.random.default_rng(0).random((64, 64), np.float32)
    errors = [np.abs(through_jpeg(values, q) - values).mean() for q in (95, 50, 15)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_a_mirror_swaps_the_sides_and_only_where_labels_are_sides() -> None:
    spec = STILL.model_copy(update={"flip": 1.0})
    _, sides = augment(*picture(), 64, MARGIN, spec, True, np.random.default_rng(0))
    assert set(np.unique(sides[:, :32])) == {0, 1}
    _, kinds = augment(*picture(), 64, MARGIN, spec, False, np.random.default_rng(0))
    assert set(np.unique(kinds[:, :32])) == {0, 2}


def test_an_opacity_brightens_the_lung_and_nothing_else() -> None:
    values, mask = picture()
    clouded = paint_opacity(values.copy(), mask, np.random.default_rng(1))
    assert np.array_equal(clouded[mask == 0], values[mask == 0])
    assert clouded[mask > 0].mean() > values[mask > 0].mean()


def test_lungs_shown_beside_the_picture_move_with_it() -> None:
    values, mask = picture()
    spec = AugmentSpec(window=0, gamma=0, noise=0, blur=0, turn=1, flip=0.5)
    for seed in range(10):
        lungs = (mask > 0).astype(np.uint8) * 255
        shown, moved = augment(
            values, mask, 64, MARGIN, spec, False, np.random.default_rng(seed), lungs
        )
        assert shown.shape == (64, 64, 2)
        assert ((shown[..., 1] > 0.5) != (moved > 0)).mean() < 0.01


def test_worn_lungs_lose_a_part_and_gain_nothing() -> None:
    values, mask = picture()
    lungs = (mask > 0).astype(np.uint8) * 255
    spec = STILL.model_copy(update={"wear": 1.0})
    shown, _ = augment(values, mask, 64, MARGIN, spec, False, np.random.default_rng(0), lungs)
    whole, _ = augment(values, mask, 64, MARGIN, STILL, False, np.random.default_rng(0), lungs)
    assert np.array_equal(shown[..., 0], whole[..., 0])
    assert (shown[..., 1] <= whole[..., 1]).all()
    assert 0.3 < shown[..., 1].sum() / whole[..., 1].sum() < 0.99
