import math

import numpy as np
import pytest

from napari_covidseg.labels import INFECTION, OPACITY
from napari_covidseg.training import metrics


def squares(first: int, second: int = 0) -> np.ndarray:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4, :4], mask[4:, 4:] = first, second
    return mask


def test_each_label_has_a_column_unless_it_is_alone() -> None:
    assert metrics.names(INFECTION)[3:] == (
        "val_dice",
        "val_dice_ground_glass",
        "val_dice_consolidation",
    )
    assert metrics.names(OPACITY)[3:] == ("val_dice",)
    assert metrics.names(None)[3:] == ("val_auc", "val_accuracy")
    assert not metrics.rises("val_loss") and metrics.rises("val_dice")


def test_labels_are_measured_only_where_they_are_told_apart() -> None:
    untold = squares(3, 3)
    found = metrics.mask_figures(
        np.stack([squares(1, 1), squares(1, 2)]), np.stack([squares(1, 2), untold]), INFECTION
    )
    assert found["val_dice"] == 1
    assert found["val_dice_ground_glass"] == pytest.approx(2 / 3)
    assert found["val_dice_consolidation"] == 0


def test_pixels_of_which_nothing_is_known_count_nowhere() -> None:
    truth = squares(1)
    truth[4:] = 4
    found = metrics.mask_figures(squares(1, 1)[None], truth[None], INFECTION)
    assert found["val_dice"] == 1


def test_pictures_with_nothing_to_find_and_nothing_found_are_left_out() -> None:
    empty = squares(0)
    assert math.isnan(metrics.mask_figures(empty[None], empty[None], OPACITY)["val_dice"])
    both = metrics.mask_figures(
        np.stack([empty, squares(1)]), np.stack([empty, squares(1)]), OPACITY
    )
    assert both["val_dice"] == 1


def test_a_recipe_may_ask_for_more() -> None:
    more = ("iou", "sensitivity", "precision", "auc")
    assert metrics.names(OPACITY, more=more)[3:] == ("val_dice", *(f"val_{m}" for m in more))
    truth, labels = np.zeros((2, 4, 4), int), np.zeros((2, 4, 4), int)
    truth[0, :2], labels[0, 1:4] = 1, 1
    score = np.where(truth > 0, 0.9, 0.1)
    found = metrics.mask_figures(labels, truth, OPACITY, more, score)
    assert found["val_iou"] == pytest.approx(1 / 4)
    assert found["val_sensitivity"] == pytest.approx(1 / 2)
    assert found["val_precision"] == pytest.approx(1 / 3)
    assert found["val_auc"] == 1  # of the first picture: the second has one class


def test_answers_have_auc_and_accuracy() -> None:
    found = metrics.answer_figures(np.array([2.0, -1.0, 0.5, 1.0]), np.array([1, 0, 0, 1]))
    assert found == {"val_auc": 1.0, "val_accuracy": 0.75}
