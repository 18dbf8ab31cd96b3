"""The engine's child: ``python -m napari_covidseg.engine.child WORK``.

It reads requests from standard input and writes replies to standard output, one JSON
line each. ``WORK`` is the module whose ``run`` and ``warm`` do the work.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import queue
import signal
import sys
import threading
from types import ModuleType
from typing import BinaryIO

from napari_covidseg.engine.memory import attach
from napari_covidseg.engine.messages import (
    Failed,
    Finished,
    Mask,
    Progressed,
    Run,
    Warm,
    Warmed,
    replies,
    requests,
)
from napari_covidseg.engine.serving import die_first, in_words, take_standard_streams
from napari_covidseg.segmentation import Outcome, Progress


def main() -> None:
    """Serve requests until the parent closes the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to judge
    die_first()
    lines_in, lines_out = take_standard_streams()
    inbox: queue.SimpleQueue[Warm | Run] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(lines_in, inbox), daemon=True).start()
    worker = Worker(sys.argv[1], lines_out)
    while True:
        worker.serve(inbox.get())


class Worker:
    """Does requests one after the other."""

    def __init__(self, work: str, out: BinaryIO) -> None:
        self._work = work
        self._out = out

    def serve(self, request: Warm | Run) -> None:
        """Do one request and say how it ended."""
        try:
            reply: Warmed | Finished | Failed = (
                self._warm(request) if isinstance(request, Warm) else self._run(request)
            )
        except Exception as error:
            reply = Failed(*in_words(error), during=request.kind)
        self._say(reply)

    def _say(self, reply: Progressed | Warmed | Finished | Failed) -> None:
        self._out.write(replies.dump_json(reply) + b"\n")
        self._out.flush()

    def _progress(self, progress: Progress) -> None:
        self._say(Progressed(progress))

    def _module(self) -> ModuleType:
        return importlib.import_module(self._work)

    def _warm(self, request: Warm) -> Warmed:
        self._module().warm(
            request.models,
            model_dirs=request.settings.model_dirs,
            threads=request.settings.threads,
            device=request.settings.device,
        )
        return Warmed()

    def _run(self, request: Run) -> Finished:
        image, array = attach(request.image.pixels)
        room, labels = attach(request.labels)
        try:
            array.flags.writeable = False
            outcome: Outcome = self._module().run(
                request.image.study(array),
                request.models,
                model_dirs=request.settings.model_dirs,
                progress=self._progress,
                threads=request.settings.threads,
                device=request.settings.device,
            )
            for i, made in enumerate(outcome.segmentations):
                labels[i] = made.labels
            return Finished(
                masks=tuple(
                    Mask(s.scheme, s.model, s.threshold, s.certainty, s.notes)
                    for s in outcome.segmentations
                ),
                classifications=outcome.classifications,
                device=outcome.device,
            )
        finally:
            del array, labels
            gc.collect()
            for block in (image, room):
                with contextlib.suppress(BufferError):  # a tensor may still look at it
                    block.close()


def _receive(lines: BinaryIO, inbox: queue.SimpleQueue[Warm | Run]) -> None:
    for line in lines:
        inbox.put(requests.validate_json(line))
    # The parent is gone: nobody wants the result, whatever the main thread computes.
    os._exit(0)


if __name__ == "__main__":
    main()
