"""What the engine and its child say to each other: one JSON line a message, pixels beside it.

JSON rather than pickle: a line can be read by a person and cannot run code. Pixels
stay out of it, in shared memory. No file name, path, header or pseudonym crosses: a
model needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter

from napari_covidseg import segmentation
from napari_covidseg.labels import LabelScheme
from napari_covidseg.segmentation import (
    Classification,
    Explanation,
    ModelRef,
    Outcome,
    Progress,
)
from napari_covidseg.study import Modality, Note, Study, from_array


@dataclass(frozen=True)
class Pixels:
    """Where an array lies in shared memory.

    Attributes
    ----------
    block : str
        Name of the shared memory.
    shape : tuple of int
        Shape of the array, C order.
    dtype : str
        NumPy's own short name, e.g. ``"<i2"``.
    """

    block: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Image:
    """A study without its identity.

    Attributes
    ----------
    pixels : Pixels
        Display order.
    affine : tuple
        Display (z, y, x, 1) to RAS+ in mm, row by row.
    modality, is_hu, spacing_known, orientation_known
        As in `Study`.
    notes : tuple of (str, dict)
        Code and values of what the reader noticed.
    """

    pixels: Pixels
    affine: tuple[tuple[float, ...], ...]
    modality: Modality | None
    is_hu: bool
    spacing_known: bool
    orientation_known: bool
    notes: tuple[tuple[str, dict[str, float]], ...] = ()

    @classmethod
    def of(cls, study: Study, pixels: Pixels) -> Image:
        """Describe a study whose pixels were put into shared memory."""
        return cls(
            pixels=pixels,
            affine=tuple(map(tuple, study.affine.tolist())),
            modality=study.modality,
            is_hu=study.is_hu,
            spacing_known=study.spacing_known,
            orientation_known=study.orientation_known,
            notes=tuple((note.code, _numbers(note.values)) for note in study.notes),
        )

    def study(self, array: np.ndarray) -> Study:
        """Make a nameless study of the pixels."""
        study = from_array(
            array,
            affine=np.array(self.affine),
            modality=self.modality,
            is_hu=self.is_hu,
            notes=tuple(Note(code, values) for code, values in self.notes),
        )
        return study.replace(
            spacing_known=self.spacing_known, orientation_known=self.orientation_known
        )


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Keep the numbers of a note; words could name a patient."""
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, (int, float, np.number))
    }


# Requests ---------------------------------------------------------------------------


@dataclass(frozen=True)
class EngineSettings:
    """How runs are computed.

    Attributes
    ----------
    threads : int or None
        Threads of TensorFlow; None leaves it to TensorFlow.
    device : {"auto", "cpu", "gpu"}
        ``"auto"`` takes a GPU where TensorFlow sees one.
    model_dirs : tuple of Path
        Folders of models besides those that ship.
    """

    threads: int | None = None
    device: Literal["auto", "cpu", "gpu"] = "auto"
    model_dirs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Warm:
    """Import TensorFlow and load models."""

    models: tuple[str, ...]
    settings: EngineSettings
    kind: Literal["warm"] = "warm"


@dataclass(frozen=True)
class Run:
    """Run models on an image.

    Attributes
    ----------
    labels : Pixels
        Room for one mask a model: uint8, shape (model, *image shape).
    """

    image: Image
    models: tuple[str, ...]
    labels: Pixels
    settings: EngineSettings
    kind: Literal["run"] = "run"


@dataclass(frozen=True)
class Explain:
    """Show where a classifier saw what speaks for its finding.

    Attributes
    ----------
    map : Pixels
        Room for the map: the image's shape, the type of ``segmentation.map_dtype``.
    """

    image: Image
    model: str
    lungs: str | None
    method: str
    map: Pixels
    settings: EngineSettings
    kind: Literal["explain"] = "explain"


# Replies ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Progressed:
    """How far the work is."""

    progress: Progress
    kind: Literal["progressed"] = "progressed"


@dataclass(frozen=True)
class Warmed:
    """The models are loaded."""

    kind: Literal["warmed"] = "warmed"


@dataclass(frozen=True)
class Mask:
    """A `Segmentation`, its pixels being the next mask in `Run.labels`."""

    scheme: LabelScheme
    model: ModelRef
    threshold: float
    certainty: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finished:
    """A run is done; its masks lie in `Run.labels`, in this order."""

    masks: tuple[Mask, ...]
    classifications: tuple[Classification, ...]
    device: str
    kind: Literal["finished"] = "finished"

    def outcome(self, labels: np.ndarray) -> Outcome:
        """Put words and pixels together; the pixels are copied out of shared memory."""
        return Outcome(
            segmentations=tuple(
                segmentation.Segmentation(
                    labels=labels[i].copy(),
                    scheme=mask.scheme,
                    model=mask.model,
                    threshold=mask.threshold,
                    certainty=mask.certainty,
                    notes=mask.notes,
                )
                for i, mask in enumerate(self.masks)
            ),
            classifications=self.classifications,
            device=self.device,
        )


@dataclass(frozen=True)
class Explained:
    """An `Explanation`, its map lying in `Explain.map`."""

    model: ModelRef
    method: str
    mass_in_lungs: float
    lung_share: float
    slices: tuple[tuple[int, float], ...]
    kind: Literal["explained"] = "explained"

    def outcome(self, room: np.ndarray) -> Explanation:
        """Put words and pixels together; the pixels are copied out of shared memory."""
        return Explanation(
            self.model,
            self.method,
            room.copy(),
            self.mass_in_lungs,
            self.lung_share,
            self.slices,
        )


@dataclass(frozen=True)
class Failed:
    """The work ended with an error.

    Attributes
    ----------
    message : str
        For the user, one line.
    detail : str
        A traceback for the log; empty where the user can put it right.
    during : {"warm", "run", "explain"}
        Which request it answers.
    """

    message: str
    detail: str
    during: Literal["warm", "run", "explain"]
    kind: Literal["failed"] = "failed"


Requests = Warm | Run | Explain
Replies = Progressed | Warmed | Finished | Explained | Failed
Request = Annotated[Requests, Field(discriminator="kind")]
Reply = Annotated[Replies, Field(discriminator="kind")]
_config = ConfigDict(ser_json_inf_nan="constants")  # a certainty may be NaN
requests: TypeAdapter[Requests] = TypeAdapter(Request, config=_config)
replies: TypeAdapter[Replies] = TypeAdapter(Reply, config=_config)
