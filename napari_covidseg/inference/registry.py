"""The models at hand: those that ship and the user's own, in one list.

A model is a folder with ``model.json``, its weights and a card. Reading the list
touches neither weights nor TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_covidseg.inference.weights import checksum
from napari_covidseg.study import CovidsegError, Modality


class ModelError(CovidsegError):
    """A model that is missing, damaged or not fit for the image."""


class _File(BaseModel):
    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Input(BaseModel):
    values: Literal["ct", "xray"]
    frame: Literal["body", "lungs", "whole"]
    size: int = Field(ge=32, le=1024)
    lungs: bool = False

    @property
    def channels(self) -> int:
        return 2 if self.lungs else 1


class _Card(BaseModel):
    """Contents of ``model.json``."""

    model_config = ConfigDict(extra="allow")
    name: str
    version: str
    title: str
    summary: str
    task: Literal["segmentation", "classification"]
    role: Literal["lungs", "infection", "classification"]
    modality: Modality
    scheme: str | None
    finding: str | None = None
    threshold: float = Field(gt=0, lt=1)
    temperature: float = Field(1.0, gt=0)
    input: _Input
    architecture: str
    config: dict[str, Any]
    weights: _File


@dataclass(frozen=True)
class ModelInfo:
    """One model of the list.

    Attributes
    ----------
    spec : object
        Validated contents of ``model.json``.
    folder : Path
        Where it lies.
    """

    spec: _Card
    folder: Path

    @property
    def name(self) -> str:
        """Name by which it is asked for."""
        return self.spec.name

    @property
    def version(self) -> str:
        """Version, as three numbers."""
        return self.spec.version

    @property
    def title(self) -> str:
        """What it is called in the widget."""
        return self.spec.title

    @property
    def summary(self) -> str:
        """One sentence on what it does."""
        return self.spec.summary

    @property
    def task(self) -> str:
        """``"segmentation"`` or ``"classification"``."""
        return self.spec.task

    @property
    def role(self) -> str:
        """``"lungs"``, ``"infection"`` or ``"classification"``."""
        return self.spec.role

    @property
    def modality(self) -> Modality:
        """What kind of image it reads."""
        return self.spec.modality

    @property
    def scheme(self) -> str | None:
        """Key of its label scheme."""
        return self.spec.scheme

    @property
    def threshold(self) -> float:
        """Probability from which it says yes."""
        return self.spec.threshold

    @property
    def weights(self) -> Path:
        """File of its weights."""
        return self.folder / self.spec.weights.file

    @property
    def card(self) -> Path:
        """Text for people: use, limits, figures, terms."""
        return self.folder / "README.md"

    @cached_property
    def size_mb(self) -> float:
        """Size of the weights in MB; NaN where the file is missing."""
        try:
            return self.weights.stat().st_size / 1e6
        except OSError:
            return float("nan")


def shipped_folder() -> Path:
    """Folder of the models that come with the package."""
    return Path(str(resources.files("napari_covidseg"))) / "models"


def available(model_dirs: Iterable[Path] = ()) -> tuple[ModelInfo, ...]:
    """All readable models; a user's own goes before a shipped one of the same name.

    A folder whose ``model.json`` is damaged is left out here; `find` names the fault.
    """
    found: dict[str, ModelInfo] = {}
    for folder in (*model_dirs, shipped_folder()):
        for path in sorted(Path(folder).glob("*/model.json")):
            try:
                info = read_model(path.parent)
            except ModelError:
                continue
            found.setdefault(info.name, info)
    return tuple(
        sorted(found.values(), key=lambda m: (m.modality, m.task != "segmentation", m.name))
    )


def read_model(folder: Path) -> ModelInfo:
    """Read one model's description.

    Raises
    ------
    ModelError
        If ``model.json`` is missing or damaged.
    """
    path = Path(folder) / "model.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return ModelInfo(_Card.model_validate(values), Path(folder))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{path} is not a model description ({first}).") from error


def find(name: str, model_dirs: Iterable[Path] = ()) -> ModelInfo:
    """Look a model up by name.

    Raises
    ------
    ModelError
        If there is none of that name, or its description is damaged; known names are
        listed.
    """
    dirs = tuple(Path(d) for d in model_dirs)
    known = {info.name: info for info in available(dirs)}
    if name in known:
        return known[name]
    for folder in (*dirs, shipped_folder()):
        if (folder / name / "model.json").exists() and Path(name).name == name:
            read_model(folder / name)
    names = ", ".join(known) or "none"
    raise ModelError(f"There is no model named {name!r}; there are: {names}.")


def verify(info: ModelInfo) -> None:
    """Check a model's weights against the checksum in its description.

    Raises
    ------
    ModelError
        If the file is missing or is not the one described.
    """
    try:
        digest = checksum(info.weights)
    except OSError as error:
        raise ModelError(
            f"The weights of {info.name} cannot be read ({error.strerror}): install it again."
        ) from error
    if digest != info.spec.weights.sha256:
        raise ModelError(
            f"The weights of {info.name} {info.version} are not the ones its card describes "
            "(checksum differs): install the model again."
        )


def defaults(modality: Modality) -> dict[str, str]:
    """Role to the name of the model that answers it unless the user picks another."""
    if modality is Modality.CT:
        return {"lungs": "ct-lungs", "infection": "ct-infection", "classification": "ct-covid"}
    return {"lungs": "xray-lungs", "infection": "xray-ggo"}
