"""One study on its way through several models: its window, its lungs, the networks' answers.

Probabilities are kept as bytes at the network's resolution; labels are made slice by
slice at the image's own, so that no floating-point volume of full size ever exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from napari_covidseg.inference import clean
from napari_covidseg.inference.ahead import ahead
from napari_covidseg.inference.classify import classify
from napari_covidseg.inference.finite import finite
from napari_covidseg.inference.frame import (
    Frame,
    body_frame,
    cut_frame,
    lung_frame,
    whole_frame,
    with_rim,
)
from napari_covidseg.inference.histogram import shown_window
from napari_covidseg.inference.network import BATCH, Network, both_ways
from napari_covidseg.inference.registry import ModelInfo, defaults, find, read_model
from napari_covidseg.inference.shortcut import Blanked, blank
from napari_covidseg.inference.thin import asked, between
from napari_covidseg.inference.window import Window, ct_window, xray_window
from napari_covidseg.labels import SCHEMES
from napari_covidseg.segmentation import (
    Classification,
    Progress,
    ProgressCallback,
    Segmentation,
)
from napari_covidseg.study import Modality, Study

SLAB = 2 * BATCH
"""Slices between two progress reports."""

FEW = 4
"""Up to so many slices there is time to look at each twice."""


@lru_cache(maxsize=8)
def loaded(folder: Path, sha256: str, device: str) -> Network:
    """Load each model once a process; new weights have another checksum."""
    return Network(read_model(folder), device)


@dataclass(frozen=True, eq=False)
class _Lungs:
    """Lungs of a study, on the image's pixels: as found, as answered, and what made them.

    Networks are shown what was found, so that no answer depends on which other models
    ran; the answer grows by the infection at its edge.
    """

    found: np.ndarray
    labels: np.ndarray
    certainty: float
    info: ModelInfo


class Job:
    """One study on its way through several models, which share window and lungs.

    Attributes
    ----------
    notes : tuple of str
        What was done to the image; goes with every result.

    Raises
    ------
    CovidsegError
        If no pixel of the image is a finite number.
    """

    def __init__(
        self, study: Study, dirs: tuple[Path, ...], device: str, report: ProgressCallback
    ) -> None:
        study, self.notes = finite(study)
        self.study, self.dirs, self.device, self.report = study, dirs, device, report
        self.slices = study.slices()
        dy, dx = study.spacing[-2:]
        self.aspect = dy / dx
        self.shape = (int(self.slices.shape[1]), int(self.slices.shape[2]))
        if study.modality is Modality.CT:
            self.window = ct_window(self.slices, study.is_hu)
        else:
            self.window = xray_window(self.slices)
        self._lungs: _Lungs | None = None

    def answer(self, info: ModelInfo) -> Segmentation | Classification:
        """Run one model."""
        if info.task == "classification":
            return classify(self, info)
        if info.role == "lungs":
            found = self.lungs(info)
            return self._segmentation(info, found.labels, found.certainty)
        return self._infection(info)

    # ------------------------------------------------------------ Lungs

    def lungs(self, info: ModelInfo | None = None) -> _Lungs:
        """Lungs by the given model, or by whichever ran already, or by the default."""
        if self._lungs is not None and (info is None or info == self._lungs.info):
            return self._lungs
        if info is None:
            assert self.study.modality is not None
            info = find(defaults(self.study.modality)["lungs"], self.dirs)
        frame = self.frame(info)
        chosen = asked(len(self.slices), self.study.spacing[0])
        some, certainty = self._probabilities(info, frame, chosen)
        p = between(some, chosen)
        self.report(Progress("Cleaning the lungs"))
        clean.clean_lungs(p, sides_known=self.study.orientation_known, modality=info.modality)
        labels = np.zeros((len(self.slices), *self.shape), np.uint8)
        for z in range(len(labels)):
            _label(p[z], frame, info.threshold, labels[z])
        self._lungs = _Lungs(labels.copy(), labels, certainty, info)
        return self._lungs

    def frame(self, info: ModelInfo) -> Frame:
        """Give the square of the image that a model is shown."""
        frame = None
        if info.spec.input.frame == "body":
            frame = body_frame(self.slices, self.window, self.aspect)
        elif info.spec.input.frame == "lungs":
            frame = lung_frame(self.lungs().found, self.aspect)
            draws = info.task == "segmentation"
            if frame is not None and draws and _nearly_fills(frame, self.shape):
                # Cut to the lungs already: what was not taken for lung is shown as well, and
                # drawn on. A classifier learnt from the lungs' own square (training.frames).
                return cut_frame(self.shape, self.aspect)
        return frame or whole_frame(self.shape, self.aspect)

    # ------------------------------------------------------------ Infection

    def _infection(self, info: ModelInfo) -> Segmentation:
        labels = np.zeros((len(self.slices), *self.shape), np.uint8)
        frame = self.frame(info)
        if info.spec.input.frame != "lungs":
            every = range(len(self.slices))
            p, certainty = self._probabilities(info, frame, every)
            clean.drop_specks(p, info.threshold)
            for z in range(len(labels)):
                _label(p[z], frame, info.threshold, labels[z])
            return self._segmentation(info, labels, certainty)
        lungs = self.lungs().found
        shown = np.flatnonzero(lungs.any(axis=(1, 2)))
        if not len(shown):
            return self._segmentation(
                info, labels, float("nan"), ("No lung was found, so none could be infected.",)
            )
        p, certainty = self._probabilities(info, frame, shown)
        if frame != cut_frame(self.shape, self.aspect):
            # A picture cut to the lungs shows little else, and lungs are missed there most.
            size = info.spec.input.size
            near = np.stack([frame.cut_labels(lungs[z], size) > 0 for z in shown.tolist()])
            clean.inside(p, near, info.threshold)
        clean.drop_specks(p, info.threshold)
        for i, z in enumerate(shown.tolist()):
            _label(p[i], frame, info.threshold, labels[z])
            _adopt(self.lungs().labels[z], labels[z])
        return self._segmentation(info, labels, certainty)

    # ------------------------------------------------------------ Network

    def answers(
        self,
        info: ModelInfo,
        frame: Frame,
        chosen: Iterable[int],
        *,
        blanked: Blanked | None = None,
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Give the network's answers slab by slab, with the indices of their slices.

        Few slices are shown mirrored too, and both answers averaged. `blanked` takes a part of
        each picture away first.
        """
        self.report(Progress(f"Loading {info.name}"))
        network = loaded(info.folder, info.spec.weights.sha256, self.device)
        doing = f"Checking {info.name}" if blanked else f"Running {info.name}"
        indices = np.fromiter(chosen, int)
        twice = _twice(info, len(indices))
        slabs = [indices[start : start + SLAB] for start in range(0, len(indices), SLAB)]

        def shown(slab: np.ndarray) -> np.ndarray:
            return np.stack([self.shown(info, frame, z, blanked) for z in slab.tolist()])

        for k, (slab, pictures) in enumerate(zip(slabs, ahead(shown, slabs), strict=True)):
            self.report(Progress(doing, k * SLAB, len(indices)))
            yield slab, both_ways(network, pictures) if twice else network(pictures)
        self.report(Progress(doing, len(indices), len(indices)))

    def shown(
        self, info: ModelInfo, frame: Frame, z: int, blanked: Blanked | None = None
    ) -> np.ndarray:
        """Give what the network sees of a slice: (size, size) or (size, size, channels)."""
        size = info.spec.input.size
        window = shown_window(self.slices, self.window, info.spec.input)
        picture = frame.cut(np.asarray(self.slices[z]), window, size)
        if info.spec.input.outside == "blank":
            kept = with_rim(self.shown_lungs(frame, z, size))
            picture = blank(picture, kept, Blanked.REST, info.modality)
        if blanked is not None:
            picture = blank(picture, self.shown_lungs(frame, z, size), blanked, info.modality)
        if not info.spec.input.lungs:
            return picture
        return np.stack([picture, self.shown_lungs(frame, z, size)], axis=-1)

    def shown_lungs(self, frame: Frame, z: int, size: int) -> np.ndarray:
        """Give how much of each of the network's pixels of a slice is lung, 0 to 1."""
        return frame.cut(self.lungs().found[z], Window(0, 1), size)

    def _probabilities(
        self, info: ModelInfo, frame: Frame, chosen: Iterable[int]
    ) -> tuple[np.ndarray, float]:
        """Foreground probabilities as bytes, (n, size, size, classes - 1), and certainty."""
        parts, decided, count = [], 0.0, 0
        for _, p in self.answers(info, frame, chosen):
            near = np.bincount(_foreground(p).ravel(), minlength=256)
            near[: round(0.05 * 255)] = 0
            levels = np.arange(256) / 255
            decided += float((near * np.maximum(levels, 1 - levels)).sum())
            count += int(near.sum())
            parts.append(p)
        return np.concatenate(parts), decided / count if count else float("nan")

    def _segmentation(
        self,
        info: ModelInfo,
        labels: np.ndarray,
        certainty: float,
        notes: tuple[str, ...] = (),
    ) -> Segmentation:
        if not notes and not labels.any():
            notes = (f"{info.title}: nothing was found.",)
        notes = (*notes, *self.notes)
        assert info.scheme is not None
        return Segmentation(
            labels if self.study.ndim == 3 else labels[0],
            SCHEMES[info.scheme],
            info.ref,
            info.threshold,
            certainty,
            notes,
        )


def _twice(info: ModelInfo, count: int) -> bool:
    """Whether a model is shown slices mirrored too: few, where it learnt so and tells no side."""
    return info.spec.mirrored and info.role != "lungs" and count <= FEW


def _nearly_fills(frame: Frame, shape: tuple[int, int], least: float = 0.95) -> bool:
    """Whether a frame with its margin is about as large as the picture in either direction.

    Round a whole chest the lungs' frame is at most about 0.9 of the picture.
    """
    return frame.height >= least * shape[0] or frame.width >= least * shape[1]


def _foreground(p: np.ndarray) -> np.ndarray:
    """Probability of any class, 0 to 255; saturated addition of the last axis."""
    total = p[..., 0]
    for k in range(1, p.shape[-1]):
        # By planes: NumPy's own sum over a short last axis is many times slower.
        total = cv2.add(total, p[..., k])
    return total


def _label(p: np.ndarray, frame: Frame, threshold: float, out: np.ndarray) -> None:
    """Write one slice's labels: any class reaching the threshold together, then the likeliest."""
    if int(p.max()) * p.shape[-1] < threshold * 255:
        return
    part, rows, cols = frame.paste(p, (out.shape[0], out.shape[1]))
    if part.ndim == 2:
        part = part[..., np.newaxis]
    if part.size == 0:
        return
    best, labels = part[..., 0], np.ones(part.shape[:2], np.uint8)
    for k in range(1, part.shape[-1]):
        likelier = part[..., k] > best
        labels[likelier] = k + 1
        best = np.maximum(best, part[..., k])
    labels[_foreground(part) < threshold * 255] = 0
    out[rows, cols] = labels


def _adopt(lungs: np.ndarray, infection: np.ndarray) -> None:
    """Count infection beyond the lungs' edge as lung: a consolidated lung is still lung."""
    outside = (infection > 0) & (lungs == 0)
    if not outside.any():
        return
    # The lung is next to it: looking at the surroundings alone is ten times as fast.
    (y0, y1), (x0, x1) = (np.flatnonzero(outside.any(axis=1 - k))[[0, -1]] for k in (0, 1))
    near = np.s_[max(0, y0 - 32) : y1 + 33, max(0, x0 - 32) : x1 + 33]
    if not lungs[near].any():
        near = np.s_[:, :]
    part = lungs[near]
    _, nearest = ndimage.distance_transform_edt(part == 0, return_indices=True)
    part[outside[near]] = part[tuple(nearest)][outside[near]]
