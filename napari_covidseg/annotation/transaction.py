"""Put several files in place together, one process at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_covidseg.annotation.errors import CaseError

_PATIENCE, _STALE = 30.0, 20.0
"""Seconds to wait for a lock, and after which a lock was left by a killed process: it is
held for the few renames of a save only."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing a folder at the same time.

    Raises
    ------
    CaseError
        If another process does not let go.
    """
    lock = folder / ".lock"
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _STALE:
                    lock.unlink()
                    continue
            if time.monotonic() > until:
                raise CaseError(
                    f"Another program is saving into {folder.name}: try again in a moment."
                ) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def replace_all(moves: Sequence[tuple[Path, Path]], aside: Path) -> None:
    """Move files to their places, all or none.

    Parameters
    ----------
    moves : sequence of (Path, Path)
        From and to, on one disk. Folders are made.
    aside : Path
        Folder for what is replaced, until all is done.

    Raises
    ------
    OSError
        If one cannot be moved. Those before are then put back as they were, as they are when
        Ctrl-C ends it.
    """
    done: list[tuple[Path, Path | None]] = []
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            kept = None
            if target.exists():
                kept = aside / f"replaced-{len(done)}"
                _copy(target, kept)
            os.replace(source, target)
            done.append((target, kept))
    except BaseException:
        for target, kept in reversed(done):
            if kept is None:
                target.unlink(missing_ok=True)
            else:
                os.replace(kept, target)
        raise


def _copy(source: Path, target: Path) -> None:
    """Second name for a file, or a copy where the disk knows no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
