"""Images and masks in two folders, as pictures or NIfTI files, matched by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from napari_covidseg import io
from napari_covidseg.io.sniff import ENDINGS, stem_of
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.training.data_spec import Nifti, Pairs
from napari_covidseg.training.sources.entry import Entry, translate
from napari_covidseg.training.wording import listed

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
LOSSY = (".jpg", ".jpeg")

RINGING = 0.2
"""How far JPEG of the usual quality moves values beside an edge, of the height of the edge."""

ROUNDING = 4
"""How far it moves values at the least, whatever they are."""


def find(spec: Pairs | Nifti, root: Path, values: dict[int, int]) -> list[Entry]:
    """Find the images of two folders with their masks.

    Parameters
    ----------
    spec : Pairs or Nifti
        The recipe's table.
    root : Path
        Its folder.
    values : dict
        Value in the masks to value in training.

    Raises
    ------
    CovidsegError
        If a folder is missing, an image has no mask or a mask no image, or two files have
        one name.
    """
    endings = PICTURES if isinstance(spec, Pairs) else ENDINGS["nifti"]
    # Where both lie in one folder, only a suffix can tell them apart.
    shared = (root / spec.images).resolve() == (root / spec.masks).resolve()
    if shared and not spec.mask_suffix:
        raise CovidsegError(
            f"{spec.path}: images and masks lie in one folder: give mask_suffix in data."
        )
    masks = _files(root / spec.masks, endings, spec.mask_suffix)
    images = _files(
        root / spec.images, endings, spec.image_suffix, spec.mask_suffix if shared else ""
    )
    _all_matched(images, masks)
    return [
        Entry(key, path, partial(_read, path, masks[key], values)) for key, path in images.items()
    ]


def without_ending(name: str) -> str:
    """Name without an ending of an image file."""
    return stem_of(Path(name))


def add(found: dict[str, Path], key: str, path: Path) -> None:
    """Put a file under its key.

    Raises
    ------
    CovidsegError
        If another has that key.
    """
    if key in found:
        raise CovidsegError(f"{path.name} and {found[key].name} have one name: keep one of them.")
    found[key] = path


def _files(folder: Path, endings: tuple[str, ...], suffix: str, but: str = "") -> dict[str, Path]:
    """Files of a folder and those below it, by path without ending and suffix."""
    if not folder.is_dir():
        raise CovidsegError(f"There is no folder {folder}: check path, images and masks in data.")
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.name.lower().endswith(endings)):
        stem = stem_of(path)
        hidden = path.name.startswith(".")
        if hidden or not stem.endswith(suffix) or (but and stem.endswith(but)):
            continue
        below = path.relative_to(folder).parent
        add(found, (below / stem.removesuffix(suffix)).as_posix(), path)
    return found


def _all_matched(images: dict[str, Path], masks: dict[str, Path]) -> None:
    for have, lack, what, other in (
        (images, masks, "images without mask", "mask"),
        (masks, images, "masks without image", "image"),
    ):
        alone = [path.name for key, path in have.items() if key not in lack]
        if alone:
            raise CovidsegError(
                f"{len(alone)} {what}: {listed(alone)}: add the {other} of the "
                "same name, take the file away, or correct the suffixes in data."
            )


def _read(image: Path, mask: Path, values: dict[int, int]) -> tuple[Study, np.ndarray]:
    study = io.read(image)
    try:
        labels = io.read_mask(mask, study)
    except io.ReadError as error:
        raise CovidsegError(f"{image.name} and {mask.name} do not fit: {error}") from error
    if mask.name.lower().endswith(LOSSY):
        labels = _nearest(labels, values)
    return study, translate(labels, values, mask.name)


def _nearest(labels: np.ndarray, values: dict[int, int]) -> np.ndarray:
    """Undo what JPEG did to a mask: a value becomes the nearest one that has a meaning.

    Where several labels are told apart only a value that is near enough does: another may be
    a label of its own, and is left for `translate` to refuse.
    """
    known, every = np.array(sorted(values)), np.arange(256)
    away = np.abs(every[:, None] - known)
    table = known[away.argmin(axis=1)]
    if len(known) > 2:
        table = np.where(away.min(axis=1) <= max(ROUNDING, RINGING * known[-1]), table, every)
    return table.astype(np.uint8)[labels]
