"""Time and memory of runs in a warm engine: ``python engine_runs.py Z Y X``."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from napari_covidseg import phantom
from napari_covidseg.engine import Engine
from napari_covidseg.study import Study, from_array

BOTH = ("ct-lungs", "ct-infection")
GIB = 2**20  # of the kB that /proc speaks in


def volume(shape: tuple[int, ...]) -> Study:
    """A phantom of this size; its pixels are gathered here so that no other copy lives."""
    study = phantom.ct(shape).study
    return study.replace(array=np.ascontiguousarray(study.array, np.int16))


class Memory(threading.Thread):
    """Watch how much memory this process and the engine's take together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._files = [Path(f"/proc/{p}/status") for p in ("self", pid)]
        self._over = threading.Event()
        self.peak_kb = 0

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.peak_kb = max(self.peak_kb, sum(map(own_kb, self._files)))

    def stop(self) -> float:
        """Peak in GiB."""
        self._over.set()
        self.join()
        return self.peak_kb / GIB


def own_kb(status: Path) -> int:
    """Memory of a process without what it only maps from files, in kB."""
    try:
        lines = dict(x.split(":", 1) for x in status.read_text().splitlines() if ":" in x)
        return sum(int(lines[k].split()[0]) for k in ("RssAnon", "RssShmem"))
    except (OSError, KeyError):
        return 0


def run(engine: Engine, study: Study, models: tuple[str, ...]) -> float:
    """Seconds of one run, from the request to the result."""
    over = threading.Event()
    errors: list[Exception] = []

    def fail(error: Exception) -> None:
        errors.append(error)
        over.set()

    start = time.perf_counter()
    engine.submit(
        study,
        models,
        on_progress=lambda _: None,
        on_outcome=lambda _: over.set(),
        on_error=fail,
    )
    over.wait()
    if errors:
        raise SystemExit(str(errors[0]))
    return time.perf_counter() - start


def main() -> None:
    shape = tuple(int(n) for n in sys.argv[1:4])
    study = volume(shape)
    middle = from_array(
        study.array[len(study.array) // 2], spacing=study.spacing[1:], modality=study.modality,
        is_hu=True,
    )  # fmt: skip
    engine = Engine()
    start = time.perf_counter()
    run(engine, middle, BOTH)
    first = time.perf_counter() - start
    slices = [run(engine, middle, BOTH) for _ in range(5)]
    assert engine.pid is not None
    memory = Memory(engine.pid)
    memory.start()
    both = run(engine, study, BOTH)
    peak = memory.stop()
    result = {
        "volume_s": both,
        "volume_peak_gib": peak,
        "volume_lungs_s": run(engine, study, ("ct-lungs",)),
        "slice_s": float(np.median(slices)),
        "first_run_s": first,
    }
    engine.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
