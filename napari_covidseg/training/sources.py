"""Loaders of the data sets that the shipped models learn from.

Each loader turns one folder of the data into `Item` values: slices, or films, in
display order with their mask and the group (patient, or volume where patients are not
named) by which they are split. Masks speak the language of ``training.losses``: a value
one above the last class says "foreground, class not told".
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np

from napari_covidseg.inference.prepare import (
    Frame,
    Window,
    body_frame,
    ct_window,
    lung_frame,
    whole_frame,
    xray_window,
)
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.sides import split_sides

ANY = 3
"""Value of "lung, side not told" and "infection, kind not told" in two-class schemes."""


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
        As ``inference.prepare`` finds them (for a volume: over the whole volume).
    lungs : Frame or None
        Square round the drawn lungs, where lungs are drawn.
    is_hu : bool
        Whether the pixels are Hounsfield units.
    lung_pixels : int or None
        Drawn lung on this slice, where lungs are drawn.
    volume : str or None
        Name of the volume that the slice is a part of, if all of it is here.
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


Loader = Callable[[Path], Iterator[Item]]


def load(name: str, data: Path) -> list[Item]:
    """Load one data set.

    Raises
    ------
    CovidsegError
        If the set is unknown or its folder is missing or empty.
    """
    if name not in LOADERS:
        raise CovidsegError(f"Unknown data set {name!r}; known are {', '.join(LOADERS)}.")
    items = list(LOADERS[name](data))
    if not items:
        raise CovidsegError(f"Data set {name!r} has no image below {data}: check --data.")
    return items


# ---------------------------------------------------------------- Reading


def _grey(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise CovidsegError(f"{path} cannot be read as a picture.")
    return picture


def _mask(folder: Path, stem: str) -> np.ndarray:
    return _grey(next(folder.glob(f"{stem}.*")))


def _display(path: Path) -> np.ndarray:
    """NIfTI of the data sets (axes along the patient's) as (z, y, x) in display order."""
    image = nib.load(path)
    wanted = nib.orientations.axcodes2ornt(("L", "P", "S"))
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted)
    )
    return np.asarray(turned.dataobj).T


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".jpg", ".jpeg"})


def _ct_item(
    set_name: str,
    group: str,
    name: str,
    picture: np.ndarray,
    labels: np.ndarray | int,
    lungs: np.ndarray | None = None,
    is_hu: bool = False,
) -> Item:
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
    )


def _ct_volume(
    set_name: str,
    group: str,
    name: str,
    array: np.ndarray,
    labels: np.ndarray,
    lungs: np.ndarray,
    is_hu: bool,
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
        )


# ---------------------------------------------------------------- CT lungs


def _volume_groups(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of the drawn COVID-19 volumes with their patient."""
    for path in sorted(folder.glob("*_ct8.nii.gz")):
        name = path.name.removesuffix("_ct8.nii.gz")
        yield name, "_".join(name.split("_")[:2])


def covid_volumes_lungs(data: Path) -> Iterator[Item]:
    """Whole COVID-19 volumes with lungs, disease inside."""
    folder = data / "ct_covid_volumes"
    for name, patient in _volume_groups(folder):
        lungs = _display(folder / f"{name}_lungmask.nii.gz")
        array = _display(folder / f"{name}_ct8.nii.gz")
        yield from _ct_volume(
            "covid_volumes_lungs", patient, name, array, split_sides(lungs), lungs, False
        )


def covid_slices_lungs(data: Path) -> Iterator[Item]:
    """Slices of COVID-19 volumes with lungs, disease inside."""
    folder = data / "ct_covid_slices"
    for path in _pictures(folder / "images"):
        lungs = _mask(folder / "lungs", path.stem) > 127
        group = path.stem.rsplit("_z", 1)[0]
        yield _ct_item(
            "covid_slices_lungs", group, path.stem, _grey(path), split_sides(lungs), lungs
        )


def kmader_lungs(data: Path) -> Iterator[Item]:
    """Single mid-chest slices in HU with lungs."""
    for path in sorted((data / "ct_lungs_kmader").glob("*_ct.nii.gz")):
        name = path.name.removesuffix("_ct.nii.gz")
        array = _display(path)[0]
        lungs = _display(path.with_name(f"{name}_lungmask.nii.gz"))[0]
        yield _ct_item("kmader_lungs", name, name, array, split_sides(lungs), lungs, True)


def volumes_lungs(data: Path) -> Iterator[Item]:
    """Whole chests in HU with lungs."""
    for path in sorted((data / "ct_lungs_volumes").glob("*_ct.nii.gz")):
        name = path.name.removesuffix("_ct.nii.gz")
        array = _display(path)
        lungs = _display(path.with_name(f"{name}_lungmask.nii.gz"))
        yield from _ct_volume("volumes_lungs", name, name, array, split_sides(lungs), lungs, True)


def slices_lungs(data: Path) -> Iterator[Item]:
    """Single slices as pictures of many windows, with lungs."""
    for folder in sorted((data / "ct_lungs_slices").iterdir()):
        for path in _pictures(folder / "images"):
            drawn = _mask(folder / "labels", path.stem)
            lungs = (drawn == 1) | (drawn == 255)
            # These are abdomen-to-neck slices of changing side order: sides not told.
            labels = np.where(lungs, ANY, 0).astype(np.uint8)
            name = f"{folder.name}_{path.stem}"
            yield _ct_item("slices_lungs", name, name, _grey(path), labels, lungs)


# ---------------------------------------------------------------- CT infection


def covid_volumes_infection(data: Path) -> Iterator[Item]:
    """Whole COVID-19 volumes: 1 ground glass, 2 consolidation, 3 kind not told."""
    folder = data / "ct_covid_volumes"
    for name, patient in _volume_groups(folder):
        lungs = _display(folder / f"{name}_lungmask.nii.gz")
        drawn = _display(folder / f"{name}_infection.nii.gz")
        array = _display(folder / f"{name}_ct8.nii.gz")
        yield from _ct_volume("covid_volumes_infection", patient, name, array, drawn, lungs, False)


def covid_slices_infection(data: Path) -> Iterator[Item]:
    """Slices of COVID-19 volumes: infection, kind not told."""
    folder = data / "ct_covid_slices"
    for path in _pictures(folder / "images"):
        lungs = _mask(folder / "lungs", path.stem) > 127
        drawn = np.where(_mask(folder / "infection", path.stem) > 127, ANY, 0).astype(np.uint8)
        group = path.stem.rsplit("_z", 1)[0]
        yield _ct_item("covid_slices_infection", group, path.stem, _grey(path), drawn, lungs)


def mosmed_infection(data: Path) -> Iterator[Item]:
    """Single slices of mild COVID-19: infection, kind not told."""
    folder = data / "ct_covid_mosmed"
    for path in _pictures(folder / "images"):
        drawn = np.where(_mask(folder / "infection", path.stem) > 127, ANY, 0).astype(np.uint8)
        yield _ct_item("mosmed_infection", path.stem, path.stem, _grey(path), drawn)


def semiseg_infection(data: Path) -> Iterator[Item]:
    """Slices cut to the lungs: 1 ground glass, 2 consolidation."""
    folder = data / "ct_infection"
    for path in _pictures(folder / "images"):
        picture = _grey(path)
        drawn = _mask(folder / "labels", path.stem)
        whole = np.ones(picture.shape, bool)
        yield _ct_item("semiseg_infection", path.stem, path.stem, picture, drawn, whole)


def kmader_healthy(data: Path) -> Iterator[Item]:
    """Slices in HU from before COVID-19: no infection."""
    for item in kmader_lungs(data):
        yield _without_infection(item, "kmader_healthy")


def volumes_healthy(data: Path) -> Iterator[Item]:
    """Whole chests in HU from before COVID-19: no infection."""
    for item in volumes_lungs(data):
        yield _without_infection(item, "volumes_healthy")


def _without_infection(item: Item, set_name: str) -> Item:
    return replace(item, set=set_name, labels=np.zeros(item.picture.shape, np.uint8))


# ---------------------------------------------------------------- CT classification


def covid_classification(data: Path) -> Iterator[Item]:
    """Slices of three sources: 1 COVID-19, 0 not. The group begins with the source."""
    folder = data / "ct_classification"
    for source in ("sarscov2_ctscan_soares", "covid_ct_ucsd", "mosmed_midslice"):
        for value, name in ((1, "COVID"), (0, "NonCOVID")):
            paths = _pictures(folder / source / name)
            for path, group in zip(paths, _patients(folder / source, name, paths), strict=True):
                yield _ct_item(
                    "covid_classification",
                    f"{source}/{group}",
                    f"{source}/{name}/{path.name}",
                    _grey(path),
                    value,
                )


def _patients(folder: Path, name: str, paths: list[Path]) -> list[str]:
    """Patient of each picture, as far as the source tells."""
    if folder.name == "covid_ct_ucsd" and name == "NonCOVID":
        with (folder / "NonCOVID-CT-MetaInfo.csv").open(encoding="utf-8") as file:
            known = {row["image name"]: row["patient id"] for row in csv.DictReader(file)}
        return [known.get(path.name, f"N-{path.stem}") for path in paths]
    if folder.name == "covid_ct_ucsd":
        # The figure's paper stands before "-p<page>-<figure>".
        return [f"C-{path.stem.rsplit('-p', 1)[0]}" for path in paths]
    if folder.name == "sarscov2_ctscan_soares":
        return [f"{name}-{k}" for k in _near_duplicates(paths)]
    return [f"{name}-{path.stem}" for path in paths]


def _near_duplicates(paths: list[Path], limit: float = 0.9) -> list[int]:
    """Find the cluster of look-alikes that each picture belongs to.

    Neighbouring slices of one patient look alike; where patients are not named, pictures
    whose 32 x 32 copies correlate above `limit` are held together.
    """
    small = np.stack(
        [cv2.resize(_grey(p), (32, 32), interpolation=cv2.INTER_AREA).ravel() for p in paths]
    ).astype(np.float32)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    alike = small @ small.T > limit
    cluster = np.arange(len(paths))
    for i in range(len(paths)):
        members = np.unique(cluster[np.flatnonzero(alike[i])])
        cluster[np.isin(cluster, members)] = members[0]
    return [int(c) for c in cluster]


# ---------------------------------------------------------------- X-ray


def _xray_item(
    set_name: str, group: str, name: str, picture: np.ndarray, labels: np.ndarray
) -> Item:
    return Item(
        set_name, group, name, picture, labels, xray_window(picture), whole_frame(picture.shape)
    )


def shenzhen_lungs(data: Path) -> Iterator[Item]:
    """PA films with lungs (the heart left out); sides from the two pieces."""
    folder = data / "xray_shenzhen"
    for path in _pictures(folder / "images"):
        lungs = _mask(folder / "lung_masks", path.stem) > 127
        yield _xray_item("shenzhen_lungs", path.stem, path.stem, _grey(path), split_sides(lungs))


def covid_films_lungs(data: Path) -> Iterator[Item]:
    """Films of COVID-19 with lungs (the part behind the heart included)."""
    folder = data / "xray_lungs_covid"
    patients = _column(folder / "films.csv", "name", "patientid")
    for path in _pictures(folder / "images"):
        drawn = _mask(folder / "lungs", path.stem)
        patient = f"ieee8023-{patients[path.stem]}"
        yield _xray_item("covid_films_lungs", patient, path.stem, _grey(path), drawn)


def covid_films_opacity(data: Path) -> Iterator[Item]:
    """Films of COVID-19 with any opacity, smooth and generous; patients not named."""
    folder = data / "xray_infection_covid"
    for path in _pictures(folder / "images"):
        drawn = (_mask(folder / "infection", path.stem) > 127).astype(np.uint8)
        yield _xray_item("covid_films_opacity", path.stem, path.stem, _grey(path), drawn)


def films_ground_glass(data: Path) -> Iterator[Item]:
    """Films with ground glass drawn by radiologists; no file means none drawn."""
    folder = data / "xray_ggo"
    patients = _column(folder / "films.csv", "image", "patientid")
    for path in _pictures(folder / "images"):
        drawn = folder / "masks" / f"{path.stem}__ground_glass_opacities.png"
        picture = _grey(path)
        labels = np.zeros(picture.shape, np.uint8)
        if drawn.exists():
            labels[_grey(drawn) > 127] = 1
        patient = f"ieee8023-{patients[path.name]}"
        yield _xray_item("films_ground_glass", patient, path.stem, picture, labels)


def _column(path: Path, key: str, value: str) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


LOADERS: dict[str, Loader] = {
    loader.__name__: loader
    for loader in (
        covid_volumes_lungs,
        covid_slices_lungs,
        kmader_lungs,
        volumes_lungs,
        slices_lungs,
        covid_volumes_infection,
        covid_slices_infection,
        mosmed_infection,
        semiseg_infection,
        kmader_healthy,
        volumes_healthy,
        covid_classification,
        shenzhen_lungs,
        covid_films_lungs,
        covid_films_opacity,
        films_ground_glass,
    )
}
