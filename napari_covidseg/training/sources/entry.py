"""One image of a user's own data, found with its mask and not read yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_covidseg.study import CovidsegError, Study


@dataclass(frozen=True, eq=False)
class Entry:
    """One image with its mask.

    Attributes
    ----------
    key : str
        Path below the folder of images, without ending and suffix.
    image : Path
        The image's file.
    read : callable
        Gives the study and its mask: values of ``training.losses``, uint8, same shape.
    group : str or None
        What the file itself says it belongs together with.
    """

    key: str
    image: Path
    read: Callable[[], tuple[Study, np.ndarray]]
    group: str | None = None


def translate(labels: np.ndarray, values: dict[int, int], name: str) -> np.ndarray:
    """Give a mask the values of training.

    Parameters
    ----------
    labels : ndarray of uint8
        As in the file.
    values : dict
        Value in the file to value in training.
    name : str
        The file, for the error.

    Raises
    ------
    CovidsegError
        If the mask holds another value.
    """
    count = np.bincount(labels.ravel(), minlength=256)
    count[list(values)] = 0
    if count.any():
        odd = int(count.argmax())  # the most frequent: beside it JPEG leaves many that are few
        known = ", ".join(str(v) for v in sorted(values))
        raise CovidsegError(
            f"{name}: mask value {odd} is not in the scheme (known: {known}): correct the "
            f'mask, or say what it means in data: labels = {{{odd} = "..."}}.'
        )
    table = np.zeros(256, np.uint8)
    table[list(values)] = list(values.values())
    return table[labels]
