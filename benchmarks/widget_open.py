"""How the window feels: ``python widget_open.py Z Y X`` on a screen.

The same steps are also done by napari alone (the image, then label layers of its size,
without this plugin): what napari itself takes for a layer is the floor for anybody.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import napari
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_covidseg import phantom
from napari_covidseg.study import Study
from napari_covidseg.viewer import commands, geometry
from napari_covidseg.viewer.gui_clock import GuiClock
from napari_covidseg.viewer.run_controls import RunState

PATIENCE_S = 300


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
    longest: dict[str, float] = {}
    with phase(longest, "image added, napari's own drawing included"):
        viewer.add_image(study.array, name="phantom", **geometry.layer_kwargs(study))
        settle(3.0)
    with phase(longest, "run"):
        widget.segment()
        until = time.monotonic() + PATIENCE_S
        settle(0.5)
        while widget.controls.state is not RunState.IDLE and time.monotonic() < until:
            settle(0.01)
    with phase(longest, "results shown"):
        settle(2.0)
    result = {
        "widget_open_s": opened,
        "longest_gui_call_ms": max(longest["run"], longest["results shown"]),
        "longest_by_phase_ms": longest,
        "line": widget.controls.line.text(),
    }
    viewer.close()
    result["napari_alone_ms"] = napari_alone(study)
    print(json.dumps(result))


def napari_alone(study: Study) -> float:
    """Longest that a fresh window does not answer while it gets two label layers."""
    viewer = napari.Viewer()
    viewer.add_image(study.array, **geometry.layer_kwargs(study))
    settle(3.0)
    masks = [Labels(np.zeros(study.array.shape, np.uint8)) for _ in range(2)]
    longest: dict[str, float] = {}
    with phase(longest, "labels"):
        for mask in masks:
            QTimer.singleShot(0, lambda mask=mask: viewer.add_layer(mask))
            settle(1.0)
    viewer.close()
    return longest["labels"]


@contextmanager
def phase(longest: dict[str, float], name: str) -> Iterator[None]:
    """Note the longest that the window did not answer, in ms."""
    with GuiClock() as clock:
        yield
    longest[name] = 1000 * clock.longest


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
