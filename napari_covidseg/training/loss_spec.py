"""The typed ``[loss]`` table of a recipe: a weighted sum of named terms."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Inner = Annotated[float, Field(gt=0, lt=1)]


class Term(BaseModel):
    """What every term has: how much it counts. A bare number stands for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"weight": value} if isinstance(value, int | float) else value


class CrossEntropy(Term):
    """Mean negative logarithm of the probability of what is drawn."""


class Focal(Term):
    """Cross-entropy in which pixels that are right already count little.

    Attributes
    ----------
    gamma : float
        How much less; 0 is cross-entropy.
    alpha : float or None
        Weight of what is foreground (or positive) against the rest; None for equal ones.
    """

    gamma: float = Field(2.0, ge=0, le=10)
    alpha: Inner | None = None


class _Overlap(Term):
    """Of a measure of overlap.

    Attributes
    ----------
    class_weight : float
        Weight of each class against foreground as a whole.
    picture_share : float
        Part of the foreground's term that is taken picture by picture, 0 to 1, so that
        a small lesion counts as much as a large one.
    """

    class_weight: float = Field(0.5, ge=0)
    picture_share: Share = 0.0


class Dice(_Overlap):
    """Soft Dice; see `_Overlap` for its attributes."""


class Tversky(_Overlap):
    """Dice in which false positives and false negatives count differently.

    Attributes
    ----------
    alpha, beta : float
        Weight of false positives and of false negatives; 0.5 and 0.5 is Dice.
    """

    alpha: float = Field(0.3, gt=0)
    beta: float = Field(0.7, gt=0)


class Boundary(Term):
    """How far from the drawn border probability lies.

    Attributes
    ----------
    class_weight : float
        Weight of each class against foreground as a whole.
    """

    weight: float = Field(0.1, gt=0)
    class_weight: float = Field(0.5, ge=0)


class BinaryCrossEntropy(Term):
    """Cross-entropy of yes and no.

    Attributes
    ----------
    label_smoothing : float
        How far from 0 and 1 the truth is moved, so that answers stay modest.
    """

    label_smoothing: float = Field(0.05, ge=0, lt=0.5)


class LossSpec(BaseModel):
    """Terms by name; those that are not named do not count.

    Their formulas are in ``training.losses``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    KNOWN: ClassVar[dict[str, tuple[str, ...]]] = {
        "segmentation": ("cross_entropy", "focal", "dice", "tversky", "boundary"),
        "classification": ("binary_cross_entropy", "focal"),
    }

    cross_entropy: CrossEntropy | None = None
    focal: Focal | None = None
    dice: Dice | None = None
    tversky: Tversky | None = None
    boundary: Boundary | None = None
    binary_cross_entropy: BinaryCrossEntropy | None = None

    @property
    def terms(self) -> dict[str, Term]:
        """The terms that count."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: term for name, term in named.items() if term is not None}


def checked(values: Any, task: Literal["segmentation", "classification"]) -> Any:
    """Refuse a ``[loss]`` table that is empty or names a loss which the task does not know.

    Raises
    ------
    ValueError
        With the losses that there are.
    """
    known = LossSpec.KNOWN[task]
    if not isinstance(values, dict) or not values:
        raise ValueError(f"[loss] needs a term for a {task}: {', '.join(known)}")
    for name in values:
        if name not in known:
            raise ValueError(f"unknown loss {name!r} for a {task}; known are {', '.join(known)}")
    return values


def of_older_recipe(training: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the weights of Dice out of a ``[training]`` table, where older recipes have them.

    Returns
    -------
    training, loss : dict
        The table without them, and the loss that they mean.
    """
    older = {"dice_weight", "class_dice", "picture_dice"}
    weight = training.get("dice_weight", 1.0)
    loss: dict[str, Any] = {"cross_entropy": {}}
    if weight != 0:
        loss["dice"] = {
            "weight": weight,
            "class_weight": training.get("class_dice", 0.5),
            "picture_share": training.get("picture_dice", 0.0),
        }
    return {key: value for key, value in training.items() if key not in older}, loss
