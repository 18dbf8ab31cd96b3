"""Whether a classifier answers from the lungs: blank a part of the picture, ask again.

A network that learned from several hospitals can tell them apart by what lies round the
lungs (table, markers, how the picture was cut) and take that for the disease. The test
is to take the lungs away, then everything else, and to see which of the two the answer
follows. The outline of the lungs stays in both.

References
----------
DeGrave et al., "AI for radiographic COVID-19 detection selects shortcuts over signal",
Nature Machine Intelligence 2021.
Maguolo, Nanni, "A critic evaluation of methods for COVID-19 automatic detection from
X-ray images", Information Fusion 2021, arXiv:2004.12823 (lungs blanked).
"""

from __future__ import annotations

from enum import Enum, auto

import numpy as np

from napari_covidseg.inference.window import AIR_LEVEL, TISSUE_LEVEL
from napari_covidseg.study import Modality

MOST = 24
"""Of a volume the test looks at so many slices, evenly spread."""


class Blanked(Enum):
    """Which part of a picture is taken away."""

    LUNGS = auto()
    REST = auto()


LEVELS = {
    Modality.CT: {Blanked.LUNGS: AIR_LEVEL, Blanked.REST: TISSUE_LEVEL},
    Modality.XR: {Blanked.LUNGS: 0.63, Blanked.REST: 0.88},
}
"""What is put in place of each part, as a network sees it (0 to 1): aerated lung without
any structure, and plain soft tissue. On films the two are the medians of healthy ones."""


def blank(
    picture: np.ndarray, lungs: np.ndarray, blanked: Blanked, modality: Modality
) -> np.ndarray:
    """Take a part of a picture away.

    Constants are put there rather than the part's own mean: how dense a lung is on the
    whole must not show through.

    Parameters
    ----------
    picture : ndarray of float32, shape (size, size)
        From ``Frame.cut``, 0 to 1.
    lungs : ndarray of float32, shape (size, size)
        Share of each pixel that is lung, 0 to 1.
    blanked : Blanked
        What to take away.
    modality : Modality
        Whose `LEVELS` to use.

    Returns
    -------
    ndarray of float32, shape (size, size)
    """
    away = lungs if blanked is Blanked.LUNGS else 1.0 - lungs
    return (picture + away * (LEVELS[modality][blanked] - picture)).astype(np.float32)


def spread(n: int, most: int = MOST) -> np.ndarray:
    """Give at most `most` of the indices 0 to n - 1, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
