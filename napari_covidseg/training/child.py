"""The training's child: ``python -m napari_covidseg.training.child WORK``.

It reads one `Job` from standard input, then perhaps a `Stop`, and writes replies to
standard output, one JSON line each. ``WORK`` is the module whose ``run`` does the job.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from typing import BinaryIO

from napari_covidseg.engine.serving import die_first, in_words, take_standard_streams
from napari_covidseg.training.messages import (
    Epoch,
    Failed,
    Halted,
    Job,
    Reply,
    Said,
    Stepped,
    replies,
    requests,
)
from napari_covidseg.training.watch import EpochReport, StoppedError

PAUSE = 0.1
"""Seconds between two reports of steps: a person sees no more."""

NO_MEMORY = (
    "The memory did not suffice: close other programs, or lower `batch` in the recipe, "
    "then start again."
)


def main() -> None:
    """Do one job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to judge
    die_first()
    lines_in, lines_out = take_standard_streams()
    job = requests.validate_json(lines_in.readline())
    assert isinstance(job, Job)
    teller = Teller(lines_out)
    threading.Thread(target=_receive, args=(lines_in, teller.stop), daemon=True).start()
    teller.say(_do(job, sys.argv[1], teller))


class Teller:
    """A `Watcher` that tells the parent, and is told by it to stop."""

    def __init__(self, out: BinaryIO) -> None:
        self.stop = threading.Event()
        self._out = out
        self._last = 0.0

    def say(self, reply: Reply) -> None:
        """Send one reply."""
        self._out.write(replies.dump_json(reply) + b"\n")
        self._out.flush()

    def words(self, text: str) -> None:
        """Say what is being done."""
        self.say(Said(text))

    def step(self, epoch: int, done: int, total: int) -> None:
        """Tell of a step, if the last one told is long enough ago."""
        now = time.monotonic()
        if done == total or now - self._last >= PAUSE:
            self._last = now
            self.say(Stepped(epoch, done, total))

    def epoch(self, report: EpochReport) -> None:
        """Tell of a finished epoch."""
        self.say(Epoch.of(report))

    def should_stop(self) -> bool:
        """Whether the parent asked for it."""
        return self.stop.is_set()


def _do(job: Job, work: str, teller: Teller) -> Reply:
    try:
        return importlib.import_module(work).run(job, teller, teller.words)
    except StoppedError as stopped:
        return Halted(stopped.finished)
    except MemoryError:
        return Failed(NO_MEMORY, "")
    except Exception as error:
        return Failed(*in_words(error))


def _receive(lines: BinaryIO, stop: threading.Event) -> None:
    for line in lines:
        requests.validate_json(line)
        stop.set()
    # The parent is gone; the last checkpoint is whole, so nothing is lost by ending here.
    os._exit(0)


if __name__ == "__main__":
    main()
