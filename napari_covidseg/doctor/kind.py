"""What kind of image it is: CT in HU, CT as a picture, X-ray, or something else."""

from __future__ import annotations

from collections.abc import Iterator

from napari_covidseg import values
from napari_covidseg.doctor.finding import Finding
from napari_covidseg.study import Modality, Study

SURE = 0.75
"""Likelihood of the guessed modality above which no warning is due: 1 % of films are below."""

UNLIKE = 0.15
"""Likeness of the halves of a picture below which it is hardly a chest."""


def modality(study: Study) -> Iterator[Finding]:
    """Say what the image was taken for where the file does not tell."""
    if study.modality is None:
        if not any(note.code == "other-modality" for note in study.notes):
            yield Finding(
                "modality-unknown",
                "warning",
                "Neither the file nor its pixels tell whether this is CT or X-ray.",
                "No model can be chosen.",
                "Choose CT or X-ray yourself.",
            )
        return
    if study.is_hu or study.source.kind == "dicom":
        return
    if study.slices().shape[0] > 1:
        yield from _volume_taken_for_ct(study)
        return
    score = values.ct_likelihood(study.array)
    if score is None:
        return
    is_ct = study.modality is Modality.CT
    certainty = score if is_ct else 1.0 - score
    kind, other = ("a CT slice", "X-ray") if is_ct else ("an X-ray film", "CT")
    says = (
        f"The file does not say what it shows; it looks like {kind}."
        if certainty > 0.5
        else f"It is taken for {kind}, though it looks like the other kind."
    )
    yield Finding(
        "modality-guessed",
        "info" if certainty > SURE else "warning",
        says,
        "The models for the other kind would give nonsense.",
        f"Set the modality to {other} if that is wrong.",
        "set-xray" if is_ct else "set-ct",
    )


def _volume_taken_for_ct(study: Study) -> Iterator[Finding]:
    """Doubt that a volume is CT, as all of them are taken to be, where its values do."""
    low, high = values.finite_range(study.array)
    usual = (low >= 0 and high <= 255) or values.looks_like_stored_ct(study.array)
    if study.modality is Modality.CT and not usual:
        yield Finding(
            "modality-guessed",
            "warning",
            f"The file does not say what it shows; its values, {low:.4g} to {high:.4g}, are "
            "neither Hounsfield units nor those of an 8-bit picture. It is taken for CT.",
            "Of an MR, a PET or a map of anything else the result means nothing.",
            "Give the CT in Hounsfield units.",
        )


def something_else(study: Study) -> Iterator[Finding]:
    """Hint at an image that is hardly one of a chest; a run is not stopped."""
    if study.source.kind == "dicom":
        return
    why = None
    if values.looks_drawn(study.array):
        why = "It has a few grey values only, as a label map or a drawing has."
    elif not study.is_hu and study.slices().shape[0] == 1:
        likeness = values.mirror_likeness(study.slices()[0])
        if likeness is not None and likeness < UNLIKE:
            why = "Its halves are not alike, as those of a chest are, slice or film."
    if why:
        yield Finding(
            "something-else",
            "warning",
            f"This may be something else than a CT slice or an X-ray film. {why}",
            "The models know the chest alone: of anything else the result means nothing.",
            "Check that it is the image that you meant.",
        )
