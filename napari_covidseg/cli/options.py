"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_covidseg.study import Modality

Images = Annotated[
    list[Path],
    typer.Argument(
        metavar="IMAGE",
        help="NIfTI, DICOM (file or folder), PNG, JPEG or TIFF.",
        show_default=False,
    ),
]
Series = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Which series of a DICOM folder; see 'covidseg doctor'."),
]
Volume = Annotated[
    int | None, typer.Option(min=0, help="Which volume of a 4D image, counted from 0.")
]
ModalityOption = Annotated[
    Modality | None,
    typer.Option(case_sensitive=False, help="What the image is, where the file does not say."),
]
Classifier = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model; by default ct-covid for a CT and xray-tb for an X-ray.",
        show_default=False,
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all cores.")]


def _with_models(folders: list[Path] | None) -> list[Path] | None:
    """Refuse a folder without models before any work: the ones that ship would answer instead."""
    if folders:
        from napari_covidseg.inference.registry import check_folders

        check_folders(folders)
    return folders


ModelDirs = Annotated[
    list[Path] | None,
    typer.Option(
        "--model-dir",
        metavar="FOLDER",
        help="Folder with more models, or of one (repeat for several).",
        callback=_with_models,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


class Device(StrEnum):
    """Where models run."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


DeviceOption = Annotated[
    Device,
    typer.Option(case_sensitive=False, help="Where to run; auto takes a GPU if there is one."),
]


@dataclass(frozen=True)
class Reading:
    """How files are to be read.

    Attributes
    ----------
    series : str or None
        Key of a DICOM series.
    volume : int or None
        Volume of a 4D image.
    modality : Modality or None
        What the user says the image is.
    """

    series: str | None = None
    volume: int | None = None
    modality: Modality | None = None
