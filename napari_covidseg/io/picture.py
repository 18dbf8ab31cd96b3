"""Pictures (PNG, JPEG, TIFF): grey studies, and masks as 8-bit label values."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from napari_covidseg import values
from napari_covidseg.io.atomic import write_bytes
from napari_covidseg.io.errors import ReadError, WriteError
from napari_covidseg.io.pixels import tidy, to_grey
from napari_covidseg.study import Grid, Note, Source, Study, pseudonym

MAX_PIXELS = 1 << 29
"""Most pixels that a picture may have; 20,000 x 20,000 is below it."""

# TIFF tags: BitsPerSample, PhotometricInterpretation, PlanarConfiguration.
_BITS, _MEANING, _PLANES = 258, 262, 284

# EXIF orientation to (are rows and columns swapped, flip y, flip x), applied in that order
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def read(path: Path, stem: str) -> Study:
    """Read a picture as a grey study; pages of one size make a stack.

    Parameters
    ----------
    path : Path
        PNG, JPEG, TIFF, BMP, ..., 8 or 16 bit, grey, colour or palette.
    stem : str
        Name for what is made of it.

    Returns
    -------
    Study
        Shape (y, x), or (page, y, x). A picture that a camera marked as turned is shown
        upright; its mask is written as the picture lies in the file.

    Raises
    ------
    ReadError
        If it is damaged or has too many pixels.
    """
    try:
        with _no_size_alarm(), Image.open(path) as image:
            width, height = image.size
            pages = _pages(image)
            if width * height * pages > MAX_PIXELS:
                raise ReadError(
                    f"{path.name} has {width} x {height} pixels"
                    + (f" on {pages} pages" if pages > 1 else "")
                    + f", more than {MAX_PIXELS // 10**6} million: scale it down first."
                )
            turn = _turn_of(image)
            native, notes = _pixels(image, path, pages)
            if image.format == "PNG":
                with Image.open(path) as again:
                    again.verify()  # the check sums, which decoding passes over
    except ReadError:
        raise
    except MemoryError as error:
        raise ReadError(
            f"{path.name} ({width} x {height} pixels) does not fit into memory: scale it down."
        ) from error
    except UnidentifiedImageError as error:
        raise _not_known(path) from error
    except Exception as error:  # a damaged file raises anything
        raise _damaged(path) from error
    grid = _grid(native.shape, turn)
    if turn != 1:
        notes.append(Note("exif-rotation", {"orientation": turn}))
    array = np.ascontiguousarray(grid.to_display(native))
    is_hu = values.looks_like_hu(array)
    return Study(
        array=array,
        affine=np.asarray(grid.affine[:, [2, 1, 0, 3]]),
        grid=grid,
        modality=values.guess_modality(array, is_hu),
        is_hu=is_hu,
        spacing_known=False,
        orientation_known=False,
        pseudonym=pseudonym(stem),
        source=Source("picture", stem, path, turn),
        notes=tuple(notes),
    )


def read_labels(path: Path) -> np.ndarray:
    """Read a label picture (y, x) as it lies in the file: palette and grey values as stored.

    Raises
    ------
    ReadError
        If it is damaged or in colour.
    """
    try:
        with _no_size_alarm(), Image.open(path) as image:
            if image.mode == "P":
                return np.asarray(image)  # the values, not the colours they are shown in
            native, notes = _pixels(image, path, 1)
    except ReadError:
        raise
    except UnidentifiedImageError as error:
        raise _not_known(path) from error
    except Exception as error:  # a damaged file raises anything
        raise _damaged(path) from error
    if any(note.code == "colour" for note in notes):
        raise ReadError(f"{path.name} is in colour: a mask needs one grey value per label.")
    return native


def write(native: np.ndarray, path: Path, exif_turn: int = 1) -> None:
    """Write a 2D array of 8 or 16 bit as PNG.

    Parameters
    ----------
    native : ndarray of uint8 or uint16, shape (y, x)
        Values, written as they are.
    path : Path
        The file.
    exif_turn : int
        EXIF orientation of the picture it belongs to, so that programs turn both alike.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    if native.ndim != 2:
        raise WriteError(f"A PNG holds one slice, not {native.shape}: write .nii.gz instead.")
    exif = Image.Exif()
    if exif_turn != 1:
        exif[ExifTags.Base.Orientation] = exif_turn
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(native)).save(
        buffer, format="PNG", **({"exif": exif} if exif_turn != 1 else {})
    )
    write_bytes(path, buffer.getvalue())


def _pixels(image: Image.Image, path: Path, pages: int) -> tuple[np.ndarray, list[Note]]:
    """Grey values (y, x) or (page, y, x) as they lie in the file, and what was noticed."""
    notes: dict[str, Note] = {}
    planes = []
    for page in range(pages):
        if pages > 1:
            image.seek(page)
        image.load()  # finds a picture that is cut short
        plane = _deep_colour(image, path) if pages == 1 else None
        plane = _expand(image) if plane is None else plane
        if image.format == "TIFF" and image.mode.startswith("I;16") and _tag(image, _MEANING) == 0:
            plane = np.iinfo(np.uint16).max - plane  # white is 0: of 8 bits Pillow turns it itself
        if plane.ndim == 3:
            plane, found = _flatten(plane)
            notes |= found
        planes.append(plane)
    stack = planes[0] if pages == 1 else np.stack(planes)
    if pages > 1:
        notes["picture-stack"] = Note("picture-stack", {"count": pages})
    return tidy(stack), list(notes.values())


def _tag(image: Image.Image, number: int) -> Any:
    return image.tag_v2.get(number)  # type: ignore[attr-defined]  # a TIFF image has it


def _expand(image: Image.Image) -> np.ndarray:
    """Pixels of one page: (y, x), or (y, x, 3 or 4) for colour."""
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode == "P":
        return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))
    if image.mode in ("LA", "PA", "La", "RGBa"):
        return np.asarray(image.convert("RGBA"))
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB"))
    return np.asarray(image)


def _deep_colour(image: Image.Image, path: Path) -> np.ndarray | None:
    """16-bit colour, which Pillow would cut to 8 bits without a word; None for the rest."""
    if image.mode not in ("RGB", "RGBA", "LA") or image.format not in ("PNG", "TIFF"):
        return None
    if image.format == "TIFF" and _tag(image, _PLANES) == 2 and 16 in _tag(image, _BITS):
        raise ReadError(
            f"{path.name} holds 16-bit colour plane by plane, which cannot be read here: "
            "export it as PNG, or in grey."
        )
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        return None
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def _flatten(plane: np.ndarray) -> tuple[np.ndarray, dict[str, Note]]:
    """Grey out of (y, x, 3 or 4): see-through parts on black, colour as luminance."""
    notes = {}
    full = np.iinfo(plane.dtype).max
    if plane.shape[2] == 4:
        alpha = plane[..., 3]
        if (alpha != full).any():
            notes["transparency"] = Note("transparency", {"share": float((alpha != full).mean())})
            mixed = plane[..., :3].astype(np.float32) * (alpha[..., None] / np.float32(full))
            plane = np.rint(mixed).astype(plane.dtype)
    grey, coloured = to_grey(plane[..., :3])
    if coloured:
        notes["colour"] = Note("colour", {"share": coloured})
    return grey, notes


def _turn_of(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or it is damaged: the pixels may be sound."""
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return turn if turn in _TURNS else 1


def _not_known(path: Path) -> ReadError:
    return ReadError(
        f"{path.name} is cut short or damaged: copy or export it again, and as PNG if it holds "
        "64-bit numbers."
    )


def _damaged(path: Path) -> ReadError:
    return ReadError(f"{path.name} is cut short or damaged: copy or export it again.")


def _pages(image: Image.Image) -> int:
    """Count the pages of one size; 1 where they differ (thumbnails, pyramids)."""
    count = getattr(image, "n_frames", 1)
    if count == 1 or image.format != "TIFF":
        return 1
    sizes = set()
    for page in range(count):
        image.seek(page)
        sizes.add((image.size, image.mode))
    image.seek(0)
    return count if len(sizes) == 1 else 1


def _grid(shape: tuple[int, ...], turn: int) -> Grid:
    """Grid of a picture: pixels as lengths, y to the back, x to the patient's left."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    swap, flip_y, flip_x = _TURNS[turn]
    first = len(shape) - 2
    axes = (*range(first), *((first + 1, first) if swap else (first, first + 1)))
    return Grid(tuple(shape), affine, axes, (*(False,) * first, flip_y, flip_x))


@contextmanager
def _no_size_alarm() -> Iterator[None]:
    """Let our own, larger limit hold instead of Pillow's, for this one reading."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
