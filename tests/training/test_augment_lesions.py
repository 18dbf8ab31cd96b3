from dataclasses import replace

import numpy as np
import pytest

from napari_covidseg.inference.frame import Frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.augment import augment
from napari_covidseg.training.augment_lesions import Bank, Donor, gather, transplant
from napari_covidseg.training.dataset import MARGIN, STILL, Batches, cache, lesion_bank
from napari_covidseg.training.recipe import Recipe
from napari_covidseg.training.sources import Item

WALL, LUNG = 0.93, 0.12


def chest(level: float = LUNG) -> tuple[np.ndarray, np.ndarray]:
    """Picture (128, 128) and its lungs, with a vessel in each."""
    y, x = np.mgrid[:128, :128]
    lungs = np.zeros((128, 128), bool)
    for middle in (40, 88):
        lungs |= ((y - 64) / 44) ** 2 + ((x - middle) / 20) ** 2 < 1
    values = np.where(lungs, level, WALL).astype(np.float32)
    values[lungs & (abs(y - 64) < 2)] = 0.9
    return values, lungs


def donor(level: float = LUNG, *, kind: int = 1, brightness: float = 0.45) -> Donor:
    """One lesion at the outer edge of the lung at the picture's left."""
    values, lungs = chest(level)
    y, x = np.mgrid[:128, :128]
    lesion = lungs & ((y - 80) ** 2 + (x - 28) ** 2 < 11**2)
    values[lesion] = brightness
    return Donor("one", values, (lesion * kind).astype(np.uint8), lungs)


def set_in(bank: Bank, level: float = LUNG) -> list[tuple[np.ndarray, np.ndarray]]:
    values, lungs = chest(level)
    return [
        transplant(values, lungs, lungs, bank, np.random.default_rng(seed)) for seed in range(20)
    ]


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_a_lesion_keeps_its_kind_and_lies_in_the_lung(kind: int) -> None:
    _, lungs = chest()
    for _, kinds in set_in(gather([donor(kind=kind)])):
        assert set(np.unique(kinds)) <= {0, kind}
        assert not (kinds[~lungs] > 0).any()
        assert (kinds > 0).sum() > 50


def test_a_lesion_comes_to_lie_where_it_lay() -> None:
    y, x = np.mgrid[:128, :128]
    seen = set()
    for _, kinds in set_in(gather([donor()])):
        for half in (x < 64, x >= 64):
            here = (kinds > 0) & half
            if here.any():
                seen.add(bool(half[0, 0]))
                assert abs(y[here].mean() - 80) < 15
                assert abs(abs(x[here].mean() - 64) - 36) < 8  # outside, in either lung
    assert seen == {True, False}


def test_nothing_gets_darker_and_nothing_else_is_touched() -> None:
    values, lungs = chest()
    near = np.zeros_like(lungs)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            near |= np.roll(lungs, (dy, dx), (0, 1))
    for changed, kinds in set_in(gather([donor()])):
        assert (changed >= values - 1e-6).all()
        assert np.array_equal(changed[~near], values[~near])
        middle = (kinds > 0) & (values < 0.5)
        assert changed[middle].mean() > LUNG + 0.2


def test_the_wall_beside_a_lesion_is_not_brought_along() -> None:
    for changed, _ in set_in(gather([donor()])):
        values, lungs = chest()
        new = lungs & (values < 0.5)
        assert changed[new].max() < 0.5  # the lesion is 0.45, the wall 0.93


def test_values_are_brought_to_the_lung_that_the_lesion_comes_to() -> None:
    bank = gather([donor(0.3, brightness=0.6)])
    for changed, kinds in set_in(bank, 0.12):
        values, _ = chest(0.12)
        # Halfway (0.3 of 0.63) from lung to tissue there, so it is here.
        inside = (kinds > 0) & (values < 0.5)
        assert np.median(changed[inside]) == pytest.approx(0.12 + 0.3 / 0.63 * 0.81, abs=0.06)
        # No step where the lesion ends: the lung beside it is as it was.
        assert np.median(changed[(kinds == 0) & (values < 0.5)]) == pytest.approx(0.12, abs=0.01)


def test_faint_small_or_foreign_marks_are_no_lesions() -> None:
    assert gather([donor(brightness=LUNG + 0.03)]) == ()
    whole = donor()
    assert gather([replace(whole, infection=np.zeros_like(whole.infection))]) == ()
    speck = np.zeros_like(whole.infection)
    speck[80, 28:32] = 1
    assert gather([replace(whole, infection=speck)]) == ()
    outside = np.zeros_like(whole.infection)
    outside[:15, :30] = 1
    assert gather([replace(whole, infection=outside)]) == ()


def test_a_patient_with_many_slices_does_not_prevail() -> None:
    bank = gather([donor(), donor(), replace(donor(), patient="two")])
    assert [len(lesions) for lesions in bank] == [2, 1]


def test_the_same_seed_sets_in_the_same() -> None:
    bank = gather([donor()])
    for first, again in zip(set_in(bank), set_in(bank), strict=True):
        assert np.array_equal(first[0], again[0])
        assert np.array_equal(first[1], again[1])


def test_where_no_lung_is_healthy_nothing_is_set_in() -> None:
    values, lungs = chest()
    none = np.zeros_like(lungs)
    rng = np.random.default_rng(0)
    for inside in (none, lungs):
        changed, kinds = transplant(values, none, inside, gather([donor()]), rng)
        assert np.array_equal(changed, values)
        assert not kinds.any()


def test_lungs_stay_lungs_under_a_lesion() -> None:
    values, lungs = chest()
    sides = (lungs * (1 + (np.arange(128) >= 64))).astype(np.uint8)
    spec = STILL.model_copy(update={"lesions": 1.0})
    bank = gather([donor(kind=2, brightness=0.9)])
    for seed in range(10):
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        clouded, mask = augment(values, sides, 96, MARGIN, spec, True, rngs[0], None, bank)
        still, same = augment(values, sides, 96, MARGIN, STILL, True, rngs[1])
        assert np.array_equal(mask, same)
        assert (clouded - still)[mask > 0].max() > 0.3


def test_infection_that_is_there_is_kept_and_the_new_is_added() -> None:
    values, lungs = chest()
    drawn = np.zeros(values.shape, np.uint8)
    drawn[40:60, 30:50] = 3
    spec = STILL.model_copy(update={"lesions": 1.0})
    shown = lungs.astype(np.uint8) * 255
    bank = gather([donor(kind=2)])
    for seed in range(10):
        rng = np.random.default_rng(seed)
        _, mask = augment(values, drawn, 96, MARGIN, spec, False, rng, shown, bank)
        _, before = augment(values, drawn, 96, MARGIN, STILL, False, rng, shown)
        assert (mask[before > 0] == 3).all()
        assert (mask == 2).any()


# ---------------------------------------------------------------- From training items


def item(**changed: object) -> Item:
    given = donor()
    frame = Frame(0, 0, 128, 128)
    made = Item(
        "semiseg_infection",
        given.patient,
        "slice",
        given.picture,
        given.infection,
        Window(0.0, 1.0),
        frame,
        frame,
        found=given.lungs.astype(np.uint8) * 255,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def recipe(scheme: str = "infection", *, shows_lungs: bool = True, modality: str = "CT") -> Recipe:
    infection = scheme == "infection"
    return Recipe.model_validate(
        {
            "name": "small",
            "version": "1.0.0",
            "title": "t",
            "summary": "s",
            "task": "segmentation",
            "role": scheme,
            "modality": modality,
            "scheme": scheme,
            "split": "ct",
            "input": {
                "values": "ct",
                "frame": "lungs" if infection else "body",
                "size": 96,
                "lungs": infection and shows_lungs,
            },
            "network": {"architecture": "unet"},
            "data": [{"set": f"semiseg_{scheme}"}],
            "augment": {"lesions": 1.0},
            "training": {"steps": 4, "batch": 4},
        }
    )


def test_batches_take_lesions_from_their_own_items() -> None:
    healthy = item(labels=np.zeros((128, 128), np.uint8), name="healthy", picture=chest()[0])
    made = recipe()
    items = [cache(i, made.input, False) for i in (item(), healthy)]
    batches = Batches(items, made)
    assert [len(lesions) for lesions in batches.bank] == [1]
    batches.odds = np.array([0.0, 1.0])  # the healthy one alone
    _, masks = batches.batch(0, 0)
    assert (masks == 1).any()
    again = Batches(items, made)
    again.odds = batches.odds
    assert np.array_equal(masks, again.batch(0, 0)[1])


def test_lung_items_give_the_infection_that_is_drawn_beside_the_lungs() -> None:
    given = donor(kind=3)
    made = recipe("lungs")
    drawn = item(labels=given.lungs.astype(np.uint8), infection=given.infection)
    (lesions,) = lesion_bank([cache(drawn, made.input, False)], made)
    assert [np.unique(lesion.kinds).tolist() for lesion in lesions] == [[0, 3]]


def test_no_lesion_anywhere_is_said_in_one_line() -> None:
    made = recipe()
    healthy = cache(item(labels=np.zeros((128, 128), np.uint8)), made.input, False)
    with pytest.raises(CovidsegError, match="No training item holds a drawn lesion"):
        Batches([healthy], made)


def test_a_recipe_without_lungs_cannot_ask_for_lesions() -> None:
    with pytest.raises(ValueError, match=r"augment\.lesions is for"):
        recipe(shows_lungs=False)


def test_films_cannot_ask_for_lesions() -> None:
    with pytest.raises(ValueError, match=r"augment\.lesions is for"):
        recipe("lungs", modality="XR")
