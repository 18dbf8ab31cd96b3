"""Put real lesions of some patients into healthy lung of others.

Drawn infection is scarce, and most slices hold none. A lesion that was cut from one CT
and set into another shows a network the same disease in other lungs: the infection
network learns where it lies, the lung network that lung stays lung under it.

References
----------
The idea is that of Ghiasi et al., "Simple copy-paste is a strong data augmentation method
for instance segmentation", CVPR 2021, arXiv:2012.07177; where and how a lesion is set in is
made for lungs here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from napari_covidseg.inference.window import TISSUE_LEVEL

LEAST = 25
"""Pixels of the smallest lesion that is worth to be set in."""

REACH = 10
"""Pixels round a lesion that are cut with it, to know the lung that it lay in."""

FAINTEST = 0.1
"""A drawn lesion must be brighter than the lung round it by so much to be one on any lung."""

EDGE = 1.5
"""Standard deviation in pixels of the blur over a lesion's edge."""

AERATED = 0.5
"""Lung above this level is a hilum or disease already: nothing is set in."""

AT_ONCE = 3
"""Most lesions that are set into one picture: the disease has several as a rule."""


@dataclass(frozen=True, eq=False)
class Donor:
    """A picture with drawn infection.

    Attributes
    ----------
    patient : str
        Lesions of one patient are held together.
    picture : ndarray of float32, shape (y, x)
        Windowed values.
    infection : ndarray of uint8, shape (y, x)
        0, or the lesion's kind.
    lungs : ndarray of bool, shape (y, x)
    """

    patient: str
    picture: np.ndarray
    infection: np.ndarray
    lungs: np.ndarray


@dataclass(frozen=True, eq=False)
class Lesion:
    """One piece of infection with some lung round it, as if it lay at the picture's left.

    Attributes
    ----------
    picture : ndarray of float32, shape (h, w)
        Windowed values; what was not lung is filled from the lung beside it.
    kinds : ndarray of uint8, shape (h, w)
        0, or the lesion's kind.
    level : float
        Of the healthy lung round it.
    place : (float, float)
        Where its middle lay in the box round its lung: 0 top to 1 bottom, 0 outer to 1
        inner edge.
    """

    picture: np.ndarray
    kinds: np.ndarray
    level: float
    place: tuple[float, float]


Bank = tuple[tuple[Lesion, ...], ...]
"""Lesions of each patient: drawn patient first, so that none with many slices prevails."""


def gather(donors: Iterable[Donor]) -> Bank:
    """Cut the lesions of all donors, in their order."""
    bank: dict[str, list[Lesion]] = {}
    for donor in donors:
        for lesion in _cut(donor):
            bank.setdefault(donor.patient, []).append(lesion)
    return tuple(tuple(lesions) for lesions in bank.values())


def _cut(donor: Donor) -> Iterator[Lesion]:
    drawn = donor.infection > 0
    lungs = donor.lungs | drawn
    halves = _halves(lungs)
    count, pieces, boxes, middles = cv2.connectedComponentsWithStats(drawn.astype(np.uint8))
    for k in range(1, count):
        left, top, width, height, area = boxes[k]
        if area < LEAST:
            continue
        part = (
            slice(max(0, top - REACH), top + height + REACH),
            slice(max(0, left - REACH), left + width + REACH),
        )
        picture, mine = donor.picture[part], pieces[part] == k
        round_it = donor.lungs[part] & ~drawn[part]
        if round_it.sum() < LEAST or (mine & donor.lungs[part]).sum() < 0.7 * area:
            continue
        level = float(np.median(picture[round_it]))
        if level > AERATED or float(np.median(picture[mine])) < level + FAINTEST:
            continue
        # The outermost pixel of a lung is half wall.
        own = cv2.erode(lungs[part].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        column, row = middles[k]
        right = bool(column >= halves[1].left)
        lesion = _fill(picture, own & (mine | ~drawn[part]), level)
        kinds = np.where(mine, donor.infection[part], 0).astype(np.uint8)
        if right:
            lesion, kinds = lesion[:, ::-1].copy(), kinds[:, ::-1].copy()
        yield Lesion(lesion, kinds, level, halves[right].place_of(row, column))


def _fill(picture: np.ndarray, own: np.ndarray, level: float) -> np.ndarray:
    """Replace what is not the lesion's own by the mean of what lies near and is."""
    weight = own.astype(np.float32)
    near = cv2.GaussianBlur(weight, (0, 0), 2.0) + np.float32(1e-3)
    mean = (cv2.GaussianBlur(picture * weight, (0, 0), 2.0) + np.float32(1e-3 * level)) / near
    filled: np.ndarray = np.where(own, picture, mean).astype(np.float32)
    return filled


def transplant(
    picture: np.ndarray,
    healthy: np.ndarray,
    lungs: np.ndarray,
    bank: Bank,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Set one to three lesions into healthy lung.

    Each goes to about the place in the lung that it came from, in either lung, turned
    and resized a little. A line through two points, the lung that it lay in and soft
    tissue, brings its values to those of the lung that it comes to. It never darkens
    what is there, so that vessels go on through it, and its edge is soft.

    Parameters
    ----------
    picture : ndarray of float32, shape (s, s)
        Windowed values.
    healthy, lungs : ndarray of bool, shape (s, s)
        Where a lesion may come to lie, and the whole lungs.
    bank : Bank
        From `gather`; not empty.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    picture : ndarray of float32, shape (s, s)
        A changed copy, or the same where no lesion fits.
    kinds : ndarray of uint8, shape (s, s)
        0, or the kind of the lesion that was set in; above 0 only in healthy lung.
    """
    out, kinds = picture.copy(), np.zeros(picture.shape, np.uint8)
    if not healthy.any():
        return out, kinds
    halves = _halves(lungs)
    for _ in range(int(rng.integers(1, AT_ONCE + 1))):
        patient = bank[int(rng.integers(len(bank)))]
        lesion = patient[int(rng.integers(len(patient)))]
        right = bool(rng.integers(2))
        matrix, part = _placed(lesion, halves[right], right, picture.shape, rng)
        shape = (part[1].stop - part[1].start, part[0].stop - part[0].start)
        if min(shape) < 1:
            continue
        new = cv2.warpAffine(
            lesion.kinds, matrix, shape, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        )
        room = (new > 0) & healthy[part] & (kinds[part] == 0)
        if room.sum() < max(LEAST, 0.5 * (new > 0).sum()):
            continue
        level = float(np.median(picture[part][room]))
        if level > AERATED:
            continue
        values = cv2.warpAffine(
            lesion.picture,
            matrix,
            shape,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=lesion.level,
        )
        gain = (TISSUE_LEVEL - level) / (TISSUE_LEVEL - lesion.level)
        values = np.float32(level) + np.float32(gain) * (values - np.float32(lesion.level))
        soft: np.ndarray = cv2.GaussianBlur((new > 0).astype(np.float32), (0, 0), EDGE)
        # A lung's mask ends before its wall: up to there, and no further.
        soft = soft * cv2.dilate(lungs[part].astype(np.uint8), np.ones((5, 5), np.uint8))
        out[part] += soft * np.maximum(values - out[part], 0)
        kinds[part][room] = new[room]
    return out, kinds


# ---------------------------------------------------------------- Where in a lung


@dataclass(frozen=True)
class _Half:
    """Box round one lung; `left` and `right` are picture columns, `outer` is one of them."""

    top: int
    bottom: int
    left: int
    right: int
    outer: int

    def place_of(self, row: float, column: float) -> tuple[float, float]:
        height, width = max(self.bottom - self.top, 1), max(self.right - self.left, 1)
        return (row - self.top) / height, abs(column - self.outer) / width

    def point_of(self, down: float, inwards: float) -> tuple[float, float]:
        width = self.right - self.left
        step = inwards * width if self.outer == self.left else -inwards * width
        return self.top + down * (self.bottom - self.top), self.outer + step


def _halves(lungs: np.ndarray) -> tuple[_Half, _Half]:
    """Boxes round the lung at the picture's left and at its right, parted in the middle."""
    columns = np.flatnonzero(lungs.any(axis=0))
    first, last = int(columns[0]), int(columns[-1]) + 1
    middle = (first + last) // 2

    def box(left: int, right: int, outer: int) -> _Half:
        rows = np.flatnonzero(lungs[:, left:right].any(axis=1))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 0)
        return _Half(top, bottom, left, right, outer)

    return box(first, middle, first), box(middle, last, last)


def _placed(
    lesion: Lesion, half: _Half, right: bool, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Matrix from pixels of a part of the picture to those of the lesion, and that part."""
    angle = np.deg2rad(rng.uniform(-20, 20))
    zoom = np.exp(rng.uniform(-0.25, 0.25))
    down, inwards = np.array(lesion.place) + rng.normal(0, 0.04, 2)
    row, column = half.point_of(down, inwards)
    size = np.array(lesion.kinds.shape)
    reach = int(np.ceil(np.hypot(*size) / 2 * zoom))
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    bottom = max(top, min(shape[0], int(row) + reach + 1))
    far = max(left, min(shape[1], int(column) + reach + 1))
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    linear = np.array([[cos, -sin], [sin, cos]])
    if right:
        linear = np.diag([-1.0, 1.0]) @ linear
    offset = (size[::-1] - 1) / 2 - linear @ np.array([column - left, row - top])
    return np.column_stack([linear, offset]), (slice(top, bottom), slice(left, far))
