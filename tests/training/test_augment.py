import numpy as np

from napari_covidseg.training.augment import augment, paint_opacity
from napari_covidseg.training.dataset import MARGIN, STILL
from napari_covidseg.training.recipe import AugmentSpec


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


def test_no_change_shows_the_middle_of_the_picture() -> None:
    shown, mask = augment(*picture(), 64, MARGIN, STILL, True, np.random.default_rng(0))
    assert ((shown[..., 0] < 0.5) != (mask > 0)).mean() < 0.02
    assert (mask == 1).sum() == (mask == 2).sum() > 0


def test_picture_and_mask_move_together() -> None:
    spec = AugmentSpec(window=0, gamma=0, noise=0, blur=0, turn=1, flip=0.5)
    for seed in range(10):
        shown, mask = augment(*picture(), 64, MARGIN, spec, True, np.random.default_rng(seed))
        assert ((shown[..., 0] < 0.5) != (mask > 0)).mean() < 0.03


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
