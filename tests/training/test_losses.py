import numpy as np
import pytest

from napari_covidseg.training.losses import PartialLabelLoss


def logits(labels: np.ndarray, classes: int = 3, strength: float = 12.0) -> np.ndarray:
    return (np.eye(classes, dtype=np.float32)[labels]) * strength


def masks() -> np.ndarray:
    y = np.zeros((2, 16, 16), np.uint8)
    y[:, 2:8, 2:8], y[:, 9:14, 9:14] = 1, 2
    return y


def test_a_perfect_answer_costs_nothing() -> None:
    assert float(PartialLabelLoss(3)(masks(), logits(masks()))) == pytest.approx(0, abs=0.01)


def test_a_wrong_answer_costs_more_than_a_blank_one() -> None:
    loss, y = PartialLabelLoss(3), masks()
    swapped = np.array([0, 2, 1], np.uint8)[y]
    assert float(loss(y, logits(swapped))) > float(loss(y, np.zeros((2, 16, 16, 3)))) > 0.5


def test_any_class_is_right_where_the_class_is_not_told() -> None:
    y = masks()
    untold = np.where(y > 0, 3, 0).astype(np.uint8)
    swapped = np.array([0, 2, 1], np.uint8)[y]
    loss = PartialLabelLoss(3)
    assert float(loss(untold, logits(y))) == pytest.approx(0, abs=0.01)
    assert float(loss(untold, logits(swapped))) == pytest.approx(0, abs=0.01)
    assert float(loss(untold, logits(np.zeros_like(y)))) > 1


def test_what_is_not_told_counts_nowhere() -> None:
    y = masks()
    open_ = y.copy()
    open_[:, :1] = 4
    wrong = y.copy()
    wrong[:, :1] = 2
    loss = PartialLabelLoss(3)
    assert float(loss(open_, logits(wrong))) == pytest.approx(0, abs=0.01)
    assert float(loss(y, logits(wrong))) > 0.1
