"""The typed ``[augment]`` table of a recipe: how strongly training pictures are changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class AugmentSpec(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True)

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
