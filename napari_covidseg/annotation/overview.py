"""What lies in a folder of training cases, told in a line for each dataset."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_covidseg.annotation.cases import load_cases
from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.annotation.layout import DESCRIPTION, Kind
from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import Modality

_MODALITIES = {"CT": Modality.CT, "CT picture": Modality.CT, "X-ray": Modality.XR}


@dataclass(frozen=True)
class Overview:
    """One dataset.

    Attributes
    ----------
    folder : Path
        Where it lies.
    labels : tuple of str
        Names of its labels, by value.
    cases : int
        Whole cases in it.
    scheme : str or None
        Key of the label scheme with these labels; None where there is none.
    modality : Modality or None
        What its images are; None where that was not known.
    """

    folder: Path
    labels: tuple[str, ...]
    cases: int
    scheme: str | None
    modality: Modality | None


def overview(folder: Path) -> tuple[Overview, ...]:
    """List the datasets of a folder, by name; or the folder itself, if it is a dataset.

    A dataset whose description is damaged is left out of a list.

    Raises
    ------
    CaseError
        If the folder is itself a dataset whose description is damaged.
    """
    folder = Path(folder)
    if (folder / DESCRIPTION).is_file():
        return (_look(folder),)
    found = []
    for path in sorted(folder.glob(f"*/{DESCRIPTION}")):
        with suppress(CaseError):
            found.append(_look(path.parent))
    return tuple(found)


def _look(dataset: Path) -> Overview:
    kind = Kind.read(dataset)
    assert kind is not None
    named = {value: name for name, value in kind.labels if value}
    scheme = next((key for key, known in SCHEMES.items() if known.names == named), None)
    return Overview(
        dataset,
        tuple(named[value] for value in sorted(named)),
        len(load_cases(dataset)),
        scheme,
        _MODALITIES.get(kind.channel),
    )
