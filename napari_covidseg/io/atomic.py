"""Write whole files or none."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
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
    errno.ENOTEMPTY: "a folder of that name stands there: remove it, or choose another name",
    errno.EEXIST: "a folder of that name stands there: remove it, or choose another name",
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
        raise _not_written(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder to fill, and put it in place only when it is whole.

    Parameters
    ----------
    path : path-like
        The folder to make; it must not exist. Its parent is made if need be.

    Yields
    ------
    Path
        An empty folder beside it, whose name begins with a dot. Files in it are to be
        written by `atomic`, which brings them to the disk.

    Raises
    ------
    WriteError
        If the system cannot write there, or a folder stands there. Nothing is left then.
    """
    target = Path(path)
    temporary = target.with_name(f".covidseg-{secrets.token_hex(6)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        os.rename(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _not_written(target: Path, error: OSError) -> WriteError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return WriteError(f"Could not write {target.name}: {reason}.")


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
