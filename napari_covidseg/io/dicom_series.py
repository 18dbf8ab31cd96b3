"""DICOM frames sorted into volumes: split, ordered along the normal, placed in space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_covidseg.io.dicom_header import Frame
from napari_covidseg.study import Note

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_CHEST = ("CHEST", "THORA", "LUNG", "PULM", "TORAX", "THX")
_ELSEWHERE = ("HEAD", "BRAIN", "SKULL", "NECK", "SINUS", "ABD", "PELV", "LIVER", "KNEE", "SPINE")
_SAME_PLACE_MM = 0.01
_UNEVEN = 0.02  # share of a step by which gaps may differ: positions are rounded in files
_TILT_DEGREES = 0.5


@dataclass(frozen=True)
class SeriesInfo:
    """One volume or picture that a folder offers.

    Attributes
    ----------
    key : str
        What `read` takes to choose it; a count from 1, steady for the same folder.
    description : str
        The scanner's words for the series.
    count : int
        Number of slices.
    shape : tuple of int
        (slices, rows, columns).
    modality : str
        As in the header: CT, DX, CR, ...
    chest_like : bool
        A CT of more than a few axial slices, no scout view, not said to be of another part.
    """

    key: str
    description: str
    count: int
    shape: tuple[int, int, int]
    modality: str
    chest_like: bool


def split(frames: Iterable[Frame]) -> list[list[Frame]]:
    """Part frames into volumes: one series, one orientation, one size of slice each.

    Each X-ray film is a picture of its own.

    Parameters
    ----------
    frames : iterable of Frame
        In any order.

    Returns
    -------
    list of list of Frame
        Ordered by series number; scout views are groups of their own.
    """
    series: dict[tuple, list[list[Frame]]] = {}
    for frame in frames:
        film = frame.path if frame.is_xray else None
        key = (frame.series, frame.shape, frame.is_localizer, film)
        groups = series.setdefault(key, [])
        for group in groups:
            if _aligned(group[0], frame):
                group.append(frame)
                break
        else:
            groups.append([frame])
    return sorted(
        (group for groups in series.values() for group in groups),
        key=lambda group: (group[0].series_number, -len(group), group[0].series),
    )


def describe(groups: list[list[Frame]]) -> tuple[SeriesInfo, ...]:
    """Say what each group is."""
    return tuple(
        SeriesInfo(
            key=str(number),
            description=group[0].description,
            count=len(group),
            shape=(len(group), *group[0].shape),
            modality=group[0].modality,
            chest_like=_is_chest_like(group),
        )
        for number, group in enumerate(groups, start=1)
    )


def preferred(groups: list[list[Frame]]) -> int:
    """Index of the group to open when none is named: the largest chest-like CT.

    An original goes before a reformatted one; then the number of slices decides.
    """

    def rank(index: int) -> tuple:
        group = groups[index]
        first = group[0]
        return (
            _is_chest_like(group),
            not first.is_localizer,
            "ORIGINAL" in first.image_type,
            len(group),
            first.shape[0] * first.shape[1],
            -index,
        )

    return max(range(len(groups)), key=rank)


def order(frames: list[Frame]) -> tuple[list[Frame], np.ndarray, list[Note], bool, bool]:
    """Sort slices along their normal and find where the voxels lie.

    Parameters
    ----------
    frames : list of Frame
        One group of `split`.

    Returns
    -------
    frames : list of Frame
        By rising position along the normal, one per place.
    affine : ndarray, shape (4, 4)
        Native (column, row, slice, 1) to RAS+ in mm.
    notes : list of Note
        Missing, uneven or duplicate slices, gantry tilt, what the header does not say.
    sized, placed : bool
        Whether the size of a voxel is given, and whether its place is. Without a size pixels
        count as 1 mm.
    """
    first = frames[0]
    row, column = np.reshape(first.orientation or (0.0,) * 6, (2, 3))
    normal = np.cross(row, column)
    if first.position is None or not np.isclose(np.linalg.norm(normal), 1.0, atol=0.05):
        ordered = sorted(frames, key=lambda f: (f.instance, f.index))
        return ordered, _plain_affine(first), [Note("position-unknown")], False, False

    frames, notes = _one_per_place(frames, normal)
    origin = np.array(frames[0].position)
    step, found, stepped = _step(frames, normal)
    notes += found
    dy, dx = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = row * dx
    affine[:3, 1] = column * dy
    affine[:3, 2] = step
    affine[:3, 3] = origin
    return frames, LPS_TO_RAS @ affine, notes, stepped and first.spacing is not None, True


def _aligned(one: Frame, other: Frame) -> bool:
    """Whether slices have one orientation and one size of pixel, but for rounding.

    One that does not say where it lies is of no volume with one that does.
    """
    return (
        (one.position is None) == (other.position is None)
        and _close(one.orientation, other.orientation, 0.01)
        and _close(one.spacing, other.spacing, 0.001)
    )


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, by: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def _is_chest_like(group: list[Frame]) -> bool:
    first = group[0]
    if first.modality not in ("CT", "") or first.is_localizer or first.position is None:
        return False
    orientation = first.orientation or (1.0, 0, 0, 0, 1.0, 0)
    axial = abs(np.cross(orientation[:3], orientation[3:])[2]) > 0.8
    words = f"{first.body_part} {first.description}".upper()
    elsewhere = any(w in words for w in _ELSEWHERE) and not any(w in words for w in _CHEST)
    return bool(axial) and len(group) >= 5 and min(first.shape) >= 64 and not elsewhere


def _one_per_place(frames: list[Frame], normal: np.ndarray) -> tuple[list[Frame], list[Note]]:
    """Sort along the normal; of slices at one place keep that of the larger acquisition."""
    sizes = Counter(f.acquisition for f in frames)
    places = {id(f): float(normal @ np.array(f.position or (0, 0, 0))) for f in frames}
    ordered = sorted(
        frames,
        key=lambda f: (
            round(places[id(f)] / _SAME_PLACE_MM),
            -sizes[f.acquisition],
            f.acquisition,
            f.instance,
            f.index,
        ),
    )
    kept = ordered[:1]
    for frame in ordered[1:]:
        if places[id(frame)] - places[id(kept[-1])] > _SAME_PLACE_MM:
            kept.append(frame)
    dropped = len(frames) - len(kept)
    return kept, [Note("duplicate-slices", {"count": dropped})] if dropped else []


def _step(frames: list[Frame], normal: np.ndarray) -> tuple[np.ndarray, list[Note], bool]:
    """Vector from slice to slice (LPS mm), what is odd about it, and whether it is known."""
    first = frames[0]
    if len(frames) == 1:
        thickness = first.thickness
        return normal * (thickness or 1.0), [Note("single-slice")], thickness is not None
    positions = np.array([f.position for f in frames])
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    way = positions[-1] - positions[0]
    notes = []
    odd = np.abs(gaps - usual) > _UNEVEN * usual + _SAME_PLACE_MM
    if not odd.any():
        step = way / (len(frames) - 1)
    else:
        step = way / (way @ normal) * usual  # the gaps are along the normal, a tilt is not
        multiples = np.rint(gaps / usual)
        whole = np.abs(gaps - multiples * usual) <= _UNEVEN * gaps + _SAME_PLACE_MM
        if whole.all() and (multiples >= 1).all():
            after = {int(i): int(multiples[i]) - 1 for i in np.flatnonzero(multiples > 1)}
            notes.append(
                Note("missing-slices", {"count": sum(after.values()), "after": after, "mm": usual})
            )
        else:
            low, high = float(gaps.min()), float(gaps.max())
            notes.append(
                Note("uneven-slices", {"low": low, "high": high, "mm": usual, "gaps": gaps})
            )
    cosine = abs(way @ normal) / np.linalg.norm(way)
    tilt = float(np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0))))
    if tilt > _TILT_DEGREES:
        notes.append(Note("gantry-tilt", {"degrees": tilt}))
    strayed = _strayed(positions, way, normal)
    if strayed > max(first.spacing or (1.0,)):
        notes.append(Note("shifted-slices", {"mm": strayed}))
    return step, notes, True


def _strayed(positions: np.ndarray, way: np.ndarray, normal: np.ndarray) -> float:
    """How far slices lie sideways of the straight line from the first to the last, in mm."""
    share = (positions - positions[0]) @ normal / (way @ normal)
    return float(np.linalg.norm(positions - positions[0] - share[:, None] * way, axis=1).max())


def _plain_affine(frame: Frame) -> np.ndarray:
    """Affine of slices that do not say where they lie: as usually displayed."""
    dy, dx = frame.spacing or (1.0, 1.0)
    return LPS_TO_RAS @ np.diag([dx, dy, frame.thickness or 1.0, 1.0])
