"""Stands in for a training in its child: what it does is in FAKE_TRAINING, or the recipe's name."""

import os
import signal
import time

import numpy as np

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.messages import Trained
from napari_covidseg.training.watch import EpochReport, Preview, StoppedError


def run(job, watcher, say):
    epochs, steps = 3, 4
    how = os.environ.get("FAKE_TRAINING", job.recipe.stem)
    say("Reading the cases")
    if how == "bad-data":
        raise CovidsegError("There are too few cases: save more.")
    if how == "bug":
        raise ValueError("secret PATIENT NAME")
    if how == "no-memory":
        raise MemoryError
    print("a library prints this", flush=True)
    for epoch in range(1, epochs + 1):
        for step in range(1, steps + 1):
            watcher.step(epoch, step, steps)
            if how in ("slow", "deaf"):
                time.sleep(0.2)
            if how != "deaf" and watcher.should_stop():
                raise StoppedError(epoch - 1)
        labels = np.zeros((32, 32), np.uint8)
        labels[8:16, 8 : 8 + 4 * epoch] = epoch % 2 + 1
        picture = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
        preview = Preview("mine/case", picture, labels, labels)
        row = {"loss": 1 / epoch, "val_loss": float("nan"), "val_dice": 1 - 0.5 / epoch}
        watcher.epoch(EpochReport(epoch, epochs, row, True, 0.5, (preview,)))
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    say("Comparing with the base model on the held-out cases")
    dice = 0.4 if how == "worse" else 0.9
    return Trained("ct-lungs", "1.1.0", job.base, 0.7, dice, 5, False)
