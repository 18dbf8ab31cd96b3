"""Pictures with polygons or run lengths in one COCO file.

The format: https://cocodataset.org/#format-data (object detection).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, ValidationError
from skimage.draw import polygon

from napari_covidseg import io
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.training.data_spec import Coco
from napari_covidseg.training.sources.entry import Entry
from napari_covidseg.training.sources.pairs import add, without_ending


class RunLengths(BaseModel):
    """A mask as run lengths, column by column, background first.

    Attributes
    ----------
    size : (int, int)
        Height and width.
    counts : list of int, or str
        Lengths as they are, or packed into letters.
    """

    size: tuple[int, int]
    counts: list[int] | str


class _Image(BaseModel):
    id: int
    file_name: str
    width: int
    height: int


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    segmentation: list[list[float]] | RunLengths = Field(default_factory=list)


class _Category(BaseModel):
    id: int
    name: str


class _File(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def find(spec: Coco, path: Path, names: dict[str, int]) -> list[Entry]:
    """Find the pictures of a COCO file.

    Parameters
    ----------
    spec : Coco
        The recipe's table.
    path : Path
        The COCO file.
    names : dict
        Category name to value in training; all other categories are background.

    Raises
    ------
    CovidsegError
        If the file is missing or no COCO file, no category has a meaning, or two pictures
        have one name.
    """
    try:
        content = _File.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CovidsegError(f"{path} cannot be read ({error.strerror}): check data.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CovidsegError(f"{path.name} is no COCO file: {where}: {first['msg']}.") from error
    except ValueError as error:
        raise CovidsegError(f"{path.name} is no JSON file: {error}.") from error
    there = {category.name for category in content.categories}
    missing = [name for name in spec.labels or () if name not in there]
    if missing or not there & names.keys():
        raise CovidsegError(
            f"{path.name} has the categories {', '.join(sorted(there))}"
            + (f", not {missing[0]!r}" if missing else "")
            + ': say what they mean in data, labels = {"category" = "label"}.'
        )
    values = {c.id: names[c.name] for c in content.categories if c.name in names}
    drawn: dict[int, list[_Annotation]] = defaultdict(list)
    for annotation in content.annotations:
        if annotation.category_id in values:
            drawn[annotation.image_id].append(annotation)
    folder = path.parent / spec.images
    files: dict[str, Path] = {}
    images = sorted(content.images, key=lambda image: image.file_name)
    for image in images:
        add(files, _key(image.file_name), folder / image.file_name)
    return [
        Entry(key, file, partial(_read, file, image, drawn[image.id], values))
        for (key, file), image in zip(files.items(), images, strict=True)
    ]


def _key(file_name: str) -> str:
    """Path as the file gives it, without ending: a name may stand in several folders."""
    return (Path(file_name).parent / without_ending(file_name)).as_posix()


def _read(
    path: Path, image: _Image, drawn: Sequence[_Annotation], values: dict[int, int]
) -> tuple[Study, np.ndarray]:
    study = io.read(path)
    shape = (image.height, image.width)
    # Programs differ in whether they mind the turn that a camera noted.
    as_stored = study.grid.shape == shape
    if not as_stored and study.array.shape != shape:
        raise CovidsegError(
            f"{path.name} has shape {study.array.shape} and the COCO file says {shape}: "
            "give the pictures that were drawn on."
        )
    mask = np.zeros(shape, np.uint8)
    # By rising value, so that the order of the file does not matter where two overlap.
    for annotation in sorted(drawn, key=lambda a: values[a.category_id]):
        mask[_fill(annotation.segmentation, shape, path)] = values[annotation.category_id]
    return study, np.ascontiguousarray(study.grid.to_display(mask)) if as_stored else mask


def _fill(
    segmentation: list[list[float]] | RunLengths, shape: tuple[int, int], path: Path
) -> np.ndarray:
    """Pixels of one object, bool (y, x)."""
    if isinstance(segmentation, RunLengths):
        try:
            return run_lengths(segmentation, shape)
        except ValueError as error:
            raise CovidsegError(f"{path.name}: {error}: export the COCO file again.") from error
    inside = np.zeros(shape, bool)
    for corners in segmentation:
        # A pixel belongs to what its centre lies in; coordinates begin at the corner.
        xy = np.array(corners[: len(corners) // 2 * 2]).reshape(-1, 2) - 0.5
        inside[polygon(xy[:, 1], xy[:, 0], shape)] = True
    return inside


def run_lengths(mask: RunLengths, shape: tuple[int, int]) -> np.ndarray:
    """Draw a mask from run lengths.

    Parameters
    ----------
    mask : RunLengths
        Lengths, column by column, background first.
    shape : (int, int)
        Height and width that it must have.

    Returns
    -------
    ndarray of bool, shape (y, x)

    Raises
    ------
    ValueError
        If the lengths do not fill the picture.
    """
    counts = _unpack(mask.counts) if isinstance(mask.counts, str) else mask.counts
    if tuple(mask.size) != shape or sum(counts) != shape[0] * shape[1] or min(counts) < 0:
        raise ValueError("run lengths do not fill the picture")
    value = np.arange(len(counts)) % 2 == 1
    return np.repeat(value, counts).reshape(shape[::-1]).T


def _unpack(text: str) -> list[int]:
    """Read run lengths packed into letters.

    Five bits and a flag for "goes on" make one letter, counted from ``"0"``, and from the
    fourth length on it is the difference to the length two before: the packing of
    ``rleFrString`` in the COCO API (pycocotools, maskApi.c).
    """
    counts: list[int] = []
    number = shift = 0
    for letter in text:
        code = ord(letter) - 48
        number |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts
