"""lungmask's own code and architecture on noise-like lungs: ``python peer.py Z Y X SLICES``.

Runs in an environment of its own, since the product has no use for torch:

    python3.11 -m venv peer-env
    peer-env/bin/pip install lungmask torch==2.13.0 --index-url <a CPU build of torch>
    python benchmarks/run.py --peer peer-env/bin/python

Its weights are drawn at random here, for the time does not depend on them. The time of
its post-processing would (random weights give confetti), so that is left out: the
comparison is kind to it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from lungmask import LMInferer
from lungmask.resunet import UNet


def main() -> None:
    depth, height, width, slices = (int(n) for n in sys.argv[1:5])
    torch.manual_seed(0)
    network = UNet(
        n_classes=3, padding=True, depth=5, up_mode="upsample", batch_norm=True, residual=False
    )
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.save(network.state_dict(), weights)
        inferer = LMInferer(
            modelpath=str(weights), force_cpu=True, volume_postprocessing=False, tqdm_disable=True
        )
    image = body(slices, height, width)
    inferer.apply(image[:1])
    start = time.perf_counter()
    inferer.apply(image)
    seconds = time.perf_counter() - start
    result = {"volume_s": seconds * depth / slices, "slices": slices, "measured_s": seconds}
    print(json.dumps({**result, "torch": torch.__version__, "threads": torch.get_num_threads()}))


def body(depth: int, height: int, width: int) -> np.ndarray:
    """An ellipse of soft tissue with two of air, in HU: its preprocessing crops to it."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    image = np.where((x / 0.8) ** 2 + (y / 0.6) ** 2 < 1, 40, -1000)
    for side in (-0.35, 0.35):
        image[((x - side) / 0.25) ** 2 + (y / 0.4) ** 2 < 1] = -850
    return np.repeat(image[np.newaxis].astype(np.int16), depth, axis=0)


if __name__ == "__main__":
    main()
