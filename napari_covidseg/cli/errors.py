"""Errors in one line each, and runs over many files in which a bad one stops no other."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_covidseg.study import CovidsegError

OUR_FAULT = 1
BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
DEBUG = "COVIDSEG_DEBUG"

_ADVICE = {
    errno.ENOENT: "no such file or folder: check the path",
    errno.EACCES: "permission denied: check who may read or write there",
    errno.EISDIR: "that is a folder: name a file",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.EDQUOT: "your disk quota is used up: free some space, or choose another folder",
    errno.ENOSPC: "the disk is full: free some space, or choose another folder",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
}


def say(message: str) -> None:
    """Print one line to stderr."""
    print(" ".join(message.split()), file=sys.stderr, flush=True)


def in_words(error: Exception) -> tuple[str, int]:
    """Turn any error into one line and an exit code; a traceback only where asked for."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, CovidsegError):
        return str(error), BAD_INPUT
    if isinstance(error, OSError):
        reason = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        return f"{error.filename}: {reason}" if error.filename else reason, BAD_INPUT
    if isinstance(error, MemoryError):
        return "not enough memory: close other programs, or use a smaller image", BAD_INPUT
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"internal error ({detail}): this is our fault, please report it "
        "with the output of 'covidseg --debug ...'",
        OUR_FAULT,
    )


def each(paths: Sequence[Path], work: Callable[[Path], None]) -> int:
    """Do a job for each file; report those that fail and go on.

    Parameters
    ----------
    paths : sequence of Path
        Files or folders.
    work : callable
        Takes one of them.

    Returns
    -------
    int
        Exit code: 0, 2 if a file was bad, 1 if the fault is ours.
    """
    codes = []
    for path in paths:
        try:
            work(path)
        except BrokenPipeError:
            raise  # nobody reads any more: no use in going on
        except Exception as error:
            message, code = in_words(error)
            say(message if message.startswith(str(path)) else f"{path}: {message}")
            codes.append(code)
    if codes and len(paths) > 1:
        say(f"{len(codes)} of {len(paths)} images failed, {len(paths) - len(codes)} done.")
    return OUR_FAULT if OUR_FAULT in codes else max(codes, default=0)
