"""Study: the one value that travels through the product.

A study is pixels, where they lie in the patient, and what they mean. Readers make
one; everything else reads one, or makes a mask on the same grid.

Two grids are kept apart. The *native* grid is the file's own order of voxels, which a
mask must have again when it is written. The *display* grid is what people and networks
see: axial slices from feet to head, front of the chest at the top, the patient's right
at the left of the picture. One is a permutation and flip of the other, so going there
and back moves no voxel and rounds no number.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nibabel as nib
import numpy as np

DISPLAY_AXCODES = ("S", "P", "L")
"""Direction in which each display axis (z, y, x) grows."""

_SALT = secrets.token_bytes(16)


class CovidsegError(Exception):
    """A wrong input, said in one line: what is wrong and what to do about it."""


class Modality(StrEnum):
    """What made the picture."""

    CT = "CT"
    XR = "XR"


@dataclass(frozen=True)
class Note:
    """One fact that a reader met and that bears on the result.

    Attributes
    ----------
    code : str
        Stable name, e.g. ``"missing-slices"``; the input doctor words it for people.
    values : mapping
        The numbers or words behind it, e.g. ``{"count": 2}``.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class Grid:
    """The file's own voxel grid, and how the display grid was made from it.

    Attributes
    ----------
    shape : tuple of int
        Shape in native array order, slowest axis first: (k, j, i), or (j, i) for a
        single picture.
    affine : ndarray, shape (4, 4)
        Native (i, j, k, 1) to RAS+ in mm, the NIfTI convention, untouched.
    axes : tuple of int
        ``display = native.transpose(axes)`` before the flips.
    flips : tuple of bool
        Which display axes run backwards against the native ones.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    @classmethod
    def from_affine(cls, shape: tuple[int, ...], affine: np.ndarray) -> Grid:
        """Find the axis order and flips that bring a native 3D grid to display order.

        Parameters
        ----------
        shape : tuple of int
            (k, j, i).
        affine : ndarray, shape (4, 4)
            Native (i, j, k, 1) to RAS+ in mm.

        Raises
        ------
        CovidsegError
            If the affine is singular or not finite: then nobody knows where a voxel is.
        """
        affine = np.asarray(affine, dtype=np.float64)
        check_affine(affine)
        zyx = affine[:, [2, 1, 0, 3]]
        native = nib.orientations.io_orientation(zyx)
        wanted = nib.orientations.axcodes2ornt(DISPLAY_AXCODES)
        # transform[n] = (display axis that native axis n becomes, sign)
        transform = nib.orientations.ornt_transform(native, wanted)
        axes = tuple(int(a) for a in np.argsort(transform[:, 0]))
        flips = tuple(bool(transform[a, 1] < 0) for a in axes)
        return cls(tuple(shape), affine, axes, flips)

    @classmethod
    def identity(cls, shape: tuple[int, ...], affine: np.ndarray) -> Grid:
        """Take the file's own order as the display order (pictures, X-rays)."""
        n = len(shape)
        return cls(tuple(shape), np.asarray(affine, float), tuple(range(n)), (False,) * n)

    def to_display(self, native: np.ndarray) -> np.ndarray:
        """View a native array in display order (no copy)."""
        flipped = tuple(slice(None, None, -1 if f else 1) for f in self.flips)
        return native.transpose(self.axes)[flipped]

    def to_native(self, display: np.ndarray) -> np.ndarray:
        """View a display array in native order (no copy): the exact inverse."""
        flipped = tuple(slice(None, None, -1 if f else 1) for f in self.flips)
        return display[flipped].transpose(np.argsort(self.axes))

    def display_affine(self) -> np.ndarray:
        """Affine of the display grid: (z, y, x, 1) to RAS+ in mm."""
        zyx = self.affine[:, [2, 1, 0, 3]].astype(np.float64)
        if len(self.shape) == 2:
            return zyx
        out = np.eye(4)
        origin = zyx[:3, 3].copy()
        for display_axis, native_axis in enumerate(self.axes):
            column = zyx[:3, native_axis]
            if self.flips[display_axis]:
                origin = origin + column * (self.shape[native_axis] - 1)
                column = -column
            out[:3, display_axis] = column
        out[:3, 3] = origin
        return out + 0.0  # no negative zeros


@dataclass(frozen=True)
class Source:
    """Where a study came from. Lives in memory only; never written to a ledger or log.

    The one exception is `group`, which a training case keeps.

    Of all this only the kind is shown when a study is printed: names of files and the
    header may name the patient, and a study travels in the metadata of its layers.

    Attributes
    ----------
    kind : str
        ``"nifti"``, ``"dicom"``, ``"picture"`` or ``"array"``.
    stem : str
        File or folder name without its ending: the name of what is written for it.
    path : Path or None
        The file or folder.
    header : object or None
        The format's own header (a ``nibabel`` header), kept for the writer.
    group : str
        Of DICOM an alias of the examination, the same for all its images; else empty.
    """

    kind: str
    stem: str = field(repr=False)
    path: Path | None = field(default=None, repr=False)
    header: Any = field(default=None, repr=False)
    group: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class Study:
    """Pixels, geometry and meaning of one image.

    Attributes
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Display order (see the module's text), the file's own integer type.
    affine : ndarray, shape (4, 4)
        Display (z, y, x, 1) to RAS+ in mm. A 2D image has z = 0.
    grid : Grid
        The file's grid, for writing a mask back onto it.
    modality : Modality or None
        None where neither header nor pixels tell.
    is_hu : bool
        Whether values are Hounsfield units.
    spacing_known, orientation_known : bool
        False where the file does not say: lengths are then pixels, and left and right
        follow the usual display (the patient's right at the picture's left).
    pseudonym : str
        Salted hash that names the study without naming the patient.
    source : Source
        Where it came from.
    notes : tuple of Note
        What the reader noticed.
    """

    array: np.ndarray
    affine: np.ndarray
    grid: Grid
    modality: Modality | None
    is_hu: bool
    spacing_known: bool
    orientation_known: bool
    pseudonym: str
    source: Source
    notes: tuple[Note, ...] = ()

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return int(self.array.ndim)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm per array axis: (z, y, x) or (y, x)."""
        size = np.linalg.norm(self.affine[:3, :3], axis=0)
        return tuple(float(s) for s in size[3 - self.ndim :])

    @property
    def voxel_ml(self) -> float | None:
        """Volume of a voxel in mL; None for a 2D image or unknown spacing.

        Slices of a tilted gantry are sheared: a voxel is smaller than the product of its edges.
        """
        if self.ndim != 3 or not self.spacing_known:
            return None
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def is_oblique(self) -> bool:
        """Whether the display axes are turned against the patient's (over 0.1 degree)."""
        cosines = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool(np.abs(cosines).max(axis=0).min() < np.cos(np.deg2rad(0.1)))

    def slices(self) -> np.ndarray:
        """View as (z, y, x), a 2D image being one slice."""
        return self.array if self.ndim == 3 else self.array[np.newaxis]

    def replace(self, **changes: Any) -> Study:
        """Copy with some fields changed."""
        return replace(self, **changes)


def check_affine(affine: np.ndarray) -> None:
    """Raise if an affine cannot place voxels.

    Raises
    ------
    CovidsegError
        If it is not a finite, invertible 4x4 matrix.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise CovidsegError(
            "The image's affine is not a 4x4 matrix of finite numbers: "
            "repair the header, or export the image again."
        )
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if (size == 0).any() or abs(np.linalg.det(affine[:3, :3] / size)) < 1e-3:
        raise CovidsegError(
            "The image's affine is singular (a voxel has no volume): "
            "repair the header, or export the image again."
        )


def from_array(
    array: np.ndarray,
    *,
    spacing: tuple[float, ...] | None = None,
    affine: np.ndarray | None = None,
    modality: Modality | None = None,
    is_hu: bool = False,
    stem: str = "image",
    kind: str = "array",
    notes: tuple[Note, ...] = (),
) -> Study:
    """Make a study of an array that is already in display order.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Pixels.
    spacing : tuple of float, optional
        mm per axis, in array order. Without it and without an affine the spacing counts
        as unknown and lengths are pixels.
    affine : ndarray, shape (4, 4), optional
        Display (z, y, x, 1) to RAS+ in mm; then orientation counts as known.
    modality, is_hu, stem, kind, notes
        As in `Study` and `Source`.

    Raises
    ------
    CovidsegError
        If the array is not 2D or 3D, a spacing is not positive or the affine is singular.
    """
    if array.ndim not in (2, 3):
        raise CovidsegError(
            f"The image has {array.ndim} axes; one slice (2D) or one volume (3D) is needed: "
            "pick one channel or one time point first."
        )
    orientation_known = affine is not None
    if affine is None:
        steps = tuple(spacing) if spacing is not None else (1.0,) * array.ndim
        if len(steps) != array.ndim or not all(np.isfinite(s) and s > 0 for s in steps):
            raise CovidsegError(
                f"Spacing {steps} does not fit a {array.ndim}D image: "
                "give one positive number of mm per axis."
            )
        dz, dy, dx = (1.0, *steps)[-3:]
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = dz, -dy, -dx, 1.0
    affine = np.asarray(affine, dtype=np.float64)
    check_affine(affine)
    return Study(
        array=array,
        affine=affine,
        grid=Grid.identity(array.shape, affine[:, [2, 1, 0, 3]]),
        modality=modality,
        is_hu=is_hu,
        spacing_known=spacing is not None or orientation_known,
        orientation_known=orientation_known,
        pseudonym=pseudonym(stem),
        source=Source(kind, stem),
        notes=notes,
    )


def pseudonym(identifier: str) -> str:
    """Name a study without naming the patient.

    The salt is drawn anew for each process and never stored, so that the name cannot
    be turned back by hashing a list of patient numbers.
    """
    digest = hashlib.blake2b(identifier.encode(errors="surrogateescape"), key=_SALT, digest_size=6)
    return f"case-{digest.hexdigest()}"
