"""A run's results in few numbers and words; no Qt in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.labels import INFECTION, LUNGS, LabelScheme
from napari_covidseg.measure.volumes import Measurement, Row, measure
from napari_covidseg.segmentation import Classification, Outcome
from napari_covidseg.study import Study

SIDES = ("right", "left", "both")


@dataclass(frozen=True)
class Summary:
    """What a person wants to know first.

    Attributes
    ----------
    measurement : Measurement or None
        Volumes; None without a mask.
    classifications : tuple of Classification
        Probabilities.
    sure : tuple of (str, float)
        Title of each mask and how decided its model was, 0.5 to 1.
    notes : tuple of str
        Sentences.
    """

    measurement: Measurement | None = None
    classifications: tuple[Classification, ...] = ()
    sure: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()


def summarise(study: Study, outcome: Outcome) -> Summary:
    """Summarise one run. Takes a second on a big volume: call it off the GUI thread."""
    masks = [(s.labels, s.scheme) for s in outcome.segmentations]
    measured = measure_masks(study, masks)
    notes = [note for s in outcome.segmentations for note in s.notes]
    notes += [note for c in outcome.classifications for note in c.notes]
    return Summary(
        measured,
        outcome.classifications,
        tuple((s.scheme.title, s.certainty) for s in outcome.segmentations),
        (*dict.fromkeys(notes), *(measured.notes if measured else ())),
    )


def measured_again(old: Summary, measured: Measurement, layers: Sequence[str]) -> Summary:
    """Take over a measurement of label layers as they are now.

    The probabilities stay as the run gave them, and with them what the models said
    against trusting them.

    Parameters
    ----------
    old : Summary
        Of the same image.
    measured : Measurement
        The new volumes.
    layers : sequence of str
        Names of the layers that were measured.
    """
    said = [note for c in old.classifications for note in c.notes]
    which = f"Measured as they are now: {', '.join(layers)}."
    notes = dict.fromkeys([*said, which, *measured.notes])
    return Summary(measured, old.classifications, notes=tuple(notes))


def measure_masks(
    study: Study, masks: Sequence[tuple[np.ndarray, LabelScheme]]
) -> Measurement | None:
    """Measure a lung mask and an infection mask, the last of each where there are several."""
    lungs = infection = None
    scheme = INFECTION
    for labels, its_scheme in masks:
        if its_scheme == LUNGS:
            lungs = labels
        else:
            infection, scheme = labels, its_scheme
    if lungs is None and infection is None:
        return None
    return measure(study, lungs, infection, scheme)


def table(measurement: Measurement, full: bool = False) -> list[tuple[str, ...]]:
    """Rows of words and numbers for a narrow column; the first row is the header.

    Sizes come first, then what is infected as a share of the lung on that side. The
    sizes of each kind of infection are given only if `full`.
    """
    sides = SIDES if measurement.row("lung", "both") else ("image",)
    unit = {"cm2": "cm\N{SUPERSCRIPT TWO}"}.get(measurement.unit, measurement.unit)
    labels = list(dict.fromkeys(row.label for row in measurement.rows))
    infected = [label for label in labels if label != "lung"]
    infected.sort(key=lambda label: label != "infection")  # the whole before its parts
    sized = [label for label in labels if label == "lung"]
    sized += infected if full else infected[:1]
    rows = [("", *(side.capitalize() for side in sides))]
    for label in sized:
        found = [measurement.row(label, side) for side in sides]
        rows.append((f"{label.capitalize()}, {unit}", *(_size(row) for row in found)))
    for label in infected:
        found = [measurement.row(label, side) for side in sides]
        if any(row is not None and row.percent_of_lung is not None for row in found):
            of_lung = "% of lung" if label == infected[0] else "%"
            rows.append((f"{label.capitalize()}, {of_lung}", *(_percent(row) for row in found)))
    return rows


def probability_words(result: Classification) -> str:
    """Say the probability for a scan or a single image, and what it means."""
    verdict = "above" if result.positive else "below"
    what = "scan" if len(result.slices) > 1 else "image"
    finding = result.finding[:1].upper() + result.finding[1:]
    return (
        f"{finding}: probability {result.probability:.2f} for the {what}, "
        f"{verdict} the threshold {result.threshold:.2f}."
    )


def slice_words(result: Classification, index: int | None) -> str:
    """Say one slice's probability; empty for a single image."""
    if len(result.slices) < 2 or index is None:
        return ""
    found = dict(result.slices).get(index)
    if found is None:
        return f"This slice ({index}): too little lung to tell."
    return f"This slice ({index}): {found:.2f}."


def highest_slice(result: Classification) -> int | None:
    """Find the slice of highest probability; None for a single image."""
    if len(result.slices) < 2:
        return None
    return max(result.slices, key=lambda pair: pair[1])[0]


def sure_words(summary: Summary) -> str:
    """Say how decided the models were; the notes say where nothing was found."""
    known = [f"{title} {value:.2f}" for title, value in summary.sure if not math.isnan(value)]
    return f"How sure (0.5 undecided, 1 decided): {', '.join(known)}." if known else ""


def as_text(summary: Summary) -> str:
    """Everything as tab-separated text for a spreadsheet."""
    rows = table(summary.measurement, full=True) if summary.measurement else []
    lines = ["\t".join(row) for row in rows]
    lines += [probability_words(c) for c in summary.classifications]
    lines += [sure_words(summary), *summary.notes, RESEARCH_ONLY]
    return "\n".join(line for line in lines if line)


def _size(row: Row | None) -> str:
    if row is None:
        return "-"
    return f"{row.size:,.0f}" if row.size >= 100 or row.unit == "px" else f"{row.size:.1f}"


def _percent(row: Row | None) -> str:
    return "-" if row is None or row.percent_of_lung is None else f"{row.percent_of_lung:.1f}"
