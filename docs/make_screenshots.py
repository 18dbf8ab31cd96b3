"""Take the pictures of the user's page, of the phantom only: ``make screenshots``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from napari.qt import get_qapp

from napari_covidseg.viewer import demo
from napari_covidseg.viewer.run_controls import RunState

IMAGES = Path(__file__).parent / "images"
PATIENCE_S = 240


def main() -> int:
    """Open the demo, take a picture before the run and one after it."""
    IMAGES.mkdir(exist_ok=True)
    viewer, widget = demo.open_demo(run=False)
    settle(4)
    viewer.screenshot(str(IMAGES / "opened.png"), canvas_only=False, flash=False)
    widget.segment()
    until = time.monotonic() + PATIENCE_S
    settle(1)
    while widget.controls.state is not RunState.IDLE and time.monotonic() < until:
        settle(0.2)
    settle(3)
    viewer.screenshot(str(IMAGES / "result.png"), canvas_only=False, flash=False)
    print(widget.controls.line.text(), f"Pictures are in {IMAGES}.")
    viewer.close()
    return 0


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        get_qapp().processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
