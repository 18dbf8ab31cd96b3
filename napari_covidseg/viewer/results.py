"""From what a run made to layers, without harming a hand-corrected one."""

from __future__ import annotations

from typing import Any

from napari_covidseg.segmentation import Outcome
from napari_covidseg.study import Study


def add_outcome(viewer: Any, source_layer: Any, study: Study, outcome: Outcome) -> list[Any]:
    """Add a run's masks as label layers; give the layers."""
    return []
