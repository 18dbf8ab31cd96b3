"""Losses that learn from masks which tell less than the network says.

Many masks name only a part of the classes: "lung" without its side, "infection"
without its kind. Such a pixel carries the value ``classes`` (one above the last
class), and counts as right whenever any foreground class is predicted there. The value
after that, ``classes + 1``, says that nothing is known about a pixel: it counts nowhere.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def class_probabilities(logits: Any) -> tuple[Any, Any]:
    """Softmax, with the summed foreground appended as one more channel."""
    p = ops.softmax(logits, axis=-1)
    return p, ops.concatenate([p, ops.sum(p[..., 1:], axis=-1, keepdims=True)], axis=-1)


class PartialLabelLoss(keras.losses.Loss):
    """Cross-entropy plus soft Dice for partly labelled masks.

    Parameters
    ----------
    classes : int
        Classes of the network, background included.
    dice_weight : float
        Weight of the Dice terms against cross-entropy.
    class_dice : float
        Weight of the Dice of each class against that of the foreground.
    picture_dice : float
        Part of the foreground's Dice that is taken picture by picture, 0 to 1, so that
        a small lesion counts as much as a large one.

    Notes
    -----
    ``call`` takes masks (n, h, w) with values 0..classes + 1 and logits (n, h, w, classes).
    The Dice term is that of the whole batch (Milletari et al., "V-Net", 3DV 2016,
    arXiv:1606.04797), once for foreground as a whole and once for each class over the
    pictures whose mask names it.
    """

    def __init__(
        self,
        classes: int,
        dice_weight: float = 1.0,
        class_dice: float = 0.5,
        picture_dice: float = 0.0,
    ) -> None:
        super().__init__(name="partial_label", reduction="sum_over_batch_size")
        self.classes = classes
        self.dice_weight = dice_weight
        self.class_dice = class_dice
        self.picture_dice = picture_dice

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of one batch, a scalar."""
        y = ops.cast(y_true, "int32")
        _, p = class_probabilities(y_pred)
        told = ops.cast(y <= self.classes, "float32")
        y = ops.minimum(y, self.classes)
        target = ops.one_hot(y, self.classes + 1, dtype="float32") * told[..., None]
        loss = ops.mean(-ops.sum(target * ops.log(p + 1e-6), axis=-1))
        foreground = ops.cast(y > 0, "float32") * told
        marked = p[..., -1] * told
        dice = _soft_dice(foreground, marked)
        if self.picture_dice:
            each = ops.mean(_soft_dice(foreground, marked, axis=(1, 2)))
            dice = (1.0 - self.picture_dice) * dice + self.picture_dice * each
        if self.classes > 2:
            # A class can be judged only where the mask tells the classes apart.
            partial = ops.any(ops.equal(y, self.classes), axis=(1, 2), keepdims=True)
            known = ops.cast(ops.logical_not(partial), "float32")
            for c in range(1, self.classes):
                each = _soft_dice(target[..., c] * known, p[..., c] * known)
                dice = dice + self.class_dice * each
        return loss + self.dice_weight * dice


def _soft_dice(target: Any, p: Any, axis: tuple[int, ...] | None = None) -> Any:
    """1 - Dice over the whole batch or over `axis`; the constant keeps an empty one at 0."""
    overlap = ops.sum(target * p, axis)
    size = ops.sum(target, axis) + ops.sum(p, axis)
    return 1.0 - (2.0 * overlap + 100.0) / (size + 100.0)
