"""What models found on the cases of a data set, and its summary.

What was found case by case can be put together from several models, each with its own
held-out cases, before any mean is taken: that is cross-validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from napari_covidseg.measure.agreement import Counts
from napari_covidseg.measure.calibration import Bin
from napari_covidseg.training import answers
from napari_covidseg.training.answers import Answer, Wrong
from napari_covidseg.training.figures import Figure
from napari_covidseg.training.readers import Reading

POOLED = {"covid_slices_lungs", "covid_slices_infection"}
"""Sets whose slices are a part of a volume: counts are pooled by patient."""


@dataclass
class Found:
    """What one or several models found on the cases of one data set.

    Attributes
    ----------
    set, unit : str
        Data set, and what a case is.
    counts : dict
        Label to (group, voxel counts) of each case, for a segmentation.
    shares : list
        (group, % of the lung that is marked), where there is nothing to find.
    distances : dict
        ``"mm"`` or ``"pixels"`` to (group, HD95) of each case, for lungs.
    swaps : list
        (group, whether right and left are swapped), for lungs.
    readings : list of Reading
        Of volumes that two readers drew on.
    answers : list of Answer
        For a classification.
    small : bool
        Whether what is drawn may be small or absent, as infection is: then a Dice over the
        pixels of all pictures is told beside the mean over pictures.
    """

    set: str
    unit: str
    counts: dict[str, list[tuple[str, Counts]]] = field(default_factory=dict)
    shares: list[tuple[str, float]] = field(default_factory=list)
    distances: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    swaps: list[tuple[str, float]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    small: bool = False

    def add(self, other: Found) -> None:
        """Put another model's cases of the same set to these."""
        for label, pairs in other.counts.items():
            self.counts.setdefault(label, []).extend(pairs)
        for unit, distances in other.distances.items():
            self.distances.setdefault(unit, []).extend(distances)
        self.shares += other.shares
        self.swaps += other.swaps
        self.readings += other.readings
        self.answers += other.answers

    def figures(self) -> list[Figure]:
        """Sum up; a label that is nowhere to find, and nowhere found, has no figure."""
        made = [*self._overlaps(), *self._together(), *self._borders(), *self._false_alarms()]
        made += answers.figures(self.answers, set=self.set, unit=self.unit)
        return [figure for figure in made if figure.n]

    def _overlaps(self) -> Iterator[Figure]:
        for label, pairs in self.counts.items():
            if self.set in POOLED:
                sums: dict[str, Counts] = {}
                for group, pair in pairs:
                    sums[group] = sums.get(group, Counts()) + pair
                pairs = list(sums.items())
            measures = ("dice", "sensitivity", "precision") if label == "any" else ("dice",)
            for measure in measures:
                yield Figure.of(
                    [getattr(pair, measure) for _, pair in pairs],
                    [group for group, _ in pairs],
                    set=self.set,
                    measure="Dice" if measure == "dice" else measure,
                    unit=self.unit,
                    label=label,
                )

    def _together(self) -> Iterator[Figure]:
        """Dice of all pixels: a film on which nothing is drawn counts with what is marked."""
        pairs = self.counts.get("any", [])
        if not (self.small and self.unit == "picture" and pairs):
            return
        cases = np.array([(pair.both, pair.extra, pair.missed) for _, pair in pairs])
        groups = np.array([group for group, _ in pairs])
        measure = "Dice, pixels pooled"
        yield from Figure.of_cases(
            cases,
            groups,
            {measure: lambda c: Counts(*c.sum(0).tolist()).dice},
            {measure: np.ones(len(cases), bool)},
            set=self.set,
            unit=self.unit,
            label="any",
        )

    def _borders(self) -> Iterator[Figure]:
        for unit, distances in self.distances.items():
            yield self._by_case(distances, f"HD95 in {unit}")
        if self.swaps:
            yield self._by_case(self.swaps, "right and left swapped")

    def _false_alarms(self) -> Iterator[Figure]:
        if self.shares:
            yield self._by_case(self.shares, "% of lung marked")

    def _by_case(self, values: list[tuple[str, float]], measure: str) -> Figure:
        """Sum up what is better the lower it is."""
        return Figure.of(
            [value for _, value in values],
            [group for group, _ in values],
            high_is_bad=True,
            set=self.set,
            measure=measure,
            unit="picture" if self.set in POOLED else self.unit,
            label="any",
        )


@dataclass(frozen=True)
class Summary:
    """All that is told of a model's cases.

    Attributes
    ----------
    figures : list of Figure
    reliability : dict
        Data set to reliability table, for a classification.
    readings : dict
        Data set to what is known of each volume that two readers drew on.
    wrong : dict
        Data set to the surest of the wrong answers, for a classification.
    """

    figures: list[Figure]
    reliability: dict[str, tuple[Bin, ...]] = field(default_factory=dict)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    wrong: dict[str, list[Wrong]] = field(default_factory=dict)

    @classmethod
    def of(cls, founds: Iterable[Found]) -> Summary:
        """Sum up one data set after the other."""
        every = list(founds)
        return cls(
            [figure for found in every for figure in found.figures()],
            {found.set: answers.table(found.answers) for found in every if found.answers},
            {found.set: found.readings for found in every if found.readings},
            {found.set: answers.most_wrong(found.answers) for found in every if found.answers},
        )
