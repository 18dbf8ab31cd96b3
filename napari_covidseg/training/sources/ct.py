"""Loaders of the CT sets: lungs and infection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from napari_covidseg.inference.frame import body_frame, lung_frame
from napari_covidseg.inference.window import ct_window
from napari_covidseg.training.sides import split_sides
from napari_covidseg.training.sources.item import (
    ANY,
    NOT_TOLD,
    Item,
    display,
    display_spacing,
    grey,
    mask,
    pictures,
    without_infection,
)


def ct_item(
    set_name: str,
    group: str,
    name: str,
    picture: np.ndarray,
    labels: np.ndarray | int,
    lungs: np.ndarray | None = None,
    is_hu: bool = False,
    infection: np.ndarray | None = None,
) -> Item:
    """Make the item of a slice that stands alone; window and frames are its own."""
    window = ct_window(picture, is_hu)
    return Item(
        set_name,
        group,
        name,
        picture,
        labels,
        window,
        body_frame(picture[np.newaxis], window),
        None if lungs is None else lung_frame(lungs[np.newaxis]),
        is_hu,
        None if lungs is None else int((lungs > 0).sum()),
        infection=infection,
    )


def _ct_volume(
    set_name: str,
    group: str,
    name: str,
    array: np.ndarray,
    labels: np.ndarray,
    lungs: np.ndarray,
    is_hu: bool,
    infection: np.ndarray | None = None,
    spacing: tuple[float, float, float] | None = None,
    second: np.ndarray | None = None,
) -> Iterator[Item]:
    window = ct_window(array, is_hu)
    body, frame = body_frame(array, window), lung_frame(lungs)
    for z in range(len(array)):
        yield Item(
            set_name,
            group,
            f"{name}_z{z:03d}",
            array[z],
            labels[z],
            window,
            body,
            frame,
            is_hu,
            int((lungs[z] > 0).sum()),
            name,
            infection=None if infection is None else infection[z],
            spacing=spacing,
            second=None if second is None else second[z],
        )


# ---------------------------------------------------------------- Lungs


def _volume_groups(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of the drawn COVID-19 volumes with their patient."""
    for path in sorted(folder.glob("*_ct8.nii.gz")):
        name = path.name.removesuffix("_ct8.nii.gz")
        yield name, "_".join(name.split("_")[:2])


def covid_volumes_lungs(data: Path) -> Iterator[Item]:
    """Whole COVID-19 volumes with lungs, disease inside."""
    folder = data / "ct_covid_volumes"
    for name, patient in _volume_groups(folder):
        lungs = display(folder / f"{name}_lungmask.nii.gz")
        drawn = display(folder / f"{name}_infection.nii.gz")
        array = display(folder / f"{name}_ct8.nii.gz")
        yield from _ct_volume(
            "covid_volumes_lungs", patient, name, array, split_sides(lungs), lungs, False, drawn
        )


def covid_slices_lungs(data: Path) -> Iterator[Item]:
    """Slices of COVID-19 volumes with lungs, disease inside."""
    folder = data / "ct_covid_slices"
    for path in pictures(folder / "images"):
        lungs = mask(folder / "lungs", path.stem) > 127
        drawn = np.where(mask(folder / "infection", path.stem) > 127, ANY, 0).astype(np.uint8)
        group = path.stem.rsplit("_z", 1)[0]
        yield ct_item(
            "covid_slices_lungs",
            group,
            path.stem,
            grey(path),
            split_sides(lungs),
            lungs,
            infection=drawn,
        )


def kmader_lungs(data: Path) -> Iterator[Item]:
    """Single mid-chest slices in HU with lungs."""
    for path in sorted((data / "ct_lungs_kmader").glob("*_ct.nii.gz")):
        name = path.name.removesuffix("_ct.nii.gz")
        array = display(path)[0]
        lungs = display(path.with_name(f"{name}_lungmask.nii.gz"))[0]
        yield ct_item("kmader_lungs", name, name, array, split_sides(lungs), lungs, True)


def volumes_lungs(data: Path) -> Iterator[Item]:
    """Whole chests in HU with lungs."""
    for path in sorted((data / "ct_lungs_volumes").glob("*_ct.nii.gz")):
        name = path.name.removesuffix("_ct.nii.gz")
        array = display(path)
        lungs = display(path.with_name(f"{name}_lungmask.nii.gz"))
        yield from _ct_volume(
            "volumes_lungs",
            name,
            name,
            array,
            split_sides(lungs),
            lungs,
            True,
            spacing=display_spacing(path),
        )


def slices_lungs(data: Path) -> Iterator[Item]:
    """Single slices as pictures of many windows, with lungs."""
    for folder in sorted((data / "ct_lungs_slices").iterdir()):
        for path in pictures(folder / "images"):
            drawn = mask(folder / "labels", path.stem)
            lungs = (drawn == 1) | (drawn == 255)
            # These are abdomen-to-neck slices of changing side order: sides not told.
            labels = np.where(lungs, ANY, 0).astype(np.uint8)
            name = f"{folder.name}_{path.stem}"
            yield ct_item("slices_lungs", name, name, grey(path), labels, lungs)


def semiseg_lungs(data: Path) -> Iterator[Item]:
    """Slices cut to the lungs, where disease is drawn and lungs are not.

    Drawn disease is lung, and so is a large dark piece that reaches no corner of the
    picture. What is bright and far from both is no lung; about the rest nothing is said.
    """
    for item in semiseg_infection(data):
        assert isinstance(item.labels, np.ndarray)
        window = item.window
        dark = item.picture < window.low + 0.5 * (window.high - window.low)
        count, pieces = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
        sizes = np.bincount(pieces.ravel(), minlength=count)
        corners = pieces[[0, 0, -1, -1], [0, -1, 0, -1]]
        airy = (sizes > 0.02 * pieces.size) & (np.arange(count) > 0)
        airy[corners] = False
        lung = (item.labels > 0) | airy[pieces]
        reach = max(3, min(lung.shape) // 16) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        near = cv2.morphologyEx(lung.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
        unclear = (near | dark) & ~lung
        labels = np.where(lung, ANY, np.where(unclear, NOT_TOLD, 0)).astype(np.uint8)
        yield replace(item, set="semiseg_lungs", labels=labels, lungs=None, infection=item.labels)


# ---------------------------------------------------------------- Infection


def covid_volumes_infection(data: Path) -> Iterator[Item]:
    """Whole COVID-19 volumes: 1 ground glass, 2 consolidation, 3 kind not told.

    Other radiologists drew on most of them too, on coarser pixels: the second reader.
    """
    folder = data / "ct_covid_volumes"
    for name, patient in _volume_groups(folder):
        lungs = display(folder / f"{name}_lungmask.nii.gz")
        drawn = display(folder / f"{name}_infection.nii.gz")
        array = display(folder / f"{name}_ct8.nii.gz")
        again = folder / f"{name}_reader2_infection128.nii.gz"
        yield from _ct_volume(
            "covid_volumes_infection",
            patient,
            name,
            array,
            drawn,
            lungs,
            False,
            second=display(again) if again.exists() else None,
        )


def covid_slices_infection(data: Path) -> Iterator[Item]:
    """Slices of COVID-19 volumes: infection, kind not told."""
    folder = data / "ct_covid_slices"
    for path in pictures(folder / "images"):
        lungs = mask(folder / "lungs", path.stem) > 127
        drawn = np.where(mask(folder / "infection", path.stem) > 127, ANY, 0).astype(np.uint8)
        group = path.stem.rsplit("_z", 1)[0]
        yield ct_item("covid_slices_infection", group, path.stem, grey(path), drawn, lungs)


def mosmed_infection(data: Path) -> Iterator[Item]:
    """Single slices of mild COVID-19: infection, kind not told."""
    folder = data / "ct_covid_mosmed"
    for path in pictures(folder / "images"):
        drawn = np.where(mask(folder / "infection", path.stem) > 127, ANY, 0).astype(np.uint8)
        yield ct_item("mosmed_infection", path.stem, path.stem, grey(path), drawn)


def semiseg_infection(data: Path) -> Iterator[Item]:
    """Slices cut to the lungs: 1 ground glass, 2 consolidation."""
    folder = data / "ct_infection"
    for path in pictures(folder / "images"):
        picture = grey(path)
        drawn = mask(folder / "labels", path.stem)
        whole = np.ones(picture.shape, bool)
        yield ct_item("semiseg_infection", path.stem, path.stem, picture, drawn, whole)


def kmader_healthy(data: Path) -> Iterator[Item]:
    """Slices in HU from before COVID-19: no infection."""
    for item in kmader_lungs(data):
        yield without_infection(item, "kmader_healthy")


def volumes_healthy(data: Path) -> Iterator[Item]:
    """Whole chests in HU from before COVID-19: no infection."""
    for item in volumes_lungs(data):
        yield without_infection(item, "volumes_healthy")
