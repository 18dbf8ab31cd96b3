"""What a dataset folder holds: one kind of image and one label set, as nnU-Net v2 wants.

nnU-Net allows one file ending and one meaning of the labels per dataset. So 2D pictures
and volumes, CT and X-ray, lungs and infection each have a dataset of their own; a folder
of datasets (`dataset_for`) takes them all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.labels import SCHEMES, LabelScheme
from napari_covidseg.study import Modality, Study

IMAGES, LABELS, PREDICTIONS, CASES, HISTORY = (
    "imagesTr",
    "labelsTr",
    "predictions",
    "cases",
    "history",
)
DESCRIPTION = "dataset.json"

_NUMBERS = {
    ("CT", ".nii.gz"): 700,
    ("CT picture", ".nii.gz"): 710,
    ("CT picture", ".png"): 720,
    ("X-ray", ".png"): 730,
    ("X-ray", ".nii.gz"): 740,
    ("image", ".nii.gz"): 750,
    ("image", ".png"): 760,
}


@dataclass(frozen=True)
class Kind:
    """What all cases of one dataset share.

    Attributes
    ----------
    channel : str
        nnU-Net's channel name. ``"CT"`` means Hounsfield units to nnU-Net, so a CT that
        was saved as a picture is called otherwise.
    ending : str
        ``".nii.gz"``, or ``".png"`` for 2D images of 8 or 16 bit.
    labels : tuple of (str, int)
        Names and values, background first.
    """

    channel: str
    ending: str
    labels: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, study: Study, scheme: LabelScheme) -> Kind:
        """Tell the kind of an image with its label set."""
        if study.modality is Modality.CT:
            channel = "CT" if study.is_hu else "CT picture"
        else:
            channel = "X-ray" if study.modality is Modality.XR else "image"
        flat = study.ndim == 2 and study.array.dtype in (np.uint8, np.uint16)
        names = (("background", 0), *((name, value) for value, name in scheme.names.items()))
        return cls(channel, ".png" if flat else ".nii.gz", names)

    @classmethod
    def read(cls, dataset: Path) -> Kind | None:
        """Read the kind of a dataset folder; None where there is no dataset yet.

        Raises
        ------
        CaseError
            If its description is damaged or of several channels.
        """
        path = dataset / DESCRIPTION
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text())
            (channel,) = found["channel_names"].values()
            labels = tuple((str(name), int(value)) for name, value in found["labels"].items())
            return cls(str(channel), str(found["file_ending"]), labels)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CaseError(
                f"{DESCRIPTION} in {dataset.name} is damaged or not of one channel: "
                "choose another dataset folder."
            ) from error

    def describe(self, cases: int) -> dict[str, Any]:
        """Give the contents of nnU-Net's dataset.json."""
        return {
            "channel_names": {"0": self.channel},
            "labels": dict(self.labels),
            "numTraining": cases,
            "file_ending": self.ending,
        }

    def __str__(self) -> str:
        names = ", ".join(name for name, value in self.labels if value)
        return f"{names} on {self.channel} ({self.ending})"


def dataset_for(folder: Path, study: Study, scheme: LabelScheme) -> Path:
    """Give the dataset for an image in a folder of datasets.

    A folder that is a dataset itself, of whatever kind, is taken as it is.

    Returns
    -------
    Path
        E.g. ``folder/Dataset702_CT-infection``; made when the first case is saved.
    """
    if (folder / DESCRIPTION).is_file():
        return folder
    kind = Kind.of(study, scheme)
    known = list(SCHEMES)
    own = known.index(scheme.key) + 1 if scheme.key in known else 9
    number = _NUMBERS[kind.channel, kind.ending] + own
    name = f"{kind.channel}-{scheme.key}".replace(" ", "-")
    return folder / f"Dataset{number}_{name}"
