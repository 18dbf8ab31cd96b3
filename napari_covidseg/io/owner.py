"""Which process something on disk belongs to, and whether that one still lives."""

from __future__ import annotations

from collections.abc import Mapping

import psutil


def describe(pid: int | None = None) -> dict[str, float]:
    """Give number and start of a process, for a file; of this one if none is named.

    Raises
    ------
    psutil.Error
        If it has ended already.
    """
    process = psutil.Process(pid)
    return {"pid": process.pid, "started": process.create_time()}


def lives(owner: Mapping[str, float]) -> bool:
    """Whether a process lives; its start tells it from a later one of the same number."""
    try:
        there = psutil.Process(int(owner["pid"]))
        same = abs(there.create_time() - owner["started"]) < 2
        return same and there.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
