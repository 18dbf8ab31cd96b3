"""Frame of the lungs for items whose lungs nobody drew, found as it will be in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_covidseg.inference import clean
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.prepare import lung_frame
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.training.sources import Item

CHUNK = 64
"""Items at once."""


def with_lung_frames(items: Sequence[Item], lungs: ModelInfo) -> list[Item]:
    """Give every item a frame round its lungs; the drawn ones where there are any.

    Parameters
    ----------
    items : sequence of Item
        CT slices.
    lungs : ModelInfo
        The model that finds lungs.

    Returns
    -------
    list of Item
        In the same order. An item in which no lung was found keeps its body frame.
    """
    out = list(items)
    missing = [i for i, item in enumerate(items) if item.lungs is None]
    if not missing:
        return out
    network, size = Network(lungs), lungs.spec.input.size
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        p = network(
            np.stack([items[i].body.cut(items[i].picture, items[i].window, size) for i in chunk])
        )
        for i, one in zip(chunk, p, strict=True):
            item = items[i]
            cleaned = clean.clean_lungs(one[np.newaxis], sides_known=False)[0]
            mask = cleaned.sum(axis=-1, dtype=int) >= clean.HALF
            part, rows, cols = item.body.paste(mask.astype(np.uint8) * 255, item.picture.shape)
            found = np.zeros((1, *item.picture.shape), bool)
            found[0, rows, cols] = part >= clean.HALF
            out[i] = replace(item, lungs=lung_frame(found) or item.body)
    return out
