"""The typed config of one model: everything that decides its weights, in one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_covidseg.labels import SCHEMES
from napari_covidseg.nets import ARCHITECTURES
from napari_covidseg.study import CovidsegError

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class RecipeError(CovidsegError):
    """A recipe that cannot be followed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Strict):
    """What the network sees.

    Attributes
    ----------
    values : "ct" or "xray"
        Which window of ``inference.prepare`` maps values.
    frame : "body", "lungs" or "whole"
        Which part of the image is shown.
    size : int
        Side of the square in pixels.
    lungs : bool
        Whether a second channel shows the lungs that were found: a solid lesion at the
        chest wall is as bright as the wall, and only the lung's shape tells them apart.
    """

    values: Literal["ct", "xray"]
    frame: Literal["body", "lungs", "whole"]
    size: int = Field(ge=32, le=1024, multiple_of=32)
    lungs: bool = False

    @model_validator(mode="after")
    def _lungs_are_looked_for(self) -> InputSpec:
        if self.lungs and self.frame != "lungs":
            raise ValueError('lungs = true needs frame = "lungs"')
        return self

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return 2 if self.lungs else 1


class NetworkSpec(_Strict):
    """Architecture by name, its config, and what it starts from.

    Attributes
    ----------
    architecture : str
    config : dict
    start_from : tuple of str
        Names of models, or ``"imagenet"``; each fills what fits it.
    """

    architecture: str
    config: dict[str, Any] = Field(default_factory=dict)
    start_from: tuple[str, ...] = ()

    @field_validator("start_from", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> NetworkSpec:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}")
        return self


class DataSpec(_Strict):
    """One data set.

    Attributes
    ----------
    set : str
        Name of a loader in ``training.sources``.
    share : float
        Part of the slices of a batch that come from it, relative to the other sets.
    """

    set: str
    share: Positive = 1.0


class AugmentSpec(_Strict):
    """How strongly a training picture is changed; 0 switches a change off.

    Attributes
    ----------
    rotate : float
        Largest rotation in degrees.
    zoom : float
        Largest relative change of size.
    shift : float
        Largest shift as a part of the side.
    turn : float
        How often the picture is turned by a multiple of 90 degrees.
    flip : float
        How often it is mirrored left to right (labels of sides are swapped).
    elastic : float
        Largest shift of an elastic deformation, as a part of the side.
    barrel : float
        Largest coefficient of a radial distortion (barrel and pincushion).
    window : float
        Largest shift of black and white level.
    gamma : float
        Largest natural logarithm of the gamma exponent.
    contrast : float
        Largest natural logarithm of the factor by which values are stretched round their mean.
    local_contrast : float
        How often contrast is evened out part by part (CLAHE), as film software does.
    noise, blur : float
        Largest standard deviation, of values and in pixels.
    jpeg : float
        How often the picture is stored as JPEG, at a quality of 15 to 90.
    lesions : float
        How often real lesions of other training items are put into healthy lung (CT).
    opacity : float
        How often soft opacities are painted into the picture (lungs must stay lungs).
    cut : float
        How often a picture is shown cut to its lungs, as published figures are.
    wear : float
        How often parts of the shown lungs are taken away, as where disease was missed.
    """

    rotate: float = Field(10.0, ge=0, le=180)
    zoom: float = Field(0.2, ge=0, lt=1)
    shift: float = Field(0.06, ge=0, lt=1)
    turn: Share = 0.0
    flip: Share = 0.0
    elastic: float = Field(0.0, ge=0, le=0.05)
    barrel: float = Field(0.0, ge=0, le=0.15)
    window: float = Field(0.1, ge=0, lt=0.5)
    gamma: float = Field(0.3, ge=0, lt=2)
    contrast: float = Field(0.0, ge=0, lt=2)
    local_contrast: Share = 0.0
    noise: float = Field(0.03, ge=0, lt=1)
    blur: float = Field(1.0, ge=0, le=8)
    jpeg: Share = 0.0
    lesions: Share = 0.0
    opacity: Share = 0.0
    cut: Share = 0.0
    wear: Share = 0.0


class TrainSpec(_Strict):
    """Loss and schedule. A step is one batch; an epoch is `epoch_steps` steps.

    `dice_weight`, `class_dice` and `picture_dice` are those of
    ``losses.PartialLabelLoss``.
    """

    steps: int = Field(gt=0)
    epoch_steps: int = Field(100, gt=0)
    batch: int = Field(8, gt=0)
    learning_rate: Positive = 1e-3
    warmup_steps: int = Field(50, ge=0)
    weight_decay: float = Field(1e-4, ge=0)
    ema: float = Field(0.99, ge=0, lt=1)
    dice_weight: float = Field(1.0, ge=0)
    class_dice: float = Field(0.5, ge=0)
    picture_dice: Share = 0.0
    seed: int = 0


class HeadSpec(_Strict):
    """Fit the last layer alone, see ``training.head``.

    Attributes
    ----------
    copies : int
        Changed copies of each picture beside the picture itself.
    strengths : tuple of float
        Inverse regularisations to choose from, by cross-validation on training patients.
    seed : int
    """

    copies: int = Field(1, ge=0)
    strengths: tuple[Positive, ...] = Field((1e-3, 1e-2, 1e-1), min_length=1)
    seed: int = 0


class Recipe(_Strict):
    """All that decides a model.

    Attributes
    ----------
    name, version, title, summary
        How it is called and what it does, in words for users.
    task : "segmentation" or "classification"
    role : "lungs", "infection" or "classification"
        Which box of the dock widget it answers.
    modality : "CT" or "XR"
    scheme : str or None
        Key of the label scheme, for a segmentation.
    finding : str or None
        What a high probability speaks for, for a classification.
    threshold : float
        Probability from which the model says yes; chosen on training cases.
    split : str
        Name of the file in ``training/splits`` that says which groups are validation.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    summary: str
    task: Literal["segmentation", "classification"]
    role: Literal["lungs", "infection", "classification"]
    modality: Literal["CT", "XR"]
    scheme: str | None = None
    finding: str | None = None
    split: str
    threshold: float = Field(0.5, gt=0, lt=1)
    input: InputSpec
    network: NetworkSpec
    data: tuple[DataSpec, ...] = Field(min_length=1)
    augment: AugmentSpec = Field(default_factory=lambda: AugmentSpec.model_validate({}))
    training: TrainSpec | None = None
    head: HeadSpec | None = None

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        if self.task == "segmentation" and self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}")
        if self.task == "classification" and not self.finding:
            raise ValueError("a classification needs `finding`")
        if (self.training is None) == (self.head is None):
            raise ValueError("a recipe needs either [training] or [head]")
        lungs_known = self.scheme == "lungs" or (self.scheme == "infection" and self.input.lungs)
        if self.augment.lesions and not (self.modality == "CT" and lungs_known):
            raise ValueError(
                "augment.lesions is for lungs on CT, and for infection with input.lungs = true"
            )
        if self.head and self.network.architecture != "feature_classifier":
            raise ValueError("[head] is for the architecture feature_classifier")
        return self

    @property
    def seed(self) -> int:
        """Where all chance of a training comes from."""
        chosen = self.training or self.head
        assert chosen is not None
        return chosen.seed

    @property
    def classes(self) -> int:
        """Classes of a segmentation, background included; 1 for a classification."""
        return 1 if self.scheme is None else len(SCHEMES[self.scheme].labels) + 1


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    RecipeError
        If the file is missing, not TOML, or holds a wrong, missing or unknown field;
        each is named.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"Recipe {path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"Recipe {path} is not valid TOML: {error}.") from error
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(p) for p in fault['loc']) or 'recipe'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise RecipeError(f"Recipe {path} does not fit: {faults}.") from error
