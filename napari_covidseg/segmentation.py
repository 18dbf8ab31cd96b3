"""What a run gives back: masks and probabilities, with the model that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """

    model: ModelRef
    finding: str
    probability: float
    threshold: float
    slices: tuple[tuple[int, float], ...]
    notes: tuple[str, ...] = ()

    @property
    def positive(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that one run made for one study."""

    segmentations: tuple[Segmentation, ...] = ()
    classifications: tuple[Classification, ...] = ()
    device: str = "CPU"
