"""Loader of the CT slices that are told apart as a whole."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.sources.ct import ct_item
from napari_covidseg.training.sources.item import Item, grey, pictures

FIGURE = re.compile(r"(-p\d.*|(_\d+)?(%\d+)?)$")
"""What follows the paper in the name of a figure: page and figure, or figure, and its part."""


def covid_classification(data: Path) -> Iterator[Item]:
    """Slices of three sources: 1 COVID-19, 0 not. The group begins with the source."""
    folder = data / "ct_classification"
    for source in ("sarscov2_ctscan_soares", "covid_ct_ucsd", "mosmed_midslice"):
        for value, name in ((1, "COVID"), (0, "NonCOVID")):
            paths = pictures(folder / source / name)
            for path, group in zip(paths, _patients(folder / source, name, paths), strict=True):
                yield ct_item(
                    "covid_classification",
                    f"{source}/{group}",
                    f"{source}/{name}/{path.name}",
                    grey(path),
                    value,
                )


def _patients(folder: Path, name: str, paths: list[Path]) -> list[str]:
    """Patient of each picture, as far as the source tells."""
    if folder.name == "covid_ct_ucsd" and name == "NonCOVID":
        with (folder / "NonCOVID-CT-MetaInfo.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        # By the stem: pictures were saved anew, and their endings are no longer the table's.
        known = {Path(row["image name"]).stem: row["patient id"] for row in rows}
        unknown = [path.name for path in paths if path.stem not in known]
        if unknown:
            raise CovidsegError(
                f"{unknown[0]} is not in NonCOVID-CT-MetaInfo.csv, so its patient is not known: "
                "take the picture away, or complete the table."
            )
        return [known[path.stem] for path in paths]
    if folder.name == "covid_ct_ucsd":
        return [f"C-{FIGURE.sub('', path.stem)}" for path in paths]
    if folder.name == "sarscov2_ctscan_soares":
        return [f"{name}-{k}" for k in _near_duplicates(paths)]
    return [f"{name}-{path.stem}" for path in paths]


def _near_duplicates(paths: list[Path], limit: float = 0.9) -> list[int]:
    """Find the cluster of look-alikes that each picture belongs to.

    Neighbouring slices of one patient look alike; where patients are not named, pictures
    whose 32 x 32 copies correlate above `limit` are held together.
    """
    small = np.stack(
        [cv2.resize(grey(p), (32, 32), interpolation=cv2.INTER_AREA).ravel() for p in paths]
    ).astype(np.float32)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    alike = small @ small.T > limit
    cluster = np.arange(len(paths))
    for i in range(len(paths)):
        members = np.unique(cluster[np.flatnonzero(alike[i])])
        cluster[np.isin(cluster, members)] = members[0]
    return [int(c) for c in cluster]
