"""What decides the shape of each network: typed, checked, and read without Keras.

A recipe and a ``model.json`` are checked against these before anything is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]

_STRICT = ConfigDict(extra="forbid")


class _BeginsWithMobileNet:
    """What the networks that begin with MobileNetV2 have in common."""

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this: MobileNetV2 halves them five times."""
        return 32


@dataclass(frozen=True, config=_STRICT)
class UNetConfig:
    """A `unet`.

    Attributes
    ----------
    channels : int
        Input channels.
    classes : int
        Output classes, background included.
    base : int
        Channels of the finest level; each level below has twice as many, up to `widest`.
    depth : int
        Times the picture is halved after the stem.
    stem : int
        Side of the pixel block that becomes channels at the input; 1 for a plain U-Net.
    widest : int
        Upper bound of channels.
    dropout : float
        Spatial dropout at the deepest level.
    refine : int
        Channels of a last step at full resolution that sees the picture again, for edges
        as fine as the pixels; 0 for none.
    filters : tuple of int
        Channels of every level, finest first, in place of `base`, `depth` and `widest`;
        empty to go by those.
    convolutions : int
        Of each level, on the way down and on the way up.
    kernel : int
        Side of their kernels, odd.
    dilation : int
        Step between the pixels that a kernel of the deepest level sees.
    """

    channels: Count = 1
    classes: Count = 2
    base: Count = 16
    depth: Count = 4
    stem: Count = 2
    widest: Count = 256
    dropout: Share = 0.1
    refine: Annotated[int, Field(ge=0)] = 0
    filters: tuple[Count, ...] = ()
    convolutions: Annotated[int, Field(ge=1, le=8)] = 2
    kernel: Literal[1, 3, 5, 7, 9, 11] = 3
    dilation: Annotated[int, Field(ge=1, le=16)] = 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every level, finest first."""
        doubled = (min(self.base * 2**level, self.widest) for level in range(self.depth + 1))
        return self.filters or tuple(doubled)

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this."""
        return self.stem * 2 ** (len(self.widths) - 1)


@dataclass(frozen=True, config=_STRICT)
class ResUNetConfig:
    """A `resunet`.

    Attributes
    ----------
    channels : int
        Input channels.
    classes : int
        Output classes, background included.
    base : int
        Channels of the finest level; each level below has twice as many, up to `widest`.
    depth : int
        Times the picture is halved.
    widest : int
        Upper bound of channels.
    dropout : float
        Spatial dropout at the deepest level.
    """

    channels: Count = 1
    classes: Count = 2
    base: Count = 16
    depth: Count = 4
    widest: Count = 256
    dropout: Share = 0.0

    def width(self, level: int) -> int:
        """Channels of a level, counted from the finest, which is 0."""
        return min(self.base * 2**level, self.widest)

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this."""
        return 2**self.depth


@dataclass(frozen=True, config=_STRICT)
class MobileNetUNetConfig(_BeginsWithMobileNet):
    """A `mobilenet_unet`, and what draws for a `burden_classifier`.

    Attributes
    ----------
    channels : int
        Input channels. The first is the picture; ImageNet says nothing of the others.
    classes : int
        Output classes, background included.
    widths : tuple of four int
        Channels of the way up at h/2, h/4, h/8 and h/16.
    dropout : float
        Spatial dropout at the deepest level.
    refine : int
        Channels of the last step at full resolution that sees the picture again.
    """

    channels: Count = 1
    classes: Count = 2
    widths: tuple[Count, Count, Count, Count] = (24, 32, 64, 128)
    dropout: Share = 0.0
    refine: Count = 12


@dataclass(frozen=True, config=_STRICT)
class MobileNetClassifierConfig(_BeginsWithMobileNet):
    """A `mobilenet_classifier`.

    Attributes
    ----------
    channels : int
        Input channels. The first is the picture; ImageNet says nothing of the others.
    dropout : float
        Before the last layer.
    """

    channels: Count = 1
    dropout: Share = 0.3


@dataclass(frozen=True, config=_STRICT)
class FeatureClassifierConfig(_BeginsWithMobileNet):
    """A `feature_classifier`.

    Attributes
    ----------
    channels : int
        Input channels. The first is the picture; the others are not looked at.
    """

    channels: Count = 1


@dataclass(frozen=True, config=_STRICT)
class ApplicationsClassifierConfig:
    """An `applications_classifier`.

    Attributes
    ----------
    backbone : str
        One of ``keras.applications``.
    hidden : tuple of int
        Widths of the MLP's hidden layers; empty for a linear classifier.
    dropout : float
        Before each layer of the MLP.
    """

    backbone: Literal["DenseNet121", "InceptionResNetV2", "MobileNetV2", "ResNet50", "VGG16"] = (
        "DenseNet121"
    )
    hidden: tuple[Count, ...] = (128,)
    dropout: Share = 0.3

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this."""
        return 1


@dataclass(frozen=True, config=_STRICT)
class Member:
    """One of the classifiers of an `ensemble`.

    Attributes
    ----------
    architecture : str
    config : mapping
        As in `nets.build`.
    share : float
        What its logit is multiplied by.
    """

    architecture: str
    config: Mapping[str, Any]
    share: float


@dataclass(frozen=True, config=_STRICT)
class EnsembleConfig:
    """An `ensemble`.

    Attributes
    ----------
    members : tuple of Member
    channels : int
        Input channels. A member is shown as many of them, from the first on, as it takes.
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    channels: Count = 1

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this; the members have strides of their own."""
        return 1
