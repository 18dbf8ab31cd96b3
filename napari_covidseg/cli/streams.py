"""Standard streams that are there and take any text."""

from __future__ import annotations

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def prepare() -> None:
    """Give closed standard streams somewhere to go, and let no letter be an error.

    The next file that is opened would else have the number of a closed stream, and get what
    is written to that. A letter that the terminal lacks is written as its number, and the name
    of a file as the bytes that it is on disk.
    """
    for number, name in enumerate(_NAMES):
        stream = getattr(sys, name)
        if stream is None and _is_closed(number):
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        elif number and hasattr(stream, "reconfigure"):
            utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False
