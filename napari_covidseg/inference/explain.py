"""Where a classifier saw what speaks for its finding, on the pixels of the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from napari_covidseg.inference import cam
from napari_covidseg.inference.classify import classified_slices, classify
from napari_covidseg.inference.frame import Frame
from napari_covidseg.inference.job import Job
from napari_covidseg.inference.network import BATCH, configure
from napari_covidseg.inference.registry import ModelError, ModelInfo, check_folders, find
from napari_covidseg.inference.run import check_fit
from napari_covidseg.inference.shortcut import Blanked
from napari_covidseg.segmentation import (
    CamMethod,
    Classification,
    Explanation,
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


def explain(
    study: Study,
    model: str,
    *,
    method: str = CamMethod.GRADCAM,
    lungs: str | None = None,
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
        A value of `CamMethod`.
    lungs : str, optional
        Name of the model that found the lungs when the study was classified; by default the
        one that finds them where nobody chooses.
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
        image, if a folder holds no model, or if method or slices are unknown.
    CovidsegError
        If the image holds no numbers.
    """
    job, info = _begin(study, model, method, model_dirs, progress, threads, device)
    if lungs is not None:
        job.lungs(find(lungs, job.dirs))
    return _explain(job, info, method, slices)


def classify_and_explain(
    study: Study,
    model: str,
    *,
    method: str = CamMethod.GRADCAM,
    model_dirs: Iterable[Path] = (),
    progress: ProgressCallback | None = None,
    threads: int | None = None,
    device: str = "auto",
) -> tuple[Classification, Explanation]:
    """Give a classifier's answer and the map of it; the lungs are looked for once.

    Parameters and errors are those of `explain`.
    """
    job, info = _begin(study, model, method, model_dirs, progress, threads, device)
    return classify(job, info), _explain(job, info, method, None)


def _begin(
    study: Study,
    model: str,
    method: str,
    model_dirs: Iterable[Path],
    progress: ProgressCallback | None,
    threads: int | None,
    device: str,
) -> tuple[Job, ModelInfo]:
    if method not in cam.METHODS:
        raise ModelError(f"There is no method {method!r}; there are: {', '.join(cam.METHODS)}.")
    report = progress or (lambda _: None)
    dirs = tuple(Path(d) for d in model_dirs)
    check_folders(dirs)
    info = find(model, dirs)
    if info.task != "classification":
        raise ModelError(f"{info.name} gives no probability to explain: choose a classifier.")
    check_fit(study, [info])
    report(Progress("Starting TensorFlow"))
    place, _ = configure(threads, device)
    return Job(study, dirs, place, report), info


def _explain(job: Job, info: ModelInfo, method: str, slices: Sequence[int] | None) -> Explanation:
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
        info.ref,
        method,
        _onto_image(evidence, chosen, frame, job.study),
        _share(inside.sum(), total.sum()),
        float(lungs.mean()) if lungs.any() else float("nan"),
        tuple(
            (z, _share(part, whole))
            for z, part, whole in zip(chosen.tolist(), inside, total, strict=True)
        ),
    )


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
    network = cam.opened(info.folder, info.spec.weights.sha256, job.device)
    parts = []
    for start in range(0, len(chosen), BATCH):
        job.report(Progress(f"Explaining {info.name}", start, len(chosen)))
        some = chosen[start : start + BATCH].tolist()
        maps = _maps(network, method, [job.shown(info, frame, z) for z in some])
        if info.spec.input.outside == "blank":
            # Where nothing is shown every picture is the same, and so is what that adds to the
            # answer: evidence is what the lungs change beside lungs in which nothing is seen.
            # Where no lung was found the whole picture was shown.
            blanked = [job.shown(info, frame, z, Blanked.LUNGS) for z in some]
            common = job.lungs().found[some].any(axis=(1, 2))[:, np.newaxis, np.newaxis]
            without = _maps(network, method, blanked)
            maps = [m - common * b for m, b in zip(maps, without, strict=True)]
        parts.append(cam.combine(maps, info.spec.input.size))
    job.report(Progress(f"Explaining {info.name}", len(chosen), len(chosen)))
    return np.concatenate(parts)


def _maps(network: cam.Explained, method: str, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Make the map of each pooled feature map of pictures, what speaks against it included."""
    features, gradients = network(np.stack(pictures))
    return [cam.METHODS[method](f, g) for f, g in zip(features, gradients, strict=True)]


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
