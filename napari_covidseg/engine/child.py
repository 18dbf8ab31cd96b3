"""The engine's child: ``python -m napari_covidseg.engine.child WORK``.

It reads requests from standard input and writes replies to standard output, one JSON
line each. ``WORK`` is the module whose ``run``, ``explain`` and ``warm`` do the work.
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
from collections.abc import Callable
from types import ModuleType
from typing import Any, BinaryIO, TypeVar

import numpy as np

from napari_covidseg.engine.memory import attach
from napari_covidseg.engine.messages import (
    EngineSettings,
    Explain,
    Explained,
    Failed,
    Finished,
    Image,
    Mask,
    Pixels,
    Progressed,
    Replies,
    Requests,
    Run,
    Warm,
    Warmed,
    replies,
    requests,
)
from napari_covidseg.engine.serving import die_first, in_words, take_standard_streams
from napari_covidseg.segmentation import Explanation, Outcome, Progress
from napari_covidseg.study import Study

_Made = TypeVar("_Made")


def main() -> None:
    """Serve requests until the parent closes the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to judge
    die_first()
    lines_in, lines_out = take_standard_streams()
    inbox: queue.SimpleQueue[Requests] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(lines_in, inbox), daemon=True).start()
    worker = Worker(sys.argv[1], lines_out)
    while True:
        worker.serve(inbox.get())


class Worker:
    """Does requests one after the other."""

    def __init__(self, work: str, out: BinaryIO) -> None:
        self._work = work
        self._out = out

    def serve(self, request: Requests) -> None:
        """Do one request and say how it ended."""
        try:
            reply = self._reply(request)
        except Exception as error:
            reply = Failed(*in_words(error), during=request.kind)
        self._say(reply)

    def _reply(self, request: Requests) -> Replies:
        if isinstance(request, Warm):
            return self._warm(request)
        return self._run(request) if isinstance(request, Run) else self._explain(request)

    def _say(self, reply: Replies) -> None:
        self._out.write(replies.dump_json(reply) + b"\n")
        self._out.flush()

    def _progress(self, progress: Progress) -> None:
        self._say(Progressed(progress))

    def _module(self) -> ModuleType:
        return importlib.import_module(self._work)

    def _warm(self, request: Warm) -> Warmed:
        self._module().warm(request.models, **_options(request.settings))
        return Warmed()

    def _run(self, request: Run) -> Finished:
        def work(study: Study, labels: np.ndarray) -> Outcome:
            outcome: Outcome = self._module().run(
                study, request.models, progress=self._progress, **_options(request.settings)
            )
            for i, made in enumerate(outcome.segmentations):
                labels[i] = made.labels
            return outcome

        outcome = _with_pixels(request.image, request.labels, work)
        return Finished(
            masks=tuple(
                Mask(s.scheme, s.model, s.threshold, s.certainty, s.notes)
                for s in outcome.segmentations
            ),
            classifications=outcome.classifications,
            device=outcome.device,
        )

    def _explain(self, request: Explain) -> Explained:
        def work(study: Study, room: np.ndarray) -> Explanation:
            made: Explanation = self._module().explain(
                study,
                request.model,
                method=request.method,
                lungs=request.lungs,
                progress=self._progress,
                **_options(request.settings),
            )
            room[...] = made.map
            return made

        made = _with_pixels(request.image, request.map, work)
        return Explained(made.model, made.method, made.mass_in_lungs, made.lung_share, made.slices)


def _options(settings: EngineSettings) -> dict[str, Any]:
    return {
        "model_dirs": settings.model_dirs,
        "threads": settings.threads,
        "device": settings.device,
    }


def _with_pixels(image: Image, result: Pixels, work: Callable[[Study, np.ndarray], _Made]) -> _Made:
    """Call `work` with an image and the room for its result, and let go of both."""
    (image_block, array), (result_block, room) = attach(image.pixels), attach(result)
    try:
        array.flags.writeable = False
        return work(image.study(array), room)
    finally:
        del array, room
        gc.collect()
        for block in (image_block, result_block):
            with contextlib.suppress(BufferError):  # a tensor may still look at it
                block.close()


def _receive(lines: BinaryIO, inbox: queue.SimpleQueue[Requests]) -> None:
    for line in lines:
        inbox.put(requests.validate_json(line))
    # The parent is gone: nobody wants the result, whatever the main thread computes.
    os._exit(0)


if __name__ == "__main__":
    main()
