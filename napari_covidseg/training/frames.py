"""Frame of the lungs for items whose lungs nobody drew, found as it will be in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from napari_covidseg.inference import clean
from napari_covidseg.inference.frame import lung_frame
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.training.sources import Item

CHUNK = 64
"""Items at once."""


def with_lung_frames(items: Sequence[Item], lungs: ModelInfo, *, mask: bool) -> list[Item]:
    """Give every item a frame round its lungs; the drawn ones where there are any.

    Parameters
    ----------
    items : sequence of Item
        CT slices or films.
    lungs : ModelInfo
        The model that finds lungs.
    mask : bool
        Whether the lungs themselves are wanted too, for every item as the model finds
        them: drawn ones would promise a network more than it gets in use.

    Returns
    -------
    list of Item
        In the same order. An item in which no lung was found keeps its body frame.
    """
    out = list(items)
    wanted = [i for i, item in enumerate(items) if mask or item.lungs is None]
    if not wanted:
        return out
    network, size = Network(lungs), lungs.spec.input.size
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        p = network(
            np.stack([items[i].body.cut(items[i].picture, items[i].window, size) for i in chunk])
        )
        for i, one in zip(chunk, p, strict=True):
            item = items[i]
            found = _found(item, one, lungs)
            frame = item.lungs or lung_frame(found[np.newaxis]) or item.body
            out[i] = replace(item, lungs=frame, found=found if mask else None)
    return out


def _found(item: Item, p: np.ndarray, lungs: ModelInfo) -> np.ndarray:
    """Lungs of one slice on its own pixels, 0 or 255."""
    cleaned = clean.clean_lungs(p[np.newaxis], sides_known=False, modality=lungs.modality)[0]
    part, rows, cols = item.body.paste(cleaned, item.picture.shape)
    found = np.zeros(item.picture.shape, np.uint8)
    if part.size:
        either = cv2.add(part[..., 0], part[..., 1])
        found[rows, cols] = (either >= lungs.threshold * 255) * np.uint8(255)
    return found
