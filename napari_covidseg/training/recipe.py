"""The typed config of one model: everything that decides its weights, in one TOML file."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from napari_covidseg import nets
from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.labels import SCHEMES, LabelScheme
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import loss_spec
from napari_covidseg.training import metrics as figures
from napari_covidseg.training.adversary_spec import AdversarySpec
from napari_covidseg.training.augment_spec import AugmentSpec
from napari_covidseg.training.data_spec import DataSpec, OwnData, SharedSet
from napari_covidseg.training.loss_spec import LossSpec
from napari_covidseg.training.train_spec import TrainSpec

Positive = Annotated[float, Field(gt=0)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]

MOBILENETS = (
    "mobilenet_unet",
    "mobilenet_classifier",
    "feature_classifier",
    "burden_classifier",
)
"""Architectures that ImageNet's weights in the data folder fit."""

HEADED = ("feature_classifier", "burden_classifier")
"""Architectures with a last layer that ``training.head`` can fit."""


class RecipeError(CovidsegError):
    """A recipe that cannot be followed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkSpec(_Strict):
    """Architecture by name, its config, and what it starts from.

    Attributes
    ----------
    architecture : str
    config : dict
    start_from : tuple of str
        Names of models, ``"imagenet"`` or ``"keras-imagenet"``; each fills what fits it.
    freeze : bool
        Whether an `applications_classifier` keeps its backbone as it starts. From
        ``"imagenet"`` it has to.
    """

    architecture: str
    config: dict[str, Any] = Field(default_factory=dict)
    start_from: tuple[str, ...] = ()
    freeze: bool = False

    @field_validator("start_from", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> NetworkSpec:
        if self.architecture not in nets.ARCHITECTURES:
            raise ValueError(f"architecture must be one of {', '.join(nets.ARCHITECTURES)}")
        if self.architecture != "applications_classifier" and (
            self.freeze or "keras-imagenet" in self.start_from
        ):
            raise ValueError(
                "freeze and keras-imagenet are for the architecture applications_classifier"
            )
        if self.architecture != "ensemble":  # whose config is that of its members
            nets.checked(self.architecture, self.config)
        begins = self.architecture in MOBILENETS or self.config.get("backbone") == "MobileNetV2"
        if "imagenet" in self.start_from and not begins:
            raise ValueError(
                'start_from = "imagenet" is for networks that begin with MobileNetV2: '
                f"{', '.join(MOBILENETS)}, and applications_classifier with that backbone"
            )
        learns = self.architecture == "applications_classifier" and not self.freeze
        if "imagenet" in self.start_from and learns:
            # Its norms only add a bias: by the statistics of a batch they would do much else.
            raise ValueError(
                'start_from = "imagenet" is without the statistics that an '
                "applications_classifier needs to learn: set freeze = true, or "
                'start_from = "keras-imagenet", which keeps them'
            )
        return self

    @property
    def stride(self) -> int:
        """Height and width of the network's input must be multiples of this."""
        if self.architecture == "ensemble":
            return 1
        return int(nets.checked(self.architecture, self.config).stride)


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


class EnsembleSpec(_Strict):
    """Add up the logits of the classifiers in ``network.start_from``, see ``training.ensemble``.

    Attributes
    ----------
    shares : tuple of float
        How much the logit of each counts, in their order; only their ratios matter.
    seed : int
        That of the members: the same patients are kept apart for calibration.
    """

    shares: tuple[Positive, ...] = Field(min_length=2)
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
    split : str or None
        Which groups are validation: name of a file in ``training/splits``, or path of a
        JSON file (data set to list of groups), relative to the recipe. A user's data that
        it does not name, and all data without it, are divided from the seed.
    validation : float
        Part of the groups that such a division holds out.
    calibration : float
        Part of the training groups of a classification that its network does not learn from:
        the temperature is fitted on them (see ``calibrate``). 0 for none: then it is 1, or
        that of the head's cross-validation.
    allow_duplicates : bool
        Whether nearly the same picture may be on both sides of the split; they are counted.
    metrics : tuple of "iou", "sensitivity", "precision" or "auc"
        Columns of ``history.csv`` beside Dice, of foreground as a whole, for a segmentation.
    colours : dict of str to str
        Label to ``#rrggbb`` in the pictures of a training, where it is not to be the scheme's.
    loss : LossSpec or None
        What `training` makes small. Without it cross-entropy and Dice; for a classification
        binary cross-entropy.
    adversary : AdversarySpec or None
        A critic that `training` learns against, for a segmentation.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    title: str
    summary: str
    task: Literal["segmentation", "classification"]
    role: Literal["lungs", "infection", "classification"]
    modality: Literal["CT", "XR"]
    scheme: str | None = None
    finding: str | None = None
    split: str | None = None
    validation: float = Field(0.2, gt=0, lt=1)
    calibration: float = Field(0.0, ge=0, le=0.5)
    allow_duplicates: bool = False
    threshold: float = Field(0.5, gt=0, lt=1)
    input: InputSpec
    network: NetworkSpec
    data: tuple[DataSpec, ...] = Field(min_length=1)
    augment: AugmentSpec = Field(default_factory=lambda: AugmentSpec.model_validate({}))
    metrics: tuple[figures.More, ...] = ()
    colours: dict[str, Colour] = Field(default_factory=dict)
    loss: LossSpec | None = None
    training: TrainSpec | None = None
    adversary: AdversarySpec | None = None
    head: HeadSpec | None = None
    ensemble: EnsembleSpec | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_loss(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "loss" in values:
            return values
        training = values.get("training")
        if not isinstance(training, dict):
            return values
        if values.get("task") == "classification":
            return {**values, "loss": {"binary_cross_entropy": {}}}
        training, loss = loss_spec.of_older_recipe(training)
        return {**values, "training": training, "loss": loss}

    @field_validator("loss", mode="before")
    @classmethod
    def _known_loss(cls, value: Any, info: ValidationInfo) -> Any:
        task = info.data.get("task")
        return loss_spec.checked(value, task) if task else value

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        if self.task == "segmentation" and self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}")
        labels = [label.name for label in self.labels.labels] if self.labels else []
        stray = [name for name in self.colours if name not in labels]
        if stray:
            raise ValueError(f"colours: {stray[0]!r} is not a label ({', '.join(labels)})")
        if self.metrics and not self.labels:
            raise ValueError("metrics are of masks: a classification has AUC and accuracy always")
        if (self.task == "classification") != (self.role == "classification"):
            raise ValueError(f"a {self.task} cannot have the role {self.role!r}")
        if self.task == "classification" and not self.finding:
            raise ValueError("a classification needs `finding`")
        if sum(part is not None for part in (self.training, self.head, self.ensemble)) != 1:
            raise ValueError("a recipe needs either [training] or [head] or [ensemble]")
        lungs_known = self.scheme == "lungs" or (
            self.scheme == "infection" and self.input.needs_lungs
        )
        if self.augment.lesions and not (self.modality == "CT" and lungs_known):
            raise ValueError(
                "augment.lesions is for lungs on CT, and for infection with input.lungs = true"
            )
        if self.head and self.network.architecture not in HEADED:
            raise ValueError(f"[head] is for the architectures {' and '.join(HEADED)}")
        if (self.ensemble is not None) != (self.network.architecture == "ensemble"):
            raise ValueError("[ensemble] and the architecture ensemble go together")
        if self.ensemble and len(self.ensemble.shares) != len(self.network.start_from):
            raise ValueError("ensemble.shares needs one number for each of network.start_from")
        if self.adversary and not (self.training and self.task == "segmentation"):
            raise ValueError("[adversary] is for a segmentation with [training]")
        if self.loss and not self.training:
            raise ValueError("[loss] goes with [training]: nothing else is learnt step by step")
        if self.calibration and self.task != "classification":
            raise ValueError("calibration is for a classification: others have no temperature")
        if self.ensemble and not self.calibration:
            raise ValueError("an [ensemble] needs calibration: its temperature is all it learns")
        if self.input.size % self.network.stride:
            raise ValueError(
                f"input.size must be a multiple of {self.network.stride} for this network, not "
                f"{self.input.size}"
            )
        columns = [name for name in self.history if name != "learning_rate"]
        if self.training and self.monitor not in columns:
            raise ValueError(f"training.monitor must be one of {', '.join(columns)}")
        names = [spec.set for spec in self.data]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two data sets are called {twice!r}: give one of them a `name`")
        if not any(spec.share for spec in self.data):
            raise ValueError("share is 0 in all data: give those to learn from a share above 0")
        if self.own_data and self.task == "classification":
            raise ValueError("data of one's own have masks: they are for a segmentation")
        return self

    def with_schedule(self, steps: int | None = None, rate: float | None = None) -> Recipe:
        """Give the recipe with other steps or another highest learning rate.

        None leaves what the recipe says, and one that is not trained by steps stays as it is.
        """
        changes = {"steps": steps, "learning_rate": rate}
        changes = {name: value for name, value in changes.items() if value is not None}
        if self.training is None or not changes:
            return self
        return self.model_copy(update={"training": self.training.model_copy(update=changes)})

    def with_split(self, split: str | None) -> Recipe:
        """Give the recipe with another split; as it is for None."""
        return self if split is None else self.model_copy(update={"split": split})

    @property
    def digest(self) -> str:
        """Short name of all that decides the weights, split and schedule included.

        What says its default by name has the same one, so that it outlives new options.
        """
        words = {"title", "summary", "colours"}
        if not self.steered:  # else the Dice of what is drawn may end the training
            words.add("threshold")
        text = self.model_dump_json(exclude_defaults=True, exclude=words)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def steered(self) -> bool:
        """Whether validation items steer the training: figures on them are not held out."""
        return self.training is not None and self.training.steered

    @property
    def own_data(self) -> tuple[OwnData, ...]:
        """Data sets that are the user's own."""
        return tuple(spec for spec in self.data if not isinstance(spec, SharedSet))

    @property
    def seed(self) -> int:
        """Where all chance of a training comes from."""
        chosen = self.training or self.head or self.ensemble
        assert chosen is not None
        return chosen.seed

    @property
    def history(self) -> tuple[str, ...]:
        """Columns of ``history.csv``, the epoch left out."""
        return figures.names(self.labels, more=self.metrics, adversarial=self.adversary is not None)

    @property
    def labels(self) -> LabelScheme | None:
        """Label scheme of a segmentation, in the recipe's colours."""
        if self.scheme is None:
            return None
        scheme = SCHEMES[self.scheme]
        coloured = (
            replace(label, colour=self.colours.get(label.name, label.colour))
            for label in scheme.labels
        )
        return replace(scheme, labels=tuple(coloured))

    @property
    def monitor(self) -> str:
        """Column that tells the best epoch."""
        named = self.training.monitor if self.training else None
        return named or ("val_dice" if self.task == "segmentation" else "val_auc")

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
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(p) for p in fault['loc']) or 'recipe'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise RecipeError(f"Recipe {path} does not fit: {faults.rstrip('.')}.") from error
    if recipe.split is not None and recipe.split.endswith(".json"):
        return recipe.with_split(str((path.parent / recipe.split).resolve()))
    return recipe
