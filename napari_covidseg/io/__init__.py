"""Files to studies, and masks back to files."""

from __future__ import annotations

from os import PathLike

import numpy as np

from napari_covidseg.io.errors import ReadError, WriteError
from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import Study


def read(path: str | PathLike[str], *, series: str | None = None, volume: int | None = None) -> Study:
    raise NotImplementedError


def list_series(folder: str | PathLike[str]) -> tuple:
    raise NotImplementedError


def write_mask(
    mask: np.ndarray, study: Study, path: str | PathLike[str], scheme: LabelScheme | None = None
) -> None:
    raise NotImplementedError


def write_image(study: Study, path: str | PathLike[str]) -> None:
    raise NotImplementedError


def mask_name(study: Study) -> str:
    return f"{study.source.stem}.png" if study.source.kind == "picture" else f"{study.source.stem}.nii.gz"


def read_mask(path: str | PathLike[str], study: Study | None = None) -> np.ndarray:
    raise NotImplementedError
