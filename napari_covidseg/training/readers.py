"""How a model agrees with each of two readers, beside how they agree with each other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from napari_covidseg.measure.agreement import dice


@dataclass(frozen=True)
class Reading:
    """Dice of a model and two readers on one volume.

    Attributes
    ----------
    volume : str
    first, second : float
        Of the model with each reader.
    between : float
        Of the readers with each other: what any model can hope for.
    voxels : int
        What the first reader drew, in voxels of the second one's grid: a Dice of a few
        voxels says little.
    """

    volume: str
    first: float
    second: float
    between: float
    voxels: int

    @classmethod
    def of(
        cls, volume: str, predicted: np.ndarray, first: np.ndarray, second: np.ndarray
    ) -> Reading:
        """Compare three masks on the grid of the second reader.

        Parameters
        ----------
        volume : str
        predicted, first : ndarray, shape (z, y, x)
            Non-zero is foreground.
        second : ndarray, shape (z, v, u)
            The same field of view, coarser within the slices.
        """
        model, one = (_on_grid(mask, second.shape) for mask in (predicted, first))
        two = second > 0
        return cls(volume, dice(model, one), dice(model, two), dice(one, two), int(one.sum()))


def _on_grid(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Foreground where it fills at least half of a coarser pixel."""
    size, drawn = (shape[2], shape[1]), (mask > 0).astype(np.float32)
    return np.stack([cv2.resize(z, size, interpolation=cv2.INTER_AREA) for z in drawn]) >= 0.5
