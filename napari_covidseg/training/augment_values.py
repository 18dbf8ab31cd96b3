"""Change the grey values of a training picture as scanners, films and files do."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from napari_covidseg.training.augment_spec import AugmentSpec

WORST_JPEG, BEST_JPEG = 15, 90
"""Qualities between which a picture is stored as JPEG."""


def change_values(picture: np.ndarray, spec: AugmentSpec, rng: np.random.Generator) -> np.ndarray:
    """Draw other grey values for a picture.

    Parameters
    ----------
    picture : ndarray of float32, shape (y, x)
        Windowed values; may reach beyond 0..1.
    spec : AugmentSpec
        How strongly.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float32, shape (y, x)
        0 to 1.
    """
    low = rng.uniform(-spec.window, spec.window)
    high = 1.0 + rng.uniform(-spec.window, spec.window)
    out: np.ndarray = np.clip((picture - low) / (high - low), 0.0, 1.0)
    if spec.contrast:
        out = stretch(out, float(np.exp(rng.uniform(-spec.contrast, spec.contrast))))
    if spec.local_contrast and rng.random() < spec.local_contrast:
        out = equalise(out, float(rng.uniform(1.0, 4.0)), int(rng.integers(2, 9)))
    if spec.gamma:
        out = out ** np.float32(np.exp(rng.uniform(-spec.gamma, spec.gamma)))
    if spec.blur and rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, max(0.31, spec.blur)))
    if spec.noise and rng.random() < 0.5:
        noise = rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, spec.noise))
        if rng.random() < 0.5:
            # Noise of a reconstruction is grainy, not white.
            noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 2.0
        out = np.clip(out + noise, 0.0, 1.0)
    if spec.jpeg and rng.random() < spec.jpeg:
        # Last: a file is stored after all else has happened to the picture.
        out = through_jpeg(out, int(rng.integers(WORST_JPEG, BEST_JPEG + 1)))
    return np.ascontiguousarray(out, np.float32)


def stretch(picture: np.ndarray, factor: float) -> np.ndarray:
    """Stretch (or squeeze, for a factor below 1) values 0..1 round their mean, in a line."""
    mean = picture.mean()
    stretched: np.ndarray = np.clip(mean + np.float32(factor) * (picture - mean), 0.0, 1.0)
    return stretched


def equalise(picture: np.ndarray, limit: float, tiles: int) -> np.ndarray:
    """Even out the histogram of each part of a picture (values 0..1).

    Parameters
    ----------
    picture : ndarray of float32, shape (y, x)
        0 to 1.
    limit : float
        How far contrast may grow; 1 leaves almost all as it is.
    tiles : int
        Parts along each side.

    References
    ----------
    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    return _from_bytes(cv2.createCLAHE(limit, (tiles, tiles)).apply(_to_bytes(picture)))


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Give the picture (values 0..1) as it comes back from a JPEG file of that quality."""
    _, stored = cv2.imencode(".jpg", _to_bytes(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])
    shown: Any = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
    return _from_bytes(shown)


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


def _from_bytes(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / np.float32(255)
