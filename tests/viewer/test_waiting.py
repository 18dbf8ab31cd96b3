"""Slow work neither freezes a running window nor loses its error."""

import threading
import time
from itertools import pairwise

import pytest
from qtpy.QtCore import QTimer

from napari_covidseg.viewer.waiting import interactive, keep_drawing


def in_event_loop(qtbot, call):
    """Call from a running event loop, as a click would."""
    outcome = {}

    def run():
        try:
            outcome["result"] = call()
        except ValueError as error:
            outcome["error"] = error

    QTimer.singleShot(0, run)
    qtbot.waitUntil(lambda: bool(outcome), timeout=5000)
    return outcome


def test_a_script_is_not_interactive_and_works_at_once(qtbot):
    assert not interactive()
    assert keep_drawing(threading.get_ident, "Reading") == threading.get_ident()


def test_window_lives_while_the_work_runs(qtbot):
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)
    outcome = in_event_loop(qtbot, lambda: keep_drawing(lambda: time.sleep(0.4) or 7, "Reading"))
    timer.stop()
    assert outcome["result"] == 7
    gaps = [b - a for a, b in pairwise(ticks)]
    assert len(ticks) > 10
    assert max(gaps) < 0.2


def test_an_error_comes_back_to_the_caller(qtbot):
    def fail():
        raise ValueError("damaged")

    outcome = in_event_loop(qtbot, lambda: keep_drawing(fail, "Reading"))
    assert str(outcome["error"]) == "damaged"
    with pytest.raises(ValueError, match="damaged"):
        keep_drawing(fail, "Reading")
