"""Loaders of the data sets that the shipped models learn from.

Each loader turns one folder of the data into `Item` values: slices, or films, in
display order with their mask and the group (patient, or volume where patients are not
named) by which they are split. Masks speak the language of ``training.losses``: a value
one above the last class says "foreground, class not told".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training.data_spec import DataSpec, SharedSet
from napari_covidseg.training.sources import classification, ct, own, xray
from napari_covidseg.training.sources.item import ANY, NOT_TOLD, Item

__all__ = ["ANY", "LOADERS", "NOT_TOLD", "Item", "load", "load_data"]

Loader = Callable[[Path], Iterator[Item]]

LOADERS: dict[str, Loader] = {
    loader.__name__: loader
    for loader in (
        ct.covid_volumes_lungs,
        ct.covid_slices_lungs,
        ct.kmader_lungs,
        ct.volumes_lungs,
        ct.slices_lungs,
        ct.semiseg_lungs,
        ct.covid_volumes_infection,
        ct.covid_slices_infection,
        ct.mosmed_infection,
        ct.semiseg_infection,
        ct.kmader_healthy,
        ct.volumes_healthy,
        classification.covid_classification,
        xray.shenzhen_lungs,
        xray.shenzhen_tb,
        xray.shenzhen_healthy,
        xray.covid_films_lungs,
        xray.films_lungs,
        xray.covid_films_opacity,
        xray.films_ground_glass,
    )
}


def load(name: str, data: Path) -> list[Item]:
    """Load one data set.

    Raises
    ------
    CovidsegError
        If the set is unknown or its folder is missing or empty.
    """
    if name not in LOADERS:
        raise CovidsegError(f"Unknown data set {name!r}; known are {', '.join(LOADERS)}.")
    try:
        items = list(LOADERS[name](data))
    except FileNotFoundError as error:
        raise CovidsegError(
            f"Data set {name!r} misses {error.filename}: check the data folder {data}."
        ) from error
    if not items:
        raise CovidsegError(f"Data set {name!r} has no image below {data}: check the folder.")
    return items


def load_data(spec: DataSpec, data: Path, scheme: str | None, modality: Modality) -> own.Loaded:
    """Load what one ``[[data]]`` table of a recipe names, shared or the user's own.

    Parameters
    ----------
    spec : DataSpec
        The table.
    data : Path
        Data folder.
    scheme : str or None
        Label scheme of the recipe; a user's own data need one.
    modality : Modality
        What the recipe is for.

    Raises
    ------
    CovidsegError
        As `load` and ``own.load_own``.
    """
    if isinstance(spec, SharedSet):
        return own.Loaded(tuple(load(spec.set, data)))
    assert scheme is not None
    return own.load_own(spec, data, SCHEMES[scheme], modality)
