"""The main job on a phantom: opens napari with it, the dock open and the run started.

``python -m napari_covidseg.viewer.demo --screenshot FILE`` takes a picture of the window
when the run is over, and closes it: for machines without a display, under Xvfb.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_covidseg import phantom
from napari_covidseg.io.atomic import atomic
from napari_covidseg.viewer import commands, geometry
from napari_covidseg.viewer.run_controls import RunState

SIZE = (1366, 768)
_START_MS, _POLL_MS, _PATIENCE_S = 500, 200, 240


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the demo and give an exit code."""
    parser = argparse.ArgumentParser(prog="napari_covidseg.viewer.demo")
    parser.add_argument("--screenshot", type=Path, help="take a picture of the result and end")
    picture = parser.parse_args(arguments).screenshot
    viewer, widget = open_demo()
    trouble: list[str] = []
    if picture is not None:
        _shoot_when_done(viewer, widget, picture, trouble)
    napari.run()
    for line in trouble:
        print(line, file=sys.stderr)
    return 1 if trouble else 0


def open_demo(*, run: bool = True) -> tuple[Viewer, Any]:
    """Open a viewer with the CT phantom at its worst slice, the dock beside it.

    Parameters
    ----------
    run : bool
        Start the run as well.

    Returns
    -------
    tuple of Viewer and SegmentationWidget
        The window and the dock.
    """
    chest = phantom.ct()
    viewer = napari.Viewer(title="napari-covidseg demo")
    viewer.window.resize(*SIZE)
    viewer.add_image(
        chest.study.array,
        name="chest CT phantom",
        contrast_limits=(-1350, 150),
        **geometry.layer_kwargs(chest.study),
    )
    viewer.dims.set_current_step(0, worst_slice(chest.infection))
    widget = commands.open_widget(viewer)
    if run:
        QTimer.singleShot(_START_MS, widget.segment)
    return viewer, widget


def worst_slice(infection: np.ndarray) -> int:
    """Slice with the most infection; infection has shape (z, y, x)."""
    return int(np.count_nonzero(infection, axis=(1, 2)).argmax())


def _shoot_when_done(viewer: Viewer, widget: Any, picture: Path, trouble: list[str]) -> None:
    """Poll the run; when it is over take the picture and close the window."""
    timer = QTimer(viewer.window._qt_window)
    seen_running = False
    polls = 0

    def look() -> None:
        nonlocal seen_running, polls
        polls += 1
        running = widget.controls.state is not RunState.IDLE
        seen_running |= running
        late = polls * _POLL_MS > _PATIENCE_S * 1000
        if (running or not seen_running) and not late:
            return
        timer.stop()
        if late or not any(isinstance(x, napari.layers.Labels) for x in viewer.layers):
            trouble.append(f"The run gave no result: {widget.controls.line.text()}")
        QTimer.singleShot(_START_MS, shoot)  # after the new layers are drawn

    def shoot() -> None:
        with atomic(picture) as temporary:
            viewer.screenshot(str(temporary), canvas_only=False, flash=False)
        viewer.close()

    timer.timeout.connect(look)
    timer.start(_POLL_MS)


if __name__ == "__main__":
    sys.exit(main())
