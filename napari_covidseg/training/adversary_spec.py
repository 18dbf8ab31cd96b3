"""The typed ``[adversary]`` table of a recipe: a critic to learn against."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AdversarySpec(BaseModel):
    """A critic beside the network, see ``training.adversary``.

    Optimiser, learning rate and schedule are those of ``[training]`` for both.

    Attributes
    ----------
    weight : float
        How much the recipe's own loss counts against the critic's word (lambda).
    width : int
        Channels of the critic's finest level; it normalises them in groups of four.
    depth : int
        Times the critic halves the picture: it judges parts of about ``6 * 2**depth``
        pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(5.0, gt=0)
    width: int = Field(16, gt=0, multiple_of=4)
    depth: int = Field(4, ge=1, le=5)
