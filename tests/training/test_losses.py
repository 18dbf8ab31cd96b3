import numpy as np
import pytest
from keras import ops

from napari_covidseg.training.loss_spec import LossSpec
from napari_covidseg.training.losses import AnswerLoss, MaskLoss, signed_distances

TERMS = {
    "usual": {"cross_entropy": 1.0, "dice": 1.0},
    "focal": {"focal": {}},
    "balanced": {"focal": {"alpha": 0.75}},
    "dice": {"dice": {"picture_share": 0.5}},
    "tversky": {"tversky": {"picture_share": 0.5}},
}


def loss_of(terms: dict[str, object], classes: int = 3) -> MaskLoss:
    return MaskLoss(LossSpec.model_validate(terms), classes)


def cost(loss: MaskLoss, y: np.ndarray, answer: np.ndarray) -> float:
    return float(loss(loss.target(y), answer))


def logits(labels: np.ndarray, classes: int = 3, strength: float = 12.0) -> np.ndarray:
    return (np.eye(classes, dtype=np.float32)[labels]) * strength


def masks() -> np.ndarray:
    y = np.zeros((2, 16, 16), np.uint8)
    y[:, 2:8, 2:8], y[:, 9:14, 9:14] = 1, 2
    return y


def swapped() -> np.ndarray:
    return np.array([0, 2, 1], np.uint8)[masks()]


every_term = pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)


@every_term
def test_a_perfect_answer_costs_nothing(terms: dict[str, object]) -> None:
    assert cost(loss_of(terms), masks(), logits(masks())) == pytest.approx(0, abs=0.01)


@every_term
def test_the_wrong_class_costs_and_no_foreground_too(terms: dict[str, object]) -> None:
    loss, nothing = loss_of(terms), np.zeros_like(masks())
    assert cost(loss, masks(), logits(swapped())) > 0.2
    assert cost(loss, masks(), logits(nothing)) > 0.2


def test_a_wrong_answer_costs_more_than_a_blank_one() -> None:
    loss, blank = loss_of(TERMS["usual"]), np.zeros((2, 16, 16, 3), np.float32)
    assert cost(loss, masks(), logits(swapped())) > cost(loss, masks(), blank) > 0.5


@every_term
def test_any_class_is_right_where_the_class_is_not_told(terms: dict[str, object]) -> None:
    loss, y = loss_of(terms), masks()
    untold = np.where(y > 0, 3, 0).astype(np.uint8)
    assert cost(loss, untold, logits(y)) == pytest.approx(0, abs=0.01)
    assert cost(loss, untold, logits(swapped())) == pytest.approx(0, abs=0.01)
    assert cost(loss, untold, logits(np.zeros_like(y))) > 0.2


@every_term
def test_what_is_not_told_counts_nowhere(terms: dict[str, object]) -> None:
    loss, y = loss_of(terms), masks()
    wrong, open_ = y.copy(), y.copy()
    wrong[:, :3], open_[:, :3] = 2, 4
    assert cost(loss, open_, logits(wrong)) == pytest.approx(0, abs=0.01)
    assert cost(loss, y, logits(wrong)) > 0.05


def test_focal_without_focus_is_cross_entropy_and_forgives_what_is_nearly_right() -> None:
    y, unsure = masks(), logits(masks(), strength=2.0)
    plain = cost(loss_of({"cross_entropy": 1}), y, unsure)
    assert cost(loss_of({"focal": {"gamma": 0}}), y, unsure) == pytest.approx(plain, rel=1e-4)
    assert cost(loss_of({"focal": {"gamma": 2}}), y, unsure) < 0.2 * plain


def test_tversky_is_dice_when_even_and_minds_misses_more_when_not() -> None:
    y = masks()
    less, more = y.copy(), y.copy()
    less[:, 2:5], more[:, :2] = 0, 1
    less_logits, more_logits = logits(less), logits(more)
    even = loss_of({"tversky": {"alpha": 0.5, "beta": 0.5}})
    assert cost(even, y, less_logits) == pytest.approx(cost(loss_of({"dice": 1}), y, less_logits))
    sharp = loss_of({"tversky": {"alpha": 0.1, "beta": 0.9}})
    assert cost(sharp, y, less_logits) > cost(even, y, less_logits)
    assert cost(sharp, y, more_logits) < cost(even, y, more_logits)


def test_distances_are_below_zero_inside_and_grow_from_the_border() -> None:
    mask = np.zeros((1, 16), np.uint8).repeat(16, 0)
    mask[:, 4:10] = 1
    row = signed_distances(mask, 2)[8, :, 0] * 16
    np.testing.assert_allclose(row[2:12], [2, 1, 0, -1, -2, -2, -1, 0, 1, 2], atol=1e-5)


def test_distances_say_nothing_where_the_mask_does_not() -> None:
    partly = masks()[0]
    partly[2:8, 2:8], partly[0] = 3, 4
    found = signed_distances(partly, 3)
    assert not found[..., 1:].any(), "the classes are not told apart"
    assert not found[0].any(), "nothing is known there"
    assert found[1:, :, 0].any()
    assert not signed_distances(np.zeros((16, 16), np.uint8), 3).any(), "no border at all"


def test_boundary_costs_more_the_farther_from_the_border_a_mistake_lies() -> None:
    loss, y = loss_of({"boundary": {"weight": 1.0}}, classes=2), masks()[:, :8] > 0
    y = y.astype(np.uint8)
    near, far = y.copy(), y.copy()
    near[:, 2:8, 8], far[:, 2:8, 15] = 1, 1
    right = cost(loss, y, logits(y, 2))
    assert right < 0
    assert right < cost(loss, y, logits(near, 2)) < cost(loss, y, logits(far, 2))


def test_terms_are_summed_by_weight() -> None:
    y, answer = masks(), logits(swapped(), strength=1.0)
    parts = [cost(loss_of({name: 1.0}), y, answer) for name in ("dice", "boundary")]
    both = cost(loss_of({"dice": 2.0, "boundary": 0.5}), y, answer)
    assert both == pytest.approx(2 * parts[0] + 0.5 * parts[1], rel=1e-4)


def test_answers_of_half_precision_are_taken() -> None:
    y, loss = masks(), loss_of({"cross_entropy": 1, "dice": 1})
    half = ops.cast(logits(y), "bfloat16")
    assert cost(loss, y, half) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("terms", [{"binary_cross_entropy": 1}, {"focal": {"alpha": 0.25}}])
def test_yes_and_no_cost_less_when_right(terms: dict[str, object]) -> None:
    loss = AnswerLoss(LossSpec.model_validate(terms))
    truth, sure = np.array([1, 0], np.uint8), np.array([[3.0], [-3.0]], np.float32)
    assert float(loss(truth, sure)) < float(loss(truth, 0 * sure)) < float(loss(truth, -sure))


def test_distances_do_not_depend_on_where_the_mask_lies_in_memory() -> None:
    rng = np.random.default_rng(0)
    mask = (rng.random((64, 64)) > 0.97).astype(np.uint8)
    first = signed_distances(mask, 2)
    for offset in range(40):
        moved = np.zeros(mask.size + 40, np.uint8)[offset : offset + mask.size].reshape(64, 64)
        moved[:] = mask
        np.testing.assert_array_equal(signed_distances(moved, 2), first)
