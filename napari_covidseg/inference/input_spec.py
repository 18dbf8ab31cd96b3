"""What a network is shown of an image: the ``input`` of a recipe and of ``model.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class InputSpec(BaseModel):
    """What the network sees.

    Attributes
    ----------
    values : "ct" or "xray"
        Which window of ``inference.window`` maps values.
    frame : "body", "lungs" or "whole"
        Which part of the image is shown.
    size : int
        Side of the square in pixels.
    lungs : bool
        Whether a second channel shows the lungs that were found: a solid lesion at the
        chest wall is as bright as the wall, and only the lung's shape tells them apart.
    window : "usual" or "extremes"
        Of films: whether one whose histogram is extreme gets a window of its own, see
        ``inference.histogram``.
    outside : "shown" or "blank"
        What is shown of the picture beyond the lungs that were found and a rim round
        them: a classifier that never sees the rest cannot go by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: Literal["ct", "xray"]
    frame: Literal["body", "lungs", "whole"]
    size: int = Field(ge=32, le=1024, multiple_of=32)
    window: Literal["usual", "extremes"] = "usual"
    lungs: bool = False
    outside: Literal["shown", "blank"] = "shown"

    @model_validator(mode="after")
    def _extremes_are_of_films(self) -> InputSpec:
        if self.window == "extremes" and self.values != "xray":
            raise ValueError('window = "extremes" is for values = "xray"')
        return self

    @model_validator(mode="after")
    def _lungs_are_looked_for(self) -> InputSpec:
        if self.needs_lungs and self.frame != "lungs":
            asked = "lungs = true" if self.lungs else 'outside = "blank"'
            raise ValueError(f'{asked} needs frame = "lungs"')
        return self

    @property
    def needs_lungs(self) -> bool:
        """Whether the lungs themselves are needed to make the network's input."""
        return self.lungs or self.outside == "blank"

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return 2 if self.lungs else 1
