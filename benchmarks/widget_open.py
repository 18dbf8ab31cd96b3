"""How the window feels: ``python widget_open.py Z Y X`` on a screen.

A timer of the window's own event loop ticks every few milliseconds; the longest pause
between two ticks is the longest that a user's click would have waited, napari's own
drawing included.
"""

from __future__ import annotations

import json
import sys
import time

import napari
from qtpy.QtCore import QTimer

from napari_covidseg import phantom
from napari_covidseg.viewer import commands, geometry
from napari_covidseg.viewer.run_controls import RunState

TICK_MS, PATIENCE_S = 4, 300


class Heartbeat:
    """Longest pause of the event loop, by phase."""

    def __init__(self) -> None:
        self.phase = "start"
        self.longest: dict[str, float] = {}
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def enter(self, phase: str) -> None:
        """Count what follows under another name."""
        self.phase = phase
        self._last = time.perf_counter()

    def _tick(self) -> None:
        now = time.perf_counter()
        pause = 1000 * (now - self._last)
        self.longest[self.phase] = max(self.longest.get(self.phase, 0.0), pause)
        self._last = now


def main() -> None:
    shape = tuple(int(n) for n in sys.argv[1:4])
    study = phantom.ct(shape).study
    viewer = napari.Viewer()
    settle(2.0)
    start = time.perf_counter()
    widget = commands.open_widget(viewer)
    pump()
    opened = time.perf_counter() - start
    settle(2.0)
    heart = Heartbeat()
    heart.enter("image added")
    viewer.add_image(study.array, name="phantom", **geometry.layer_kwargs(study))
    settle(3.0)
    heart.enter("run")
    widget.segment()
    until = time.monotonic() + PATIENCE_S
    settle(0.5)
    while widget.controls.state is not RunState.IDLE and time.monotonic() < until:
        pump()
    heart.enter("results shown")
    settle(2.0)
    result = {
        "widget_open_s": opened,
        "longest_gui_call_ms": max(v for k, v in heart.longest.items() if k != "image added"),
        "longest_by_phase_ms": heart.longest,
        "line": widget.controls.line.text(),
    }
    viewer.close()
    print(json.dumps(result))


def pump() -> None:
    """Let the window work off what is due."""
    napari.qt.get_qapp().processEvents()


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pump()
        time.sleep(0.001)


if __name__ == "__main__":
    main()
