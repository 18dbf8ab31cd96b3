"""One slice or film with its truth, and how the data sets' files are read."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import nibabel as nib
import numpy as np

from napari_covidseg.inference.frame import Frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError

ANY = 3
"""Value of "lung, side not told" and "infection, kind not told" in two-class schemes."""

NOT_TOLD = 4
"""Value of pixels about which a mask of a two-class scheme says nothing."""


@dataclass(frozen=True, eq=False)
class Item:
    """One slice or film with its truth.

    Attributes
    ----------
    set, group, name : str
        Data set, patient or volume, and a name that is unique in the set.
    picture : ndarray, shape (y, x)
        Pixels in display order.
    labels : ndarray of uint8, shape (y, x), or int
        Mask, or class of the picture.
    window, body : Window, Frame
        As ``inference.window`` and ``inference.frame`` find them; for a volume over the whole
        of it.
    lungs : Frame or None
        Square round the drawn lungs, where lungs are drawn.
    found : ndarray of uint8, shape (y, x), or None
        Lungs as a model found them, 0 or 255.
    infection : ndarray of uint8, shape (y, x), or None
        Drawn infection of an item whose mask shows the lungs.
    second : ndarray of uint8, shape (v, u), or None
        Foreground as a second reader drew it, on coarser pixels.
    is_hu : bool
        Whether the pixels are Hounsfield units.
    lung_pixels : int or None
        Drawn lung on this slice, where lungs are drawn.
    volume : str or None
        Name of the volume that the slice is a part of, if all of it is here.
    spacing : tuple of float or None
        mm per axis of that volume (z, y, x), where it is known to be true.
    """

    set: str
    group: str
    name: str
    picture: np.ndarray
    labels: np.ndarray | int
    window: Window
    body: Frame
    lungs: Frame | None = None
    is_hu: bool = False
    lung_pixels: int | None = None
    volume: str | None = None
    found: np.ndarray | None = None
    infection: np.ndarray | None = None
    spacing: tuple[float, float, float] | None = None
    second: np.ndarray | None = None


def grey(path: Path) -> np.ndarray:
    """Read a picture as grey values, uint8 (y, x)."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise CovidsegError(f"{path} cannot be read as a picture.")
    return picture


def mask(folder: Path, stem: str) -> np.ndarray:
    """Read the mask of that stem, whatever its ending."""
    return grey(next(folder.glob(f"{stem}.*")))


def display(path: Path) -> np.ndarray:
    """NIfTI of the data sets (axes along the patient's) as (z, y, x) in display order."""
    image: Any = nib.load(path)
    wanted = nib.orientations.axcodes2ornt(("L", "P", "S"))
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted)
    )
    return np.asarray(turned.dataobj).T


def display_spacing(path: Path) -> tuple[float, float, float]:
    """Voxel size of what `display` gives, in mm (z, y, x), as the file's header says."""
    image: Any = nib.load(path)
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)  # of the file's own axes
    axis = np.argmax(np.abs(image.affine[:3, :3]), axis=1)  # that run along x, y, z
    x, y, z = (float(sizes[k]) for k in axis)
    return z, y, x


def pictures(folder: Path) -> list[Path]:
    """List the pictures of a folder by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".jpg", ".jpeg"})


def column(path: Path, key: str, value: str) -> dict[str, str]:
    """Read two columns of a CSV file as a mapping."""
    with path.open(encoding="utf-8") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


def without_infection(item: Item, set_name: str) -> Item:
    """Give an item of a set with drawn lungs as one of a set in which there is nothing to find."""
    return replace(item, set=set_name, labels=np.zeros(item.picture.shape, np.uint8))
