"""What a model's folder says of it: the contents of ``model.json``, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.labels import SCHEMES
from napari_covidseg.study import Modality

LARGEST = 4096
"""Largest number in an architecture's config: more would fill the memory before the weights
are seen not to fit."""

_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What may be part of a file's name."""


class WeightsFile(BaseModel):
    """Where the weights lie in the model's folder, and what they must be."""

    file: _Word
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class TrainingSet(BaseModel):
    """What a model learnt from, and the terms that its weights inherit."""

    name: str
    terms: str = ""


def _with_terms(value: Any) -> Any:
    """Read a name alone, as a training writes it and older descriptions hold it."""
    return {"name": value} if isinstance(value, str) else value


def _modest(config: dict[str, Any]) -> dict[str, Any]:
    if any(not abs(number) <= LARGEST for number in _numbers(config)):
        raise ValueError(f"no number may be above {LARGEST}")
    return config


def _numbers(value: Any) -> Iterable[float]:
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(inner)


class ModelSpec(BaseModel):
    """Contents of ``model.json``; `mirrored` is whether it learnt from mirrored pictures too."""

    model_config = ConfigDict(extra="allow")
    name: _Word
    version: _Word
    title: str
    summary: str
    task: Literal["segmentation", "classification"]
    role: Literal["lungs", "infection", "classification"]
    modality: Modality
    scheme: str | None
    finding: str | None = None
    threshold: float = Field(gt=0, lt=1)
    temperature: float = Field(1.0, gt=0)
    mirrored: bool = False
    input: InputSpec
    architecture: str
    config: Annotated[dict[str, Any], AfterValidator(_modest)]
    weights: WeightsFile
    training_data: tuple[Annotated[TrainingSet, BeforeValidator(_with_terms)], ...] = ()
    default: bool = True

    @model_validator(mode="after")
    def _whole(self) -> ModelSpec:
        segments = self.task == "segmentation"
        if segments != (self.role != "classification"):
            raise ValueError(f"a {self.task} cannot have the role {self.role}")
        if self.scheme not in SCHEMES and (segments or self.scheme is not None):
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}")
        return self
