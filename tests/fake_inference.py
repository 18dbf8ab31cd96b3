"""Stands in for the models in the engine's child: what it does is the model's name."""

import os
import signal
import time

import numpy as np

from napari_covidseg.labels import INFECTION, LUNGS
from napari_covidseg.segmentation import (
    Classification,
    Explanation,
    ModelRef,
    Outcome,
    Progress,
    Segmentation,
    map_dtype,
)
from napari_covidseg.study import CovidsegError


def warm(models, **options):
    if "cannot-warm" in models:
        raise ImportError("No module named 'tensorflow'", name="tensorflow")


def run(study, models, *, model_dirs=(), progress=None, threads=None, device="auto"):
    segmentations, classifications = [], []
    for model in models:
        progress(Progress(f"Running {model}", 1, 2))
        if model == "sleep":
            time.sleep(60)
        elif model == "nap":
            time.sleep(0.3)
        elif model == "noisy":
            print("a library prints this", flush=True)
            os.write(1, b"so does native code\n")
        elif model == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif model == "exits":
            os._exit(3)
        elif model == "bad-input":
            raise CovidsegError("The image is empty: choose another one.")
        elif model == "bug":
            raise ValueError("secret PATIENT NAME")
        elif model == "no-memory":
            raise MemoryError
        elif model == "device":
            return Outcome(device=f"{device} {threads}")
        elif model == "identity":
            source = vars(study.source)
            note = repr((source, study.pseudonym, study.notes, study.modality, study.is_hu))
            classifications.append(
                Classification(ModelRef(model, "1"), note, 0.5, 0.5, ((0, 0.5),))
            )
            continue
        elif model == "ct-covid":
            n = study.slices().shape[0]
            classifications.append(
                Classification(
                    ModelRef(model, "1.0"),
                    "COVID-19",
                    0.8,
                    0.5,
                    tuple((i, 0.1 + 0.7 * i / n) for i in range(n)),
                )
            )
            continue
        scheme = INFECTION if "infection" in model or "ggo" in model else LUNGS
        low, high = (-700, -300) if scheme is INFECTION else (-1000, -300)
        inside = (study.array > low) & (study.array < high)
        right = np.arange(study.array.shape[-1]) < study.array.shape[-1] // 2
        labels = np.where(inside, np.where(right, 1, 2), 0).astype(np.uint8)
        certainty = 0.9 if inside.any() else float("nan")
        segmentations.append(
            Segmentation(labels, scheme, ModelRef(model, "1.0"), 0.5, certainty, ("Made up.",))
        )
    return Outcome(tuple(segmentations), tuple(classifications), "CPU")


def explain(
    study,
    model,
    *,
    method="gradcam",
    lungs=None,
    model_dirs=(),
    progress=None,
    threads=None,
    device="auto",
):
    model, _, version = model.partition("@")
    progress(Progress(f"Explaining {model}", 1, 2))
    if model == "sleep":
        time.sleep(60)
    elif model == "bad-input":
        raise CovidsegError("The image is empty: choose another one.")
    dtype = map_dtype(study.ndim)
    top = 255 if dtype == np.uint8 else 1
    found = np.where((study.array > -700) & (study.array < -300), top, 0).astype(dtype)
    made_by = ModelRef(model, version or "1.0")
    return Explanation(made_by, method, found, 0.75, 0.25, ((0, 0.75),))
