"""Slow calls that napari makes on the GUI thread, done beside it.

Readers and sample data must return their layers, so they cannot come back later. What
they can do is work on another thread while Qt keeps drawing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from napari.utils import progress
from qtpy.QtCore import QCoreApplication, QEventLoop, QThread, QTimer

Result = TypeVar("Result")


def interactive() -> bool:
    """Whether a person sits at a running viewer: then it may be asked, and must not freeze.

    A script that opens files before ``napari.run()`` is not interactive.
    """
    app, thread = QCoreApplication.instance(), QThread.currentThread()
    if app is None or thread is None or thread is not app.thread():
        return False
    return thread.loopLevel() > 0


def keep_drawing(work: Callable[[], Result], text: str, *, usable: bool = False) -> Result:
    """Do slow work while the window keeps drawing; return its result or raise its error.

    Parameters
    ----------
    work : callable
        Touches no Qt and no viewer.
    text : str
        What is being done, shown in napari's activity dock.
    usable : bool
        Take clicks and keys meanwhile (a download), instead of keeping them until the
        end (a file being read).
    """
    if not interactive():
        return work()
    outcome: dict[str, Any] = {}

    def guarded() -> None:
        try:
            outcome["result"] = work()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=guarded, daemon=True)
    loop = QEventLoop()
    watch = QTimer()
    watch.setInterval(20)
    watch.timeout.connect(lambda: None if thread.is_alive() else loop.quit())
    flags = (
        QEventLoop.ProcessEventsFlag.AllEvents
        if usable
        else QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents
    )
    with progress(total=0, desc=text):
        thread.start()
        watch.start()
        loop.exec(flags)
        watch.stop()
    if "error" in outcome:
        raise outcome["error"]
    if "result" not in outcome:  # the application quits
        raise KeyboardInterrupt
    return outcome["result"]
