"""Folders of made-up chest pictures with masks, and the recipe that reads them."""

from pathlib import Path

import numpy as np
from PIL import Image

HEAD = """
name = "own"
version = "0.0.1"
title = "Own"
summary = "Dark squares."
task = "segmentation"
role = "infection"
modality = "{modality}"
scheme = "{scheme}"
{more}
[input]
values = "{values}"
frame = "whole"
size = 32
[network]
architecture = "unet"
config = {{ base = 4, depth = 2, dropout = 0.0 }}
[training]
steps = 4
epoch_steps = 2
batch = 2
"""


def recipe(folder: Path, tables: str, *, scheme: str = "opacity", ct: bool = False, more: str = ""):
    """Write a recipe with these ``[[data]]`` tables."""
    path = folder / "recipe.toml"
    modality, values = ("CT", "ct") if ct else ("XR", "xray")
    path.write_text(
        HEAD.format(modality=modality, values=values, scheme=scheme, more=more) + tables
    )
    return path


def picture(seed: int, size: int = 64) -> np.ndarray:
    """A picture of smooth blobs, another for every seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 9)).astype(np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def square(size: int = 64, value: int = 255) -> np.ndarray:
    """A mask with one square."""
    mask = np.zeros((size, size), np.uint8)
    mask[10:20, 12:30] = value
    return mask


def save(array: np.ndarray, path: Path) -> None:
    """Write a picture, its folder with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def films(folder: Path, names: list[str]) -> Path:
    """Write pictures with masks of 0 and 255."""
    for k, name in enumerate(names):
        save(picture(k), folder / "images" / f"{name}.png")
        save(square(), folder / "masks" / f"{name}.png")
    return folder
