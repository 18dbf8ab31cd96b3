"""Corrected masks kept as training cases, in the layout of nnU-Net v2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import CovidsegError, Study


class CaseError(CovidsegError):
    """A case that cannot be saved or read."""


def save_case(
    dataset: Path,
    study: Study,
    labels: np.ndarray,
    scheme: LabelScheme,
    *,
    prediction: np.ndarray | None = None,
    provenance: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Path:
    """Save an image with its corrected mask; return the case's sidecar."""
    raise NotImplementedError


def load_cases(dataset: Path) -> tuple[Any, ...]:
    """Cases of a dataset folder."""
    raise NotImplementedError
