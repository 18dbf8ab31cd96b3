"""Write whole files or none."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_covidseg.io.errors import WriteError

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space, or choose another folder",
    errno.EDQUOT: "your disk quota is used up: free some space, or choose another folder",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.EACCES: "you may not write there: choose another folder",
    errno.EPERM: "you may not write there: choose another folder",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EISDIR: "a folder of that name stands there: choose another name",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
}


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write, and put it in place only when it is whole.

    The temporary file lies in the same folder (so that the last step is one rename on one
    disk) and has the same ending (so that writers that choose a format by the ending do so).

    Parameters
    ----------
    path : path-like
        The file to make or replace. Its folder is made if need be.

    Yields
    ------
    Path
        Where to write. It does not exist yet.

    Raises
    ------
    WriteError
        If the system cannot write there: full disk, no permission, ... The old file, if
        there was one, is then untouched and no temporary file is left.
    """
    target = Path(path)
    ending = "".join(target.suffixes[-2:]) if target.name.endswith(".gz") else target.suffix
    temporary = target.with_name(f".covidseg-{secrets.token_hex(6)}{ending}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise WriteError(f"Could not write {target.name}: {reason}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write bytes to a file atomically (see `atomic`)."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text to a file atomically (see `atomic`)."""
    write_bytes(path, text.encode())


def _flush(path: Path) -> None:
    """Make the system put a file's bytes on the disk, so that a power cut finds them there."""
    # opened for writing: Windows refuses to flush a read-only handle
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be flushed."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
