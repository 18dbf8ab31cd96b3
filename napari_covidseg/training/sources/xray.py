"""Loaders of the X-ray sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import xray_window
from napari_covidseg.training.sides import split_sides
from napari_covidseg.training.sources.item import (
    Item,
    column,
    grey,
    mask,
    pictures,
    without_infection,
)


def _xray_item(
    set_name: str, group: str, name: str, picture: np.ndarray, labels: np.ndarray | int
) -> Item:
    return Item(
        set_name, group, name, picture, labels, xray_window(picture), whole_frame(picture.shape)
    )


def shenzhen_lungs(data: Path) -> Iterator[Item]:
    """PA films with lungs (the heart left out); sides from the two pieces."""
    folder = data / "xray_shenzhen"
    for path in pictures(folder / "images"):
        lungs = mask(folder / "lung_masks", path.stem) > 127
        yield _xray_item("shenzhen_lungs", path.stem, path.stem, grey(path), split_sides(lungs))


def shenzhen_tb(data: Path) -> Iterator[Item]:
    """PA films told apart as a whole: 1 tuberculosis, 0 normal, as the file's name says."""
    for path in pictures(data / "xray_shenzhen" / "images"):
        yield _xray_item("shenzhen_tb", path.stem, path.stem, grey(path), int(path.stem[-1]))


def shenzhen_healthy(data: Path) -> Iterator[Item]:
    """PA films that are normal, as the file's name says: no opacity."""
    for item in shenzhen_lungs(data):
        if item.name.endswith("_0"):
            drawn = int(np.count_nonzero(item.labels))
            yield replace(without_infection(item, "shenzhen_healthy"), lung_pixels=drawn)


def covid_films_lungs(data: Path) -> Iterator[Item]:
    """Films of COVID-19 with lungs (the part behind the heart included)."""
    folder = data / "xray_lungs_covid"
    patients = column(folder / "films.csv", "name", "patientid")
    for path in pictures(folder / "images"):
        drawn = mask(folder / "lungs", path.stem)
        patient = f"ieee8023-{patients[path.stem]}"
        yield _xray_item("covid_films_lungs", patient, path.stem, grey(path), drawn)


def films_lungs(data: Path) -> Iterator[Item]:
    """Films with both lungs drawn, by other readers than those of `covid_films_lungs`.

    Where one lung has no file (two films) it was forgotten: both lungs are there to see.
    """
    folder = data / "xray_ggo"
    for path, patient in _films(folder):
        picture = grey(path)
        labels = np.zeros(picture.shape, np.uint8)
        for value, side in enumerate(("right_lung", "left_lung"), start=1):
            drawn = folder / "masks" / f"{path.stem}__{side}.png"
            if drawn.exists():
                labels[grey(drawn) > 127] = value
        if {1, 2} <= set(np.unique(labels)):
            yield _xray_item("films_lungs", patient, path.stem, picture, labels)


def covid_films_opacity(data: Path) -> Iterator[Item]:
    """Films of COVID-19 with any opacity, smooth and generous; patients not named."""
    folder = data / "xray_infection_covid"
    for path in pictures(folder / "images"):
        drawn = (mask(folder / "infection", path.stem) > 127).astype(np.uint8)
        yield _xray_item("covid_films_opacity", path.stem, path.stem, grey(path), drawn)


def films_ground_glass(data: Path) -> Iterator[Item]:
    """Films with ground glass drawn by radiologists; no file means none drawn."""
    folder = data / "xray_ggo"
    for path, patient in _films(folder):
        drawn = folder / "masks" / f"{path.stem}__ground_glass_opacities.png"
        picture = grey(path)
        labels = np.zeros(picture.shape, np.uint8)
        if drawn.exists():
            labels[grey(drawn) > 127] = 1
        yield _xray_item("films_ground_glass", patient, path.stem, picture, labels)


def _films(folder: Path) -> Iterator[tuple[Path, str]]:
    """Films of ``xray_ggo`` with their patients."""
    patients = column(folder / "films.csv", "image", "patientid")
    for path in pictures(folder / "images"):
        yield path, f"ieee8023-{patients[path.name]}"
