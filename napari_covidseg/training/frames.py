"""Frame of the lungs for items whose lungs nobody drew, found as it will be in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from napari_covidseg.inference import clean
from napari_covidseg.inference.frame import lung_frame
from napari_covidseg.inference.job import Job
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.study import from_array
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
        In the same order. Slices of a volume whose lungs are looked for share one frame unless
        lungs are drawn, and those in which none are found are left out; a picture in which none
        are found keeps its body frame.
    """
    out: list[Item | None] = list(items)
    volumes: dict[tuple[str, str], list[int]] = {}
    alone = []
    for i, item in enumerate(items):
        if item.lungs is not None and not mask:
            continue
        if item.volume is not None:
            volumes.setdefault((item.set, item.volume), []).append(i)
        else:
            alone.append(i)
    for i, made in zip(alone, _each([items[i] for i in alone], lungs, mask), strict=True):
        out[i] = made
    for members in volumes.values():
        slices = _together([items[i] for i in members], lungs, mask)
        for i, one in zip(members, slices, strict=True):
            out[i] = one
    return [item for item in out if item is not None]


def _together(items: Sequence[Item], lungs: ModelInfo, mask: bool) -> Iterator[Item | None]:
    """Look at the slices of one volume as inference does; None for those that it leaves out."""
    first = items[0]
    study = from_array(
        np.stack([item.picture for item in items]),
        spacing=first.spacing,
        modality=lungs.modality,
        is_hu=first.is_hu,
    )
    job = Job(study, (), "CPU", lambda _: None)
    found = job.lungs(lungs).found
    frame = job.frame(_shown_lungs(lungs))
    for item, one in zip(items, found, strict=True):
        lung = (one > 0) * np.uint8(255)
        shown = replace(item, lungs=item.lungs or frame, found=lung if mask else None)
        yield shown if lung.any() else None


def _shown_lungs(info: ModelInfo) -> ModelInfo:
    """Stand in for the model that is to be trained: it is shown the frame of the lungs."""
    shown = info.spec.input.model_copy(update={"frame": "lungs"})
    return replace(info, spec=info.spec.model_copy(update={"input": shown}))


def _each(items: Sequence[Item], lungs: ModelInfo, mask: bool) -> Iterator[Item]:
    """Look at every item by itself."""
    if not items:
        return
    network, size = Network(lungs), lungs.spec.input.size
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        p = network(np.stack([item.body.cut(item.picture, item.window, size) for item in chunk]))
        for item, one in zip(chunk, p, strict=True):
            found = _found(item, one, lungs)
            frame = item.lungs or lung_frame(found[np.newaxis]) or item.body
            yield replace(item, lungs=frame, found=found if mask else None)


def _found(item: Item, p: np.ndarray, lungs: ModelInfo) -> np.ndarray:
    """Lungs of one slice on its own pixels, 0 or 255."""
    cleaned = clean.clean_lungs(p[np.newaxis], sides_known=False, modality=lungs.modality)[0]
    part, rows, cols = item.body.paste(cleaned, item.picture.shape)
    found = np.zeros(item.picture.shape, np.uint8)
    if part.size:
        either = cv2.add(part[..., 0], part[..., 1])
        found[rows, cols] = (either >= lungs.threshold * 255) * np.uint8(255)
    return found
