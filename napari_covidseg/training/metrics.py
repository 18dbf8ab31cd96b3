"""Figures of a network while it learns; overlap and ROC are those of ``measure``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from napari_covidseg.labels import LabelScheme
from napari_covidseg.measure.agreement import auc, dice
from napari_covidseg.measure.overlap import iou, precision, sensitivity

More = Literal["iou", "sensitivity", "precision", "auc"]
"""What a recipe may ask for beside Dice, which for a mask is F1; IoU is Jaccard's index."""

OVERLAPS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "iou": iou,
    "sensitivity": sensitivity,
    "precision": precision,
}


def names(
    scheme: LabelScheme | None, *, more: Sequence[More] = (), adversarial: bool = False
) -> tuple[str, ...]:
    """Columns of ``history.csv`` after the epoch; without a scheme those of a classification."""
    if scheme is None:
        figures = ["val_auc", "val_accuracy"]
    else:
        figures = ["val_dice", *_columns_of_labels(scheme).values()]
        figures += [f"val_{name}" for name in more]
    against = ("adversarial_loss", "critic_loss") if adversarial else ()
    return ("loss", *against, "learning_rate", "val_loss", *figures)


def rises(name: str) -> bool:
    """Whether higher is better."""
    return not name.endswith("loss")


def mask_figures(
    labels: np.ndarray,
    truth: np.ndarray,
    scheme: LabelScheme,
    more: Sequence[More] = (),
    score: np.ndarray | None = None,
) -> dict[str, float]:
    """Means over pictures.

    Parameters
    ----------
    labels : ndarray of int, shape (n, h, w)
        What the network draws.
    truth : ndarray of int, shape (n, h, w)
        Masks with the values of ``training.losses``.
    scheme : LabelScheme
        Labels of both.
    more : sequence of str
        Of `More`, of foreground as a whole.
    score : ndarray of float, shape (n, h, w), optional
        How likely each pixel is foreground, for ``"auc"``: that of the pixels of a picture.

    Returns
    -------
    dict of str to float
        ``val_dice`` of foreground as a whole and, where the scheme has several labels, of
        each over the masks that tell them apart; then what `more` names. Background counts
        nowhere, nor does a picture where a figure has no meaning (a label that is neither
        drawn nor found has no Dice); NaN if none is left.
    """
    untold = max(scheme.values) + 1  # foreground, label not told
    pairs = [(a[b <= untold], b[b <= untold]) for a, b in zip(labels, truth, strict=True)]
    apart = [(a, b) for a, b in pairs if not (b == untold).any()]
    found = {"val_dice": _mean([dice(a > 0, b > 0) for a, b in pairs])}
    for value, name in _columns_of_labels(scheme).items():
        found[name] = _mean([dice(a == value, b == value) for a, b in apart])
    for name in more:
        if name == "auc":
            assert score is not None
            found["val_auc"] = _mean(
                [auc(b[b <= untold] > 0, s[b <= untold]) for s, b in zip(score, truth, strict=True)]
            )
        else:
            found[f"val_{name}"] = _mean([OVERLAPS[name](a > 0, b > 0) for a, b in pairs])
    return found


def answer_figures(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve, and accuracy at a probability of one half.

    Parameters
    ----------
    logits : ndarray of float, shape (n,)
    truth : ndarray of 0 and 1, shape (n,)
    """
    right = (logits > 0) == truth.astype(bool)
    return {"val_auc": auc(truth, logits), "val_accuracy": float(right.mean())}


def _columns_of_labels(scheme: LabelScheme) -> dict[int, str]:
    if len(scheme.labels) < 2:
        return {}
    return {value: f"val_dice_{name.replace(' ', '_')}" for value, name in scheme.names.items()}


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")
