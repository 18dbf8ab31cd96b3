"""Pixels out of DICOM files, scaled exactly, by two threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from napari_covidseg.io.dicom_header import Frame, read_dataset
from napari_covidseg.io.errors import ReadError
from napari_covidseg.io.pixels import rescale, to_grey

THREADS = 2
"""More do not help: most of the work is one thread's, in Python."""


def stack(frames: Sequence[Frame]) -> np.ndarray:
    """Read frames of one shape into a volume.

    Parameters
    ----------
    frames : sequence of Frame
        In the order of the slices.

    Returns
    -------
    ndarray, shape (slice, row, column)
        Rescaled values: int16 where that is exact, else a wider integer, else float32.

    Raises
    ------
    ReadError
        If a file is damaged, or its compression has no decoder here.
    """
    groups = _by_file(frames)
    out = np.empty((len(frames), *frames[0].shape), dtype=np.int16)

    def place(group: list[tuple[int, Frame]]) -> dict[int, np.ndarray]:
        """Write a file's frames into the volume; give back those that need a wider type."""
        wide = {}
        for (target, frame), raw in zip(group, _decode([f for _, f in group]), strict=True):
            limits = (frame.plain.low, frame.plain.high) if frame.plain else None
            scaled = rescale(raw, _or(frame.slope, 1.0), _or(frame.intercept, 0.0), limits)
            if _fits(scaled):
                out[target] = scaled
            else:
                wide[target] = scaled
        return wide

    if len(groups) == 1:
        wide = place(groups[0])
    else:
        with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
            wide = {k: v for part in pool.map(place, groups) for k, v in part.items()}
    if not wide:
        return out
    integers = all(v.dtype.kind in "iu" for v in wide.values())
    out = out.astype(np.int32 if integers else np.float32)
    for target, scaled in wide.items():
        out[target] = scaled
    return out


def stored(frame: Frame) -> tuple[np.ndarray, Dataset]:
    """Read the stored values of a single image, and its data set for display tables."""
    data = _dataset(frame.path)
    return _grey(_array(data, frame.path), frame)[frame.index], data


def _by_file(frames: Sequence[Frame]) -> list[list[tuple[int, Frame]]]:
    groups: dict[Path, list[tuple[int, Frame]]] = {}
    for target, frame in enumerate(frames):
        groups.setdefault(frame.path, []).append((target, frame))
    return list(groups.values())


def _decode(frames: list[Frame]) -> list[np.ndarray]:
    """Read the stored values of some frames of one file."""
    first = frames[0]
    plain = [array for f in frames if (array := _read_plain(f)) is not None]
    if len(plain) == len(frames):
        return plain
    array = _grey(_array(_dataset(first.path), first.path), first)
    return [array[frame.index] for frame in frames]


def _read_plain(frame: Frame) -> np.ndarray | None:
    """Read uncompressed pixels where they lie; None where the decoder has to look."""
    if frame.plain is None:
        return None
    count = frame.shape[0] * frame.shape[1]
    array = np.fromfile(
        frame.path, frame.plain.dtype, count, offset=frame.plain.offset + 2 * count * frame.index
    )
    if array.size < count:
        raise _damaged(frame.path)
    full = np.iinfo(frame.plain.dtype)
    narrow = frame.plain.low > full.min or frame.plain.high < full.max
    if narrow and (array.min() < frame.plain.low or array.max() > frame.plain.high):
        return None
    return array.reshape(frame.shape)


def _dataset(path: Path) -> Dataset:
    try:
        with path.open("rb") as stream:
            return read_dataset(stream)
    except Exception as error:  # a damaged file raises anything
        raise _damaged(path) from error


def _array(data: Dataset, path: Path) -> np.ndarray:
    """Decode a data set's pixels."""
    if not any(k in data for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ReadError(f"{path.name} holds no pixels (cut short?): copy or export it again.")
    try:
        return pixel_array(data)
    except Exception as error:  # a damaged file raises anything
        if not _lacks_decoder(error):
            raise _damaged(path) from error
        name = " ".join(data.file_meta.TransferSyntaxUID.name.split())
        raise ReadError(
            f"{path.name} is compressed as {name}, for which no decoder is installed: "
            "pip install python-gdcm pylibjpeg[all], or export it uncompressed."
        ) from error


def _lacks_decoder(error: Exception) -> bool:
    """Whether pydicom failed for want of a decoder and not for the data."""
    return isinstance(error, NotImplementedError) or "missing dependencies" in str(error)


def _grey(array: np.ndarray, frame: Frame) -> np.ndarray:
    """Bring decoded pixels to (frame, row, column)."""
    if array.shape[-1] in (3, 4) and array.shape[-3:-1] == frame.shape:
        flat = array.reshape(-1, array.shape[-2], array.shape[-1])
        array = to_grey(flat[..., :3])[0].reshape(array.shape[:-1])
    if array.shape[-2:] != frame.shape:
        raise _damaged(frame.path)
    return array.reshape(-1, *frame.shape)


def _damaged(path: Path) -> ReadError:
    return ReadError(f"{path.name} is cut short or damaged: copy or export it again.")


def _fits(array: np.ndarray) -> bool:
    if array.dtype.kind not in "iu":
        return False
    if np.can_cast(array.dtype, np.int16):
        return True
    return int(array.min()) >= -32768 and int(array.max()) <= 32767


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
