"""Losses by name, for masks that may tell less than the network says.

Many masks name only a part of the classes: "lung" without its side, "infection"
without its kind. Such a pixel carries the value ``classes`` (one above the last
class), and counts as right whenever any foreground class is predicted there. The value
after that, ``classes + 1``, says that nothing is known about a pixel: it counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np
from keras import ops

from napari_covidseg.training import loss_spec
from napari_covidseg.training.loss_spec import LossSpec

SMOOTHING = 50.0
"""Pixels added to both sides of a measure of overlap: an empty mask, left empty, costs 0."""

TINY = 1e-6


class MaskLoss(keras.losses.Loss):
    """Weighted sum of a recipe's terms for masks.

    Parameters
    ----------
    spec : LossSpec
        Terms of a segmentation.
    classes : int
        Classes of the network, background included.

    Notes
    -----
    ``call`` takes what `target` makes of masks, and logits (n, h, w, classes).
    """

    def __init__(self, spec: LossSpec, classes: int) -> None:
        super().__init__(name="mask_loss", reduction="sum_over_batch_size")
        self.terms = spec.terms
        self.classes = classes

    def target(self, masks: np.ndarray) -> np.ndarray:
        """Prepare masks for `call`, outside the graph.

        Parameters
        ----------
        masks : ndarray of uint8, shape (n, h, w)
            Values 0 to classes + 1.

        Returns
        -------
        ndarray
            The masks, or (n, h, w, 1 + k) float32 with their distances behind them where a
            term needs those.
        """
        if "boundary" not in self.terms:
            return masks
        distances = np.stack([signed_distances(mask, self.classes) for mask in masks])
        return np.concatenate([masks[..., np.newaxis].astype(np.float32), distances], axis=-1)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of one batch, a scalar."""
        answer = _answer(y_true, y_pred, self.classes)
        return sum(term.weight * TERMS[name](answer, term) for name, term in self.terms.items())


class AnswerLoss(keras.losses.Loss):
    """Weighted sum of a recipe's terms for yes and no.

    Parameters
    ----------
    spec : LossSpec
        Terms of a classification.

    Notes
    -----
    ``call`` takes 0 or 1, (n,) or (n, 1), and logits (n, 1).
    """

    def __init__(self, spec: LossSpec) -> None:
        super().__init__(name="answer_loss", reduction="sum_over_batch_size")
        self.terms = [(term.weight, _binary(term)) for term in spec.terms.values()]

    def target(self, truth: np.ndarray) -> np.ndarray:
        """Return the truth as it is."""
        return truth

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of one batch, a scalar."""
        y = ops.reshape(y_true, (-1, 1))
        return sum(weight * loss(y, y_pred) for weight, loss in self.terms)


def _binary(term: loss_spec.Term) -> Any:
    if isinstance(term, loss_spec.Focal):
        return keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=term.alpha is not None,
            alpha=term.alpha or 0.5,
            gamma=term.gamma,
            from_logits=True,
        )
    assert isinstance(term, loss_spec.BinaryCrossEntropy)
    return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=term.label_smoothing)


@dataclass(frozen=True, eq=False)
class _Answer:
    """A batch as the terms see it.

    Attributes
    ----------
    p, target : tensor (n, h, w, classes + 1)
        Probability and truth of each class, and last of foreground as a whole: its
        probability, and where it is drawn without its class. Where nothing is known the
        target is 0 throughout.
    told : tensor (n, h, w)
        1 where anything is known.
    apart : tensor (n, 1, 1)
        1 for masks that tell the classes apart.
    distances : tensor (n, h, w, k)
        See `signed_distances`; k = 0 where no term needs them.
    """

    p: Any
    target: Any
    told: Any
    apart: Any
    distances: Any

    @property
    def classes(self) -> int:
        return int(self.p.shape[-1]) - 1

    @property
    def foreground(self) -> tuple[Any, Any]:
        """Truth and probability of foreground as a whole, (n, h, w)."""
        return ops.sum(self.target[..., 1:], axis=-1), self.p[..., -1] * self.told

    def each(self) -> list[tuple[Any, Any]]:
        """Truth and probability of each class, where classes can be told apart at all."""
        if self.classes < 3:
            return []
        return [
            (self.target[..., c] * self.apart, self.p[..., c] * self.told * self.apart)
            for c in range(1, self.classes)
        ]


def _answer(y_true: Any, y_pred: Any, classes: int) -> _Answer:
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == 3:
        y_true = y_true[..., None]
    y = ops.cast(y_true[..., 0], "int32")
    p = ops.softmax(ops.cast(y_pred, "float32"), axis=-1)
    p = ops.concatenate([p, ops.sum(p[..., 1:], axis=-1, keepdims=True)], axis=-1)
    told = ops.cast(y <= classes, "float32")
    target = ops.one_hot(ops.minimum(y, classes), classes + 1, dtype="float32") * told[..., None]
    partial = ops.any(ops.equal(y, classes), axis=(1, 2), keepdims=True)
    apart = ops.cast(ops.logical_not(partial), "float32")
    return _Answer(p, target, told, apart, ops.cast(y_true[..., 1:], "float32"))


# ---------------------------------------------------------------- Terms


def cross_entropy(answer: _Answer, _: loss_spec.CrossEntropy) -> Any:
    """Cross-entropy per pixel; a pixel of which nothing is known costs 0."""
    return ops.mean(-ops.sum(answer.target * ops.log(answer.p + TINY), axis=-1))


def focal(answer: _Answer, term: loss_spec.Focal) -> Any:
    """Focal loss: (1 - p)^gamma times cross-entropy.

    Lin et al., "Focal loss for dense object detection", ICCV 2017, arXiv:1708.02002.
    """
    ease = ops.clip(1.0 - answer.p, TINY, 1.0) ** term.gamma
    each = -answer.target * ease * ops.log(answer.p + TINY)
    if term.alpha is not None:
        background, drawn = each[..., :1], each[..., 1:]
        each = ops.concatenate([(1 - term.alpha) * background, term.alpha * drawn], axis=-1)
    return ops.mean(ops.sum(each, axis=-1))


def dice(answer: _Answer, term: loss_spec.Dice) -> Any:
    """1 - soft Dice of the whole batch.

    Once for foreground as a whole, and once for each class over the pictures whose mask
    tells classes apart. Milletari et al., "V-Net", 3DV 2016, arXiv:1606.04797.
    """
    return _overlap(answer, term.class_weight, term.picture_share, 0.5, 0.5)


def tversky(answer: _Answer, term: loss_spec.Tversky) -> Any:
    """1 - Tversky index, taken as `dice` is.

    Salehi et al., "Tversky loss function for image segmentation using 3D fully
    convolutional deep networks", MLMI 2017, arXiv:1706.05721.
    """
    return _overlap(answer, term.class_weight, term.picture_share, term.alpha, term.beta)


def boundary(answer: _Answer, term: loss_spec.Boundary) -> Any:
    """Mean of probability times signed distance from the drawn border; may be below 0.

    Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL 2019,
    arXiv:1812.07032.
    """
    regions = [answer.foreground, *answer.each()]
    weights = [1.0, *[term.class_weight] * (len(regions) - 1)]
    return sum(
        weight * ops.mean(answer.distances[..., k] * p)
        for k, (weight, (_, p)) in enumerate(zip(weights, regions, strict=True))
    )


TERMS: dict[str, Callable[[_Answer, Any], Any]] = {
    term.__name__: term for term in (cross_entropy, focal, dice, tversky, boundary)
}


def _overlap(
    answer: _Answer, class_weight: float, picture_share: float, alpha: float, beta: float
) -> Any:
    target, p = answer.foreground
    loss = _tversky(target, p, alpha, beta)
    if picture_share:
        pictures = ops.mean(_tversky(target, p, alpha, beta, axis=(1, 2)))
        loss = (1.0 - picture_share) * loss + picture_share * pictures
    if class_weight:
        for one in answer.each():
            loss = loss + class_weight * _tversky(*one, alpha, beta)
    return loss


def _tversky(
    target: Any, p: Any, alpha: float, beta: float, axis: tuple[int, ...] | None = None
) -> Any:
    """1 - Tversky index over the whole batch or over `axis`."""
    both = ops.sum(target * p, axis)
    extra, missed = ops.sum(p, axis) - both, ops.sum(target, axis) - both
    return 1.0 - (both + SMOOTHING) / (both + alpha * extra + beta * missed + SMOOTHING)


def signed_distances(mask: np.ndarray, classes: int) -> np.ndarray:
    """Distance of each pixel from the drawn border, as a part of the picture's side.

    Parameters
    ----------
    mask : ndarray of uint8, shape (h, w)
        Values 0 to classes + 1.
    classes : int
        Background included.

    Returns
    -------
    ndarray of float32, shape (h, w, k)
        Of foreground as a whole and, from three classes on, of each class: below 0
        inside. 0 where nothing is known, where a class is nowhere (or everywhere) drawn,
        and for the classes of a mask that does not tell them apart: there the term says
        nothing.
    """
    told = mask <= classes
    regions = [(mask > 0) & told]
    if classes > 2:
        apart = not (mask == classes).any()
        regions += [(mask == c) & apart for c in range(1, classes)]
    return np.stack([_signed_distance(region) * told for region in regions], axis=-1)


def _signed_distance(region: np.ndarray) -> np.ndarray:
    if not region.any() or region.all():
        return np.zeros(region.shape, np.float32)
    # The first pixel inside lies on the border: 0, as the first outside lies 1 away.
    away, deep = _distance_to(region), _distance_to(~region)
    signed: np.ndarray = np.where(region, 1.0 - deep, away) / max(region.shape)
    return signed.astype(np.float32)


def _distance_to(region: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest one of a region, in pixels."""
    elsewhere = (~region).astype(np.uint8)
    found = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit depends on where the array lies in memory. The square of a distance
    # is a whole number, and that makes a run the same again.
    whole: np.ndarray = np.sqrt(np.rint(np.square(found, dtype=np.float64)))
    return whole
