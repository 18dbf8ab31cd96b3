"""How much of each label there is: volumes, share of the lung, Hounsfield units.

A volume of known spacing is measured in mL, a single slice in cm2, anything else in
pixels: a volume in mL from a made-up spacing would be a made-up volume. Of a series whose
slices are missing or lie unevenly each slice counts for the distance to its neighbours.

Everything comes from one histogram, gathered slice by slice, so that a large scan
needs no second copy of itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_covidseg.doctor.fixes import slice_gaps
from napari_covidseg.labels import INFECTION, LEFT_LUNG, RIGHT_LUNG, LabelScheme
from napari_covidseg.study import CovidsegError, Study

HU_RANGE = (-1100, 3100)
"""Values outside are counted at the ends: padding below air, metal above bone."""

_BINS = HU_RANGE[1] - HU_RANGE[0] + 1
_SIDES = {RIGHT_LUNG.value: "right", LEFT_LUNG.value: "left"}


@dataclass(frozen=True)
class HounsfieldSummary:
    """Distribution of the Hounsfield units under a label (values clipped to `HU_RANGE`)."""

    mean: float
    sd: float
    p5: float
    median: float
    p95: float


@dataclass(frozen=True)
class Row:
    """One label on one side.

    Attributes
    ----------
    label : str
        ``"lung"``, a name of the mask's scheme, or ``"infection"`` for all its labels.
    side : str
        ``"right"``, ``"left"``, ``"both"``, ``"outside"`` (marked outside both lungs),
        or ``"image"`` where no lung mask tells the sides apart.
    voxels : int
        Count.
    size : float
        In `unit`.
    unit : str
        ``"mL"``, ``"cm2"`` or ``"px"``.
    percent_of_lung : float or None
        Share of the lung of that side, infection included in the lung. None for the
        lung itself, and where there is no lung.
    hu : HounsfieldSummary or None
        None where the study is not in HU or nothing is marked.
    """

    label: str
    side: str
    voxels: int
    size: float
    unit: str
    percent_of_lung: float | None = None
    hu: HounsfieldSummary | None = None


@dataclass(frozen=True)
class Measurement:
    """All rows of one study, and what to know when reading them."""

    rows: tuple[Row, ...]
    unit: str
    notes: tuple[str, ...] = ()

    def row(self, label: str, side: str) -> Row | None:
        """Find the row of a label on a side; None if it was not measured."""
        return next((r for r in self.rows if (r.label, r.side) == (label, side)), None)


def measure(
    study: Study,
    lungs: np.ndarray | None = None,
    infection: np.ndarray | None = None,
    scheme: LabelScheme = INFECTION,
) -> Measurement:
    """Measure lungs and infection of one study.

    Parameters
    ----------
    study : Study
        The image; its pixels are read only if they are Hounsfield units.
    lungs : ndarray of int, study's shape, optional
        1 right lung, 2 left lung. Without it sides and percentages are not given.
    infection : ndarray of int, study's shape, optional
        Label map of `scheme`; values that it does not know are counted by number.
    scheme : LabelScheme
        What the values of `infection` mean.

    Raises
    ------
    CovidsegError
        If no mask is given, a mask has another shape than the image, or the lung mask holds
        other values than those of right and left lung.
    """
    if lungs is None and infection is None:
        raise CovidsegError("There is nothing to measure: give a lung or an infection mask.")
    for name, mask in (("lung", lungs), ("infection", infection)):
        if mask is not None and mask.shape != study.array.shape:
            raise CovidsegError(
                f"The {name} mask has shape {mask.shape}, the image {study.array.shape}: "
                "measure a mask that was made for this image."
            )
    if lungs is not None and lungs.max() > max(_SIDES):
        odd = set(_present(lungs)) - set(_SIDES)
        raise CovidsegError(
            f"The lung mask holds {', '.join(map(str, sorted(odd)))}, and only {RIGHT_LUNG.value} "
            f"(right lung) and {LEFT_LUNG.value} (left lung) can be measured: change those values."
        )
    unit, size = voxel_size(study)
    weights = slice_weights(study) if unit == "mL" else None
    tally = _Tally(study, lungs, infection, weights)

    def row(label: str, side: str, cells: np.ndarray, lung: float | None = None) -> Row:
        voxels, part = tally.voxels(cells), tally.size(cells) * size
        percent = 100 * part / lung if lung else None
        return Row(label, side, voxels, part, unit, percent, tally.hounsfield(cells))

    rows: list[Row] = []
    notes: list[str] = []
    sides: dict[str, np.ndarray] = {"image": np.ones_like(tally.side, bool)}
    lung_sizes: dict[str, float] = {}
    if lungs is not None:
        sides = {word: tally.side == side for side, word in _SIDES.items()}
        sides["both"] = tally.side > 0
        for side, cells in sides.items():
            rows.append(row("lung", side, cells))
            lung_sizes[side] = rows[-1].size
    if infection is not None:
        names = {**{v: f"label {v}" for v in tally.labels}, **scheme.names}
        found = {name: tally.label == value for value, name in sorted(names.items())}
        if len(found) > 1:
            found["infection"] = tally.label > 0
        outside = tally.voxels((tally.label > 0) & (tally.side == 0))
        if lungs is not None and outside:
            sides = {**sides, "outside": tally.side == 0}
            notes.append(_outside_words(outside, "voxel" if study.ndim == 3 else "pixel"))
        for label, cells in found.items():
            for side, where in sides.items():
                rows.append(row(label, side, cells & where, lung_sizes.get(side)))
    if weights is not None:
        notes.append(
            "Slices are missing or lie unevenly: each counts for the distance to its neighbours."
        )
    notes.extend(_geometry_notes(study, unit))
    return Measurement(tuple(rows), unit, tuple(notes))


def _outside_words(n: int, cell: str) -> str:
    if n == 1:
        return f"1 marked {cell} lies outside both lungs and is not in the percentages."
    return f"{n:,} marked {cell}s lie outside both lungs and are not in the percentages."


def voxel_size(study: Study) -> tuple[str, float]:
    """Tell the unit that a study is measured in, and how much of it one voxel is.

    Returns
    -------
    tuple of str and float
        ``"mL"`` for a volume, ``"cm2"`` for a slice, ``"px"`` without a spacing.
    """
    if not study.spacing_known:
        return "px", 1.0
    if study.slices().shape[0] == 1 or study.voxel_ml is None:  # a file may hold one as a volume
        return "cm2", math.prod(study.spacing[-2:]) / 100
    return "mL", study.voxel_ml


def slice_weights(study: Study) -> np.ndarray | None:
    """Tell how much each slice of a series with gaps stands for, an even step being 1.

    Returns
    -------
    ndarray of float or None
        Broadcasts to the study's array; None where the slices lie evenly.
    """
    gaps = slice_gaps(study)
    if gaps is None:
        return None
    step = np.median(gaps)
    sides = np.concatenate([[step], gaps, [step]]) / step
    return study.grid.to_display(((sides[:-1] + sides[1:]) / 2)[:, np.newaxis, np.newaxis])


class _Tally:
    """Counts per (side, label) cell, and per HU where the study has them."""

    def __init__(
        self,
        study: Study,
        lungs: np.ndarray | None,
        infection: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> None:
        top = max(_SIDES)
        self.labels = [] if infection is None else _present(infection)
        n_labels = max(self.labels, default=0) + 1
        n_cells = (top + 1) * n_labels
        self.side, self.label = np.divmod(np.arange(n_cells), n_labels)
        bins = _BINS if study.is_hu else 1
        self._voxels = np.zeros(n_cells, np.int64)
        self._counts = np.zeros((n_cells, bins))  # weighted
        slices = study.slices()
        each = None if weights is None else np.broadcast_to(weights, slices.shape)
        for z in range(len(slices)):
            code = np.zeros(slices.shape[1:], np.int64)
            if lungs is not None:
                lung = _slice(lungs, z)
                code += np.where((lung >= 1) & (lung <= top), lung, 0).astype(np.int64) * n_labels
            if infection is not None:
                code += _slice(infection, z)
            marked = code > 0
            code = code[marked]
            self._voxels += np.bincount(code, minlength=n_cells)
            if study.is_hu:
                value = np.nan_to_num(slices[z][marked], nan=HU_RANGE[0])
                value = np.clip(np.rint(value), *HU_RANGE).astype(np.int64) - HU_RANGE[0]
                code = code * bins + value
            weight = None if each is None else each[z][marked]
            found = np.bincount(code, weight, minlength=n_cells * bins)
            self._counts += found.reshape(n_cells, bins)
        self._is_hu = study.is_hu

    def voxels(self, cells: np.ndarray) -> int:
        return int(self._voxels[cells].sum())

    def size(self, cells: np.ndarray) -> float:
        """Voxels, each counted for what its slice stands for."""
        return float(self._counts[cells].sum())

    def hounsfield(self, cells: np.ndarray) -> HounsfieldSummary | None:
        counts = self._counts[cells].sum(axis=0)
        total = counts.sum()
        if not self._is_hu or total == 0:
            return None
        values = np.arange(HU_RANGE[0], HU_RANGE[1] + 1)
        mean = float(counts @ values / total)
        sd = math.sqrt(float(counts @ (values - mean) ** 2 / total))
        up_to = np.cumsum(counts)
        p5, median, p95 = (
            float(values[np.searchsorted(up_to, q * total)]) for q in (0.05, 0.5, 0.95)
        )
        return HounsfieldSummary(mean, sd, p5, median, p95)


def _geometry_notes(study: Study, unit: str) -> list[str]:
    if unit == "px":
        return ["It is not known how large a pixel is: sizes are counts of pixels."]
    notes = [
        f"The size of a pixel, {note.values['spacing']:.3g} mm, is assumed and so are all sizes."
        for note in study.notes
        if note.code == "assumed" and "spacing" in note.values
    ]
    if study.ndim == 2 and study.modality == "XR":
        notes.append("Areas are those on the detector: a body part nearer the tube looks larger.")
    return notes


def _slice(mask: np.ndarray, z: int) -> np.ndarray:
    return mask[z] if mask.ndim == 3 else mask


def _present(mask: np.ndarray) -> list[int]:
    """Values above 0, gathered slice by slice."""
    values: set[int] = set()
    for z in range(mask.shape[0] if mask.ndim == 3 else 1):
        values.update(int(v) for v in np.unique(_slice(mask, z)) if v > 0)
    return sorted(values)
