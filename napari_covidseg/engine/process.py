"""A child process, seen from the parent: start it, write to it, listen, end it.

It is started as a program of its own and not by `multiprocessing`, whose spawned
children import the user's ``__main__`` again: a script with no ``__main__`` guard
would open a second viewer. Its two pipes also tell each side when the other is gone.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter

logger = logging.getLogger(__name__)

MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}
"""Let glibc keep the memory that TensorFlow gives back after each batch, instead of asking
the kernel for fresh pages each time: less work, and no higher a peak. Other
systems and C libraries pay no heed to these names."""


class Child:
    """A running child and the thread that listens to it.

    Parameters
    ----------
    command : sequence of str
        Module that the child runs, and its arguments.
    requests, replies : TypeAdapter
        What is said to it and what it says, one JSON line each.
    hear : callable
        Called with this child and each reply, on the listening thread.
    ended : callable
        Called with this child and its exit code when it has ended, on that thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        requests: TypeAdapter[Any],
        replies: TypeAdapter[Any],
        hear: Callable[[Child, Any], None],
        ended: Callable[[Child, int], None],
    ) -> None:
        self._requests, self._replies = requests, replies
        self._hear, self._ended = hear, ended
        self._process = subprocess.Popen(
            # -P: a file called random.py in the working folder must not be imported
            [sys.executable, "-P", "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if logger.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                **MALLOC,
            },
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        threading.Thread(target=self._listen, name=f"covidseg {command[0]}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def send(self, request: Any) -> None:
        """Ask for something.

        Raises
        ------
        OSError
            If the child is gone.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(self._requests.dump_json(request) + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end; give its exit code."""
        return self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            try:
                for line in lines:
                    self._hear(self, self._replies.validate_json(line))
            except Exception:
                logger.debug("A child cannot be understood", exc_info=True)
                self.kill()
        self._ended(self, self.wait())


def why_ended(code: int) -> str:
    """Say for the user why a child ended by itself, and what to do.

    Parameters
    ----------
    code : int
        Exit code; below zero the number of the signal that ended it.
    """
    if code in (-9, 137):
        return (
            "The process that computes was ended by the system, most often because memory ran "
            "out: close other programs or take a smaller image, then press Run again."
        )
    return (
        f"The process that computes stopped unexpectedly (code {code}): press Run again; "
        "if it happens again, choose the CPU in the preferences."
    )
