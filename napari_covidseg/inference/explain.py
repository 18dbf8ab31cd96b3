"""Where a classifier saw what speaks for its finding: class activation maps.

A map is made of the features that the network pools, and of the gradient of its logit
with respect to them. Where a network pools several feature maps their maps are summed,
each as evidence in units of the logit a pixel, so that a coarse map counts for no more
than a fine one. What speaks against the finding is left out.

References
----------
Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017, arXiv:1610.02391.
Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", 2020, arXiv:2011.08891.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from napari_covidseg.inference.classify import classified_slices
from napari_covidseg.inference.network import BATCH, configure, load_network
from napari_covidseg.inference.prepare import Frame
from napari_covidseg.inference.registry import ModelError, ModelInfo, find, read_model
from napari_covidseg.inference.run import Job, check_fit
from napari_covidseg.segmentation import (
    Explanation,
    ModelRef,
    Progress,
    ProgressCallback,
    map_dtype,
)
from napari_covidseg.study import Study

BYTE = 255
"""Strongest evidence in the map of a volume."""

STRONG = 99.0
"""Percentile of the evidence that counts as strongest: a pooled maximum is evidence in
one single pixel, beside which all else would be dark."""


def gradcam(features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM: channels weighted by their mean gradient, before the ReLU.

    Parameters
    ----------
    features, gradient : ndarray of float32, shape (n, h, w, channels)
        Feature maps, and the gradient of the logit with respect to them.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
    """
    weights = gradient.mean(axis=(1, 2))
    return np.einsum("nhwc,nc->nhw", features, weights)


def hirescam(features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """HiResCAM: features times gradient, place by place, before the ReLU.

    Where pooled features go through a linear layer, the sum over all places is exactly
    what the features add to the logit. Grad-CAM's is not where the maximum is pooled.

    Parameters
    ----------
    features, gradient : ndarray of float32, shape (n, h, w, channels)
        Feature maps, and the gradient of the logit with respect to them.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
    """
    return np.einsum("nhwc,nhwc->nhw", features, gradient)


METHODS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = MappingProxyType(
    {"gradcam": gradcam, "hirescam": hirescam}
)

TITLES = MappingProxyType({"gradcam": "Grad-CAM", "hirescam": "HiResCAM"})
"""What a method is called for people."""


def explain(
    study: Study,
    model: str,
    *,
    method: str = "gradcam",
    slices: Sequence[int] | None = None,
    model_dirs: Iterable[Path] = (),
    progress: ProgressCallback | None = None,
    threads: int | None = None,
    device: str = "auto",
) -> Explanation:
    """Show where a classifier saw what speaks for its finding.

    Parameters
    ----------
    study : Study
        The image.
    model : str
        Name of a classification model.
    method : str
        A key of `METHODS`.
    slices : sequence of int, optional
        Which slices; by default all that are classified.
    model_dirs : iterable of Path
        Folders with the user's own models.
    progress : callable, optional
        Takes `Progress` values.
    threads, device
        As in ``network.configure``.

    Raises
    ------
    ModelError
        If the model is missing, damaged, no classifier or not made for this kind of
        image, or if method or slices are unknown.
    """
    if method not in METHODS:
        raise ModelError(f"There is no method {method!r}; there are: {', '.join(METHODS)}.")
    report = progress or (lambda _: None)
    dirs = tuple(Path(d) for d in model_dirs)
    info = find(model, dirs)
    if info.task != "classification":
        raise ModelError(f"{info.name} gives no probability to explain: choose a classifier.")
    check_fit(study, [info])
    report(Progress("Starting TensorFlow"))
    place, _ = configure(threads, device)
    job = Job(study, dirs, place, report)
    chosen = _chosen(job, info, slices)
    frame = job.frame(info)
    evidence = _evidence(job, info, frame, chosen, method)
    size = info.spec.input.size
    lungs = np.stack([job.shown_lungs(frame, z, size) for z in chosen.tolist()])
    inside = (evidence * lungs).sum(axis=(1, 2), dtype=float)
    total = evidence.sum(axis=(1, 2), dtype=float)
    if not lungs.any():
        inside[:] = np.nan
    return Explanation(
        ModelRef(info.name, info.version),
        method,
        _onto_image(evidence, chosen, frame, study),
        _share(inside.sum(), total.sum()),
        float(lungs.mean()) if lungs.any() else float("nan"),
        tuple(
            (z, _share(part, whole))
            for z, part, whole in zip(chosen.tolist(), inside, total, strict=True)
        ),
    )


def combine(maps: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Sum maps of different resolution at that of the picture, and leave out what is negative.

    Parameters
    ----------
    maps : iterable of ndarray of float32, shape (n, h, w)
        h and w divide `size`.
    size : int
        Side of the result.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        At least 0. Before the negative is cut off its sum is that of all maps.
    """
    total: Any = 0.0
    for each in maps:
        # Linear enlarging by a whole factor multiplies the sum by the factor's square.
        share = each.shape[1] * each.shape[2] / size**2
        total = total + share * np.stack(
            [cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR) for m in each]
        )
    return np.maximum(total, 0.0).astype(np.float32)


class Explained:
    """A classifier opened at the features that it pools.

    Parameters
    ----------
    info : ModelInfo
        Which model.
    device : str
        ``"CPU"`` or ``"GPU"``.

    Raises
    ------
    ModelError
        As ``network.load_network``, and if the architecture pools no features.
    """

    def __init__(self, info: ModelInfo, device: str = "CPU") -> None:
        import keras
        import tensorflow as tf

        from napari_covidseg.nets.explained import explained_features

        model = load_network(info)
        try:
            pooled = explained_features(model)
        except ValueError as error:
            raise ModelError(f"{info.name} cannot be explained: {error}.") from error
        below = keras.Model(model.input, pooled)
        # A network of its own from the features on: the gradient counts what is pooled
        # there, and not also what deeper features make of it.
        above = keras.Model(pooled, model.output)

        def open_up(pictures: Any) -> tuple[list[Any], list[Any]]:
            features = tf.nest.flatten(below(pictures, training=False))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(features)
                logit = above(features, training=False)
            return features, tape.gradient(logit, features)

        self._open_up, self._place = tf.function(open_up, reduce_retracing=True), f"/{device}:0"
        self._tf = tf

    def __call__(self, pictures: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Give features and gradients, one pair of (n, h, w, channels) each feature map.

        Parameters
        ----------
        pictures : ndarray of float32, shape (n, size, size) or (n, size, size, channels)
            From ``Frame.cut``.
        """
        if pictures.ndim == 3:
            pictures = pictures[..., np.newaxis]
        with self._tf.device(self._place):
            features, gradients = self._open_up(self._tf.constant(pictures))
        return [f.numpy() for f in features], [g.numpy() for g in gradients]


@lru_cache(maxsize=2)
def _explained(folder: Path, sha256: str, device: str) -> Explained:
    """Open each model once a process; new weights have another checksum."""
    return Explained(read_model(folder), device)


def _chosen(job: Job, info: ModelInfo, slices: Sequence[int] | None) -> np.ndarray:
    if slices is None:
        return classified_slices(job, info)
    last = len(job.slices) - 1
    odd = [z for z in slices if not 0 <= z <= last]
    if odd or not slices:
        which = f"slice {odd[0]}" if odd else "slice to explain"
        raise ModelError(f"There is no {which}: choose from 0 to {last}.")
    return np.unique(np.asarray(slices, int))


def _evidence(
    job: Job, info: ModelInfo, frame: Frame, chosen: np.ndarray, method: str
) -> np.ndarray:
    """Evidence of each slice at the network's resolution: (n, size, size)."""
    job.report(Progress(f"Loading {info.name}"))
    network = _explained(info.folder, info.spec.weights.sha256, job.device)
    parts = []
    for start in range(0, len(chosen), BATCH):
        job.report(Progress(f"Explaining {info.name}", start, len(chosen)))
        some = chosen[start : start + BATCH].tolist()
        features, gradients = network(np.stack([job.shown(info, frame, z) for z in some]))
        maps = (METHODS[method](f, g) for f, g in zip(features, gradients, strict=True))
        parts.append(combine(maps, info.spec.input.size))
    job.report(Progress(f"Explaining {info.name}", len(chosen), len(chosen)))
    return np.concatenate(parts)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _onto_image(evidence: np.ndarray, chosen: np.ndarray, frame: Frame, study: Study) -> np.ndarray:
    """Bring evidence to the image's own pixels, slice by slice, the strongest being 1 or 255."""
    positive = evidence[evidence > 0]
    strongest = float(np.percentile(positive, STRONG)) if positive.size else 1.0
    depth, height, width = study.slices().shape
    volume = study.ndim == 3
    out = np.zeros((depth, height, width), map_dtype(study.ndim))
    for z, each in zip(chosen.tolist(), evidence, strict=True):
        level = np.minimum(each / np.float32(strongest), np.float32(1.0))
        part, rows, cols = frame.paste(level, (height, width))
        out[z, rows, cols] = np.rint(BYTE * part) if volume else part
    return out if volume else out[0]
