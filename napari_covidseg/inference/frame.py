"""Frames: which square of an image a network sees, and the way back to its own pixels.

A network sees a square picture of fixed size. A `Frame` is found once for a study and
undone exactly when the answer is pasted back. Training uses the same functions, so that
the two cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import cv2
import numpy as np

from napari_covidseg.inference.window import Window

LUNG_MARGIN = 0.06
"""Shown round the lungs, as a part of the longer side."""

CUT_OFF = 0.03
"""Part of the largest piece of a body from which another is chest wall, and no table."""


@dataclass(frozen=True)
class Frame:
    """A rectangle of an image that is square in millimetres.

    Attributes
    ----------
    top, left : int
        First row and column; may lie outside the image, which counts as air.
    height, width : int
        Size in pixels, at least 1.
    """

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def around(
        cls,
        box: tuple[int, int, int, int],
        *,
        margin: float,
        aspect: float = 1.0,
    ) -> Frame:
        """Square round a box.

        Parameters
        ----------
        box : (top, bottom, left, right)
            Rows and columns, end excluded.
        margin : float
            Added on each side, as a part of the longer side.
        aspect : float
            Row spacing over column spacing, so that the frame is square in mm.
        """
        top, bottom, left, right = box
        side = max((bottom - top) * aspect, right - left, 1) * (1 + 2 * margin)
        width = max(1, round(side))
        height = max(1, round(side / aspect))
        return cls(
            round((top + bottom - height) / 2), round((left + right - width) / 2), height, width
        )

    def grow(self, factor: float) -> Frame:
        """Scale about the centre by `factor`."""
        height, width = max(1, round(self.height * factor)), max(1, round(self.width * factor))
        return Frame(
            round(self.top + (self.height - height) / 2),
            round(self.left + (self.width - width) / 2),
            height,
            width,
        )

    def _overlap(self, shape: tuple[int, ...]) -> tuple[slice, slice, slice, slice]:
        """Rows and columns that frame and image share: in the image, then in the frame."""
        y0, y1 = max(self.top, 0), min(self.top + self.height, shape[0])
        x0, x1 = max(self.left, 0), min(self.left + self.width, shape[1])
        y1, x1 = max(y0, y1), max(x0, x1)
        return (
            slice(y0, y1),
            slice(x0, x1),
            slice(y0 - self.top, y1 - self.top),
            slice(x0 - self.left, x1 - self.left),
        )

    def cut(self, picture: np.ndarray, window: Window, size: int) -> np.ndarray:
        """Show the frame's part of one slice at the network's size.

        Parameters
        ----------
        picture : ndarray, shape (y, x)
            Pixels of any number type.
        window : Window
            How values map; the result is not clipped to 0..1 beyond the window's edge
            by more than rounding.
        size : int
            Side of the result in pixels.

        Returns
        -------
        ndarray of float32, shape (size, size)
            0 to 1; 0 outside the image.
        """
        # A picture far larger than the network needs is thinned out first: it would
        # take gigabytes as floating point.
        step = max(1, min(self.height, self.width) // (4 * size))
        if step > 1:
            thin = Frame(*(n // step for n in (self.top, self.left, self.height, self.width)))
            return thin.cut(picture[step // 2 :: step, step // 2 :: step], window, size)
        rows, cols, to_rows, to_cols = self._overlap(picture.shape)
        part = np.clip(picture[rows, cols], window.low, window.high).astype(np.float32)
        part -= np.float32(window.low)
        part *= np.float32(1.0 / max(window.high - window.low, 1e-6))
        square = np.zeros((self.height, self.width), np.float32)
        square[to_rows, to_cols] = part
        return resize(square, size)

    def cut_labels(self, labels: np.ndarray, size: int) -> np.ndarray:
        """Show the frame's part of a mask at the network's size, nearest neighbour."""
        rows, cols, to_rows, to_cols = self._overlap(labels.shape)
        square = np.zeros((self.height, self.width), labels.dtype)
        square[to_rows, to_cols] = labels[rows, cols]
        return cv2.resize(square, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)

    def paste(self, answer: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, slice, slice]:
        """Bring a network's answer back to the image's own pixels.

        Parameters
        ----------
        answer : ndarray, shape (size, size) or (size, size, channels)
            uint8 or float32 values.
        shape : (int, int)
            Rows and columns of the image.

        Returns
        -------
        part : ndarray
            The answer at the image's resolution, for the shared part only.
        rows, cols : slice
            Where in the image it belongs.
        """
        full = cv2.resize(answer, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        rows, cols, from_rows, from_cols = self._overlap(shape)
        return full[from_rows, from_cols], rows, cols


def resize(picture: np.ndarray, size: int) -> np.ndarray:
    """Resize to a square; averages when it shrinks, so that nothing aliases."""
    shrinks = picture.shape[0] > size or picture.shape[1] > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (size, size), interpolation=how)


def whole_frame(shape: tuple[int, ...], aspect: float = 1.0) -> Frame:
    """Square round a whole slice."""
    return Frame.around((0, shape[-2], 0, shape[-1]), margin=0.0, aspect=aspect)


def cut_frame(shape: tuple[int, ...], aspect: float = 1.0) -> Frame:
    """Square round a picture that is cut to the lungs, as `lung_frame` would show it."""
    return Frame.around((0, shape[-2], 0, shape[-1]), margin=LUNG_MARGIN, aspect=aspect)


def body_frame(array: np.ndarray, window: Window, aspect: float = 1.0) -> Frame:
    """Square round the body, the same for every slice of a volume.

    The body is the largest bright piece of the slices at a coarse resolution, and of a
    picture whose edge cuts it to pieces all that are not small. Where none is found, or
    where it fills the picture, the whole slice is shown.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Slices.
    window : Window
        From `ct_window`.
    aspect : float
        Row spacing over column spacing.
    """
    depth, height, width = array.shape
    step = max(1, max(height, width) // 128)
    every = max(1, depth // 48)
    coarse = np.asarray(array[::every, ::step, ::step]).astype(np.float32)
    level = window.low + 0.5 * (window.high - window.low)
    bright = coarse > level
    # The table is thin: opening in the plane cuts it off the back.
    kernel = np.ones((3, 3), np.uint8)
    bright = np.stack(
        [cv2.morphologyEx(b.astype(np.uint8), cv2.MORPH_OPEN, kernel) for b in bright]
    )
    pieces = cc3d.connected_components(bright, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0  # what is not bright
    if sizes.max() < 0.02 * pieces.size:
        return whole_frame((height, width), aspect)
    body = pieces == sizes.argmax()
    if _reaches_edge(body, (coarse > coarse.min()).any(axis=0)):
        body = np.isin(pieces, np.flatnonzero(sizes > CUT_OFF * sizes.max()))
    shadow = body.any(axis=0)
    box = _box(shadow)
    scaled = (box[0] * step, min(box[1] * step, height), box[2] * step, min(box[3] * step, width))
    return Frame.around(scaled, margin=0.03, aspect=aspect)


def _reaches_edge(body: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a body goes on beyond a picture; an empty border is none of the picture."""
    if not picture.any():
        return False
    top, bottom, left, right = _box(picture)
    inner = body[:, top:bottom, left:right]
    return bool(inner[:, [0, -1]].any() or inner[:, :, [0, -1]].any())


def lung_frame(lungs: np.ndarray, aspect: float = 1.0, margin: float = LUNG_MARGIN) -> Frame | None:
    """Square round the lungs, the same for every slice; None where there is no lung.

    Parameters
    ----------
    lungs : ndarray, shape (z, y, x)
        Mask, any value above 0 is lung.
    aspect : float
        Row spacing over column spacing.
    margin : float
        Added on each side, as a part of the longer side.
    """
    shadow = (lungs > 0).any(axis=0)
    if not shadow.any():
        return None
    return Frame.around(_box(shadow), margin=margin, aspect=aspect)


def _box(mask: Any) -> tuple[int, int, int, int]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1


def with_rim(lungs: np.ndarray) -> np.ndarray:
    """Lungs with a rim that keeps their edge in view, and with the gaps that lesions leave.

    Parameters
    ----------
    lungs : ndarray of float32, shape (s, s)
        Lungs that were found, as a network sees them, 0 to 1.

    Returns
    -------
    ndarray of float32, shape (s, s)
        0 or 1; all 1 where no lung was found.
    """
    found = (lungs > 0.5).astype(np.uint8)
    if not found.any():
        return np.ones_like(lungs)
    rim = 2 * (lungs.shape[0] // 56) + 1
    # What was not taken for lung is mostly enclosed by it.
    closed = cv2.morphologyEx(found, cv2.MORPH_CLOSE, _disc(2 * rim + 1))
    return cv2.dilate(closed, _disc(rim)).astype(np.float32)


def _disc(side: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
