"""What a run gives back: masks and probabilities, with the model that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_covidseg.labels import LabelScheme


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    phase : str
        What is being done, in words for people: ``"Loading ct-lungs"``.
    done, total : int
        Steps of this phase; total 0 where the length is not known.
    """

    phase: str
    done: int = 0
    total: int = 0


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class ModelRef:
    """Which model made a result."""

    name: str
    version: str

    @property
    def reference(self) -> str:
        """Name and version by which this version is asked for, and no other."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A mask made by a model.

    Attributes
    ----------
    labels : ndarray of uint8
        Same shape as the study's array, display order.
    scheme : LabelScheme
        What the values mean.
    model : ModelRef
        What made it.
    threshold : float
        Probability from which a pixel counts as foreground.
    certainty : float
        Mean of max(p, 1 - p) over the pixels that the model marked or nearly marked
        (p > 0.05), 0.5 to 1: how decided the model was. Not a probability of being
        right. NaN where nothing was marked.
    notes : tuple of str
        Sentences for the user about this result.
    """

    labels: np.ndarray
    scheme: LabelScheme
    model: ModelRef
    threshold: float
    certainty: float
    notes: tuple[str, ...] = ()


SAME_ANSWER = 0.1
"""Probabilities closer than this are one answer, on whichever side of a threshold they lie."""


@dataclass(frozen=True)
class Shortcut:
    """Probabilities of a finding with parts of the picture blanked.

    Attributes
    ----------
    shown : float
        With nothing blanked, 0 to 1, on the slices that were tested: of a long volume
        not all are.
    lungs_blanked : float
        With nothing to be seen in the lungs, 0 to 1.
    lungs_only : float
        With nothing to be seen but the lungs, 0 to 1.
    threshold : float
        From which a probability counts as positive.
    """

    shown: float
    lungs_blanked: float
    lungs_only: float
    threshold: float

    @property
    def from_lungs(self) -> bool:
        """Whether the answer comes from the lungs.

        It does not where the lungs alone give the other answer (and not by a hair:
        `SAME_ANSWER`), nor where a positive answer stays positive without them. A negative
        answer that stays negative without the lungs is as it should be: there is nothing
        ill to be seen.
        """
        positive = self.shown >= self.threshold
        alone = self.lungs_only >= self.threshold
        without = self.lungs_blanked >= self.threshold
        kept = positive == alone or abs(self.shown - self.lungs_only) < SAME_ANSWER
        return kept and not (positive and without)

    @property
    def words(self) -> str:
        """Say the test's outcome to the user."""
        how = (
            f"{self.shown:.2f} as shown, {self.lungs_blanked:.2f} with the lungs blanked, "
            f"{self.lungs_only:.2f} with all but the lungs blanked"
        )
        if self.from_lungs:
            return f"The answer comes from the lungs ({how})."
        return f"Do not trust this answer: it does not come from the lungs ({how})."


@dataclass(frozen=True)
class Classification:
    """Probability of a finding for each slice and for the whole scan.

    Attributes
    ----------
    model : ModelRef
        What made it.
    finding : str
        What a high probability speaks for, e.g. ``"COVID-19"``.
    probability : float
        For the whole study, 0 to 1.
    threshold : float
        From which the study counts as positive; fixed on validation data.
    slices : tuple of (int, float)
        Index along z and probability of each slice that shows enough lung; one entry
        for a 2D image.
    notes : tuple of str
        Sentences for the user about this result.
    shortcut : Shortcut or None
        The same question with parts of the picture blanked; None where no lung was found.
    lungs : ModelRef or None
        What found the lungs that the answer rests on, where that is known.
    """

    model: ModelRef
    finding: str
    probability: float
    threshold: float
    slices: tuple[tuple[int, float], ...]
    notes: tuple[str, ...] = ()
    shortcut: Shortcut | None = None
    lungs: ModelRef | None = None

    @property
    def positive(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


class CamMethod(StrEnum):
    """How a class activation map is made."""

    GRADCAM = "gradcam"
    HIRESCAM = "hirescam"

    @property
    def words(self) -> str:
        """What it is called for people."""
        return {"gradcam": "Grad-CAM", "hirescam": "HiResCAM"}[self]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where a classifier saw what speaks for its finding.

    Attributes
    ----------
    model : ModelRef
        What was explained.
    method : str
        A value of `CamMethod`.
    map : ndarray
        Same shape as the study's array, display order: evidence for the finding as a
        part of the strongest of the study (its 99th percentile, and what lies above).
        For a 2D image float32, 0 to 1; for a volume uint8, 0 to 255, 0 on slices that
        were not explained.
    mass_in_lungs : float
        Share of the map's sum that lies in the lungs, 0 to 1; NaN where nothing speaks
        for the finding or no lung was found.
    lung_share : float
        Share of what the network was shown that is lung: `mass_in_lungs` of a map that
        is the same everywhere. NaN where no lung was found.
    slices : tuple of (int, float)
        Index along z and `mass_in_lungs` of each slice that was explained; one entry
        for a 2D image.
    """

    model: ModelRef
    method: str
    map: np.ndarray
    mass_in_lungs: float
    lung_share: float
    slices: tuple[tuple[int, float], ...]


def map_dtype(ndim: int) -> np.dtype:
    """Type of an `Explanation.map` of a 2D image or a volume: no volume is floating point."""
    return np.dtype(np.uint8 if ndim == 3 else np.float32)


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that one run made for one study."""

    segmentations: tuple[Segmentation, ...] = ()
    classifications: tuple[Classification, ...] = ()
    device: str = "CPU"
