"""Shared memory between the engine and its child.

The parent makes every block and removes it, results included; the child only looks in.
So a child that is killed leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from napari_covidseg.engine.messages import Pixels
from napari_covidseg.study import CovidsegError


class Blocks:
    """The shared memory of one run; the parent makes it and always removes it."""

    def __init__(self) -> None:
        self._held: list[SharedMemory] = []

    def room(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[Pixels, np.ndarray]:
        """Make room for an array.

        Returns
        -------
        pixels : Pixels
            What the child needs to find it.
        array : ndarray
            View of it; let go of it before `free`.

        Raises
        ------
        CovidsegError
            If the machine has too little shared memory: writing on would kill the viewer.
        """
        size = max(1, int(np.prod(shape)) * dtype.itemsize)
        _check_room(size)
        try:
            block = SharedMemory(create=True, size=size)
        except OSError as error:
            raise _no_room(size) from error
        self._held.append(block)
        array: np.ndarray = np.ndarray(shape, dtype, buffer=block.buf)
        return Pixels(block.name, tuple(shape), dtype.str), array

    def view(self, pixels: Pixels) -> np.ndarray:
        """View an array of these blocks."""
        block = next(b for b in self._held if b.name == pixels.block)
        return np.ndarray(pixels.shape, pixels.dtype, buffer=block.buf)

    def free(self) -> None:
        """Remove all blocks; harmless when done twice."""
        while self._held:
            block = self._held.pop()
            with contextlib.suppress(FileNotFoundError):  # the system's cleaner was here first
                block.unlink()
            with contextlib.suppress(BufferError):  # the memory goes with its last view
                block.close()


def attach(pixels: Pixels) -> tuple[SharedMemory, np.ndarray]:
    """Open, in the child, an array that the parent made and will remove."""
    if sys.version_info >= (3, 13):
        block = SharedMemory(pixels.block, track=False)
    else:
        block = SharedMemory(pixels.block)
        # Else this process would remove the parent's memory when it ends (python#82300).
        resource_tracker.unregister(block._name, "shared_memory")  # type: ignore[attr-defined]
    return block, np.ndarray(pixels.shape, pixels.dtype, buffer=block.buf)


def _check_room(size: int) -> None:
    # Linux grants any size and kills the writer later, so ask first.
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).free < size:
        raise _no_room(size)


def _no_room(size: int) -> CovidsegError:
    return CovidsegError(
        f"The machine has less than {size / 2**20:.0f} MB of shared memory left: close other "
        "programs (in a container, start it with --shm-size=2g), or run `covidseg segment`."
    )
