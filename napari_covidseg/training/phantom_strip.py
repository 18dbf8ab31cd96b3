"""Where a segmentation is at its worst on the phantom, as a picture for its card.

Pictures of patients may not be shown; what a failure looks like can be, on a chest made by
code. How often a model fails on patients it does not tell.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image

from napari_covidseg import phantom
from napari_covidseg.inference import run
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.inference.window import ct_window, xray_window
from napari_covidseg.labels import SCHEMES, Label, LabelScheme
from napari_covidseg.measure.agreement import count
from napari_covidseg.study import Modality, Study, from_array
from napari_covidseg.training import strips
from napari_covidseg.training.watch import Preview

HEIGHTS = (0.25, 0.375, 0.5, 0.625, 0.75)
"""Where slices are taken, as parts of a CT phantom's height: from base to apex."""

FILMS = 3
"""Films looked at, of seeds 0, 1 and 2."""

SIDE = 180
"""Pixels of each of the four panels: together they fit a window beside an image."""

DIFFERENCES = LabelScheme(
    "differences",
    "differences",
    (Label(1, "missed", "#d55e00"), Label(2, "too much", "#56b4e9")),
    0.75,
)


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A slice or film of the phantom.

    Attributes
    ----------
    name : str
        How it is made again.
    study : Study
    lungs, infection : ndarray of uint8, shape (y, x)
        Truth.
    """

    name: str
    study: Study
    lungs: np.ndarray
    infection: np.ndarray


@dataclass(frozen=True, eq=False)
class Worst:
    """The case with the lowest Dice.

    Attributes
    ----------
    name : str
    dice : float
        Of the foreground as a whole.
    of : int
        Cases looked at.
    png : bytes
        Picture, truth, what the model draws, and the differences.
    """

    name: str
    dice: float
    of: int
    png: bytes


def worst(info: ModelInfo) -> Worst:
    """Run a segmentation on cases of the phantom, and draw the one that it draws worst.

    Parameters
    ----------
    info : ModelInfo

    Raises
    ------
    CovidsegError
        If the model cannot be run.
    """
    assert info.scheme is not None
    scheme = SCHEMES[info.scheme]
    cases = phantom_cases(info.modality)
    answers = [_answer(info, case) for case in cases]
    # A scheme with fewer labels draws all lesions with its last one.
    truths = [
        np.minimum(c.lungs if info.role == "lungs" else c.infection, max(scheme.values))
        for c in cases
    ]
    dice = [count(a > 0, t > 0).dice for a, t in zip(answers, truths, strict=True)]
    k = int(np.nanargmin(dice))
    drawn = png(cases[k].study, truths[k], answers[k], scheme)
    return Worst(cases[k].name, dice[k], len(cases), drawn)


@cache
def phantom_cases(modality: Modality) -> Sequence[PhantomCase]:
    """Make the cases, once for all models: a phantom takes seconds."""
    if modality is Modality.XR:
        films = ((seed, phantom.xray(seed=seed)) for seed in range(FILMS))
        return [
            PhantomCase(f"phantom.xray(seed={seed})", film.study, film.lungs, film.infection)
            for seed, film in films
        ]
    chest = phantom.ct(seed=0)
    return [
        PhantomCase(
            f"phantom.ct(seed=0), slice {z}",
            from_array(chest.study.array[z], modality=Modality.CT, is_hu=True, stem=f"phantom-{z}"),
            chest.lungs[z],
            chest.infection[z],
        )
        for z in (int(height * len(chest.lungs)) for height in HEIGHTS)
    ]


def png(study: Study, truth: np.ndarray, labels: np.ndarray, scheme: LabelScheme) -> bytes:
    """Draw a case as a PNG file's bytes.

    Parameters
    ----------
    study : Study
        A single slice or film, as high as it is wide.
    truth, labels : ndarray of uint8, shape (y, x)
    scheme : LabelScheme
        Of both.
    """
    array = study.array.reshape(truth.shape)
    window = xray_window(array) if study.modality is Modality.XR else ct_window(array, study.is_hu)
    values = (array.astype(np.float32) - window.low) / (window.high - window.low)
    picture = cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    truth, labels = (
        cv2.resize(mask.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        for mask in (truth, labels)
    )
    off = np.where((truth > 0) == (labels > 0), 0, np.where(truth > 0, 1, 2)).astype(np.uint8)
    three = strips.strip(Preview("", picture, truth, labels), scheme)
    differences = strips.strip(Preview("", picture, off, off), DIFFERENCES)
    whole = np.concatenate([three, differences[:, -SIDE - strips.GAP :]], axis=1)
    file = io.BytesIO()
    Image.fromarray(whole).save(file, "png", optimize=True)  # a quarter of what OpenCV writes
    return file.getvalue()


def _answer(info: ModelInfo, case: PhantomCase) -> np.ndarray:
    outcome = run(case.study, [info.reference], model_dirs=[info.folder.parent])
    return outcome.segmentations[0].labels.reshape(case.lungs.shape)
