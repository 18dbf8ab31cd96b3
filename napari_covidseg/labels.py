"""Every label set the product knows: value, name and colour, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """One value of a mask.

    Attributes
    ----------
    value : int
        1 to 255; 0 is background and belongs to every scheme.
    name : str
        The field's term, lower case.
    colour : str
        ``#rrggbb``. The set is told apart in the common forms of colour blindness.
    """

    value: int
    name: str
    colour: str


@dataclass(frozen=True)
class LabelScheme:
    """What the values of a mask mean.

    Attributes
    ----------
    key : str
        Short name, e.g. ``"lungs"``.
    title : str
        What a layer that holds it is called.
    labels : tuple of Label
        By rising value.
    opacity : float
        How strongly a layer of it covers the image.
    """

    key: str
    title: str
    labels: tuple[Label, ...]
    opacity: float = 0.5

    @property
    def names(self) -> dict[int, str]:
        """Value to name, background left out."""
        return {label.value: label.name for label in self.labels}

    @property
    def colours(self) -> dict[int, str]:
        """Value to ``#rrggbb``, background left out."""
        return {label.value: label.colour for label in self.labels}

    @property
    def values(self) -> tuple[int, ...]:
        """The values, background left out."""
        return tuple(label.value for label in self.labels)


RIGHT_LUNG = Label(1, "right lung", "#56b4e9")
LEFT_LUNG = Label(2, "left lung", "#009e73")
GROUND_GLASS = Label(1, "ground glass", "#f0e442")
CONSOLIDATION = Label(2, "consolidation", "#d55e00")
ANY_INFECTION = Label(1, "infection", "#e69f00")

LUNGS = LabelScheme("lungs", "lungs", (RIGHT_LUNG, LEFT_LUNG), 0.3)
INFECTION = LabelScheme("infection", "infection", (GROUND_GLASS, CONSOLIDATION), 0.5)
OPACITY = LabelScheme("opacity", "ground glass", (GROUND_GLASS,), 0.4)
ANY_OPACITY = LabelScheme("any-opacity", "infection", (ANY_INFECTION,), 0.4)

SCHEMES: dict[str, LabelScheme] = {s.key: s for s in (LUNGS, INFECTION, OPACITY, ANY_OPACITY)}
