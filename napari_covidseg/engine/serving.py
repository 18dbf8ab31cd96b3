"""What every child process of ours does alike: keep its pipes, die first, word its errors."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path
from typing import BinaryIO

from napari_covidseg.study import CovidsegError


def in_words(error: Exception) -> tuple[str, str]:
    """Say an error in one line; give the traceback where the user cannot put it right."""
    if isinstance(error, CovidsegError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return (
            "The memory did not suffice for this image: close other programs, "
            "or run on a part of it."
        ), ""
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and missing in {"tensorflow", "keras"}:
        return (
            "TensorFlow is missing or does not start in this environment: "
            "run `pip install tensorflow` in it, then restart napari."
        ), traceback.format_exc()
    return (
        f"The run failed by a fault of ours ({type(error).__name__}): "
        "please report it with the steps that led here; your data are untouched."
    ), traceback.format_exc()


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes for messages: what a library prints must not fall among them."""
    lines_in = os.fdopen(os.dup(0), "rb")
    lines_out = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return lines_in, lines_out


def die_first() -> None:
    """Where memory runs out, let Linux end this process rather than the viewer."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
