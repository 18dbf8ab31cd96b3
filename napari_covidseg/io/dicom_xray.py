"""X-ray films in DICOM: shown as a reader of films sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from napari_covidseg.io import dicom_pixels
from napari_covidseg.io.dicom_header import Frame
from napari_covidseg.study import Grid, Modality, Note, Source, Study, pseudonym

_CLIPPED = 0.6  # a display window that flattens more of the film than this is not believed


def study(frame: Frame, path: Path, stem: str, notes: list[Note]) -> Study:
    """Make a study of a film: bright bone, black air, head at the top.

    The display window or table of the file is applied where it is sane, MONOCHROME1 is
    inverted, and a film stored mirrored or turned is put right by its PatientOrientation;
    a mask goes back to the file's own order.

    Returns
    -------
    Study
        Shape (y, x), uint16.
    """
    stored, data = dicom_pixels.stored(frame)
    levels, windowed = _displayed(stored, data)
    notes = list(notes)
    if frame.frames > 1:
        notes.append(Note("several-frames", {"count": frame.frames}))
    if not windowed:
        notes.append(Note("window-ignored"))
    if frame.photometric == "MONOCHROME1":
        levels = levels.max() - levels + levels.min()
        notes.append(Note("monochrome1"))
    elif frame.photometric not in ("MONOCHROME2", ""):
        notes.append(Note("colour"))
    if frame.spacing_at_detector:
        notes.append(Note("spacing-at-detector"))
    turn = _turn(frame.patient_orientation)
    dy, dx = frame.spacing or (1.0, 1.0)
    affine = np.diag([-dx, -dy, 1.0, 1.0])
    axes, flips = turn or ((0, 1), (False, False))
    grid = Grid(levels.shape, affine, axes, flips)
    shown = affine[:, [2, 1, 0, 3]].copy()
    if axes == (1, 0):
        shown[1, 1], shown[0, 2] = -dx, -dy
    return Study(
        array=np.ascontiguousarray(grid.to_display(levels)),
        affine=shown,
        grid=grid,
        modality=Modality.XR,
        is_hu=False,
        spacing_known=frame.spacing is not None,
        orientation_known=turn is not None,
        pseudonym=pseudonym(frame.series or stem),
        source=Source("dicom", stem, path, group=frame.group),
        notes=tuple(notes),
    )


def _displayed(stored: np.ndarray, data: Dataset) -> tuple[np.ndarray, bool]:
    """Levels as displayed, uint16, and whether the file's window (if any) was used."""
    try:
        plain = np.asarray(apply_modality_lut(stored, data), dtype=np.float32)
    except (ValueError, AttributeError, IndexError, TypeError):
        plain = stored.astype(np.float32)
    if "VOILUTSequence" not in data and "WindowCenter" not in data:
        return _to_levels(plain), True
    try:
        shown = np.asarray(
            apply_voi_lut(plain if "WindowCenter" in data else stored, data), np.float32
        )
    except (ValueError, AttributeError, IndexError, TypeError, NotImplementedError):
        return _to_levels(plain), False
    ends = ((shown <= shown.min()) | (shown >= shown.max())).mean()
    floor = ((plain <= plain.min()) | (plain >= plain.max())).mean()
    if not np.isfinite(shown).all() or shown.max() <= shown.min() or ends > max(_CLIPPED, floor):
        return _to_levels(plain), False
    return _to_levels(shown), True


def _to_levels(values: np.ndarray) -> np.ndarray:
    """Whole numbers as they are where they fit 16 bits; else spread over 16 bits."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 65535 and (values == np.rint(values)).all():
        return values.astype(np.uint16)
    scale = 65535.0 / (high - low) if high > low else 0.0
    return np.rint((values - low) * scale).astype(np.uint16)


def _turn(letters: tuple[str, ...]) -> tuple[tuple[int, int], tuple[bool, bool]] | None:
    """Axes and flips that bring a film to (head to feet, right to left); None if not said."""
    if len(letters) != 2:
        return None
    along_row, along_column = (word[:1] for word in letters)
    if {along_row, along_column} & {"L", "R"} and {along_row, along_column} & {"F", "H"}:
        if along_row in "LR":
            return (0, 1), (along_column == "H", along_row == "R")
        return (1, 0), (along_row == "H", along_column == "R")
    return None
