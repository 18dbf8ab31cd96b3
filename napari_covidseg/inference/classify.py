"""One answer for a study from a classifier's answers for its slices, put to the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from napari_covidseg.inference.frame import Frame
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.inference.shortcut import Blanked, spread
from napari_covidseg.segmentation import Classification, Shortcut

if TYPE_CHECKING:
    from napari_covidseg.inference.job import Job

LEAST_LUNG = 0.25
"""A slice is classified when it shows at least this part of the largest slice's lung."""


def classify(job: Job, info: ModelInfo) -> Classification:
    """Classify a study, and ask again with the lungs blanked and with all else blanked."""
    chosen = classified_slices(job, info)
    frame = job.frame(info)
    p = _probabilities(job, info, frame, chosen)
    seen = bool(job.lungs().found.any())
    shortcut = _put_to_the_test(job, info, frame, chosen, p) if seen else None
    notes = list(job.notes)
    if not seen and info.spec.input.frame == "lungs":
        notes.append("No lung was found: the whole picture was classified, which says little.")
    if len(p) > 1:
        agree = int((p >= info.threshold).sum())
        notes.append(f"{agree} of {len(p)} slices reach the threshold.")
    if shortcut is not None and not shortcut.from_lungs:
        notes.append(shortcut.words)
    return Classification(
        info.ref,
        info.spec.finding or "finding",
        whole_scan(p),
        info.threshold,
        tuple((int(z), float(v)) for z, v in zip(chosen, p, strict=True)),
        tuple(notes),
        shortcut,
        job.lungs().info.ref,
    )


def _put_to_the_test(
    job: Job, info: ModelInfo, frame: Frame, chosen: np.ndarray, p: np.ndarray
) -> Shortcut:
    some = spread(len(chosen))
    blanked = {
        part: whole_scan(_probabilities(job, info, frame, chosen[some], part)) for part in Blanked
    }
    return Shortcut(
        shown=whole_scan(p[some]),
        lungs_blanked=blanked[Blanked.LUNGS],
        lungs_only=blanked[Blanked.REST],
        threshold=info.threshold,
    )


def classified_slices(job: Job, info: ModelInfo) -> np.ndarray:
    """Give the indices of the slices that a classifier is shown: those with enough lung."""
    if info.spec.input.frame == "lungs":
        areas = (job.lungs().found > 0).sum(axis=(1, 2))
        if areas.max():
            return np.flatnonzero(areas >= LEAST_LUNG * areas.max())
    return np.arange(len(job.slices))


def whole_scan(p: np.ndarray) -> float:
    """Probability for a scan from those of its slices.

    Disease shows in a part of the slices: the answer is that of the third that shows most.
    """
    return float(np.sort(p)[-max(1, len(p) // 3) :].mean())


def _probabilities(
    job: Job, info: ModelInfo, frame: Frame, chosen: np.ndarray, blanked: Blanked | None = None
) -> np.ndarray:
    answers = job.answers(info, frame, chosen, blanked=blanked)
    logits = np.concatenate([logit[:, 0] for _, logit in answers])
    return np.asarray(expit(logits / info.spec.temperature))
