"""Looks at a study: each gives what it found, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from napari_covidseg import values
from napari_covidseg.doctor.finding import Finding
from napari_covidseg.doctor.kind import modality, something_else
from napari_covidseg.doctor.words import of_note
from napari_covidseg.study import Modality, Study

TINY = 32
"""Pixels on a side below which no chest can be made out."""

HUGE = 6000
"""Pixels on a side from which a picture is only looked at coarsely."""

_ORDER = {"stop": 0, "warning": 1, "info": 2}


def examine(study: Study) -> tuple[Finding, ...]:
    """Look at an input before a run.

    Takes well under a second on a volume of 300 x 512 x 512: values are sampled.

    Parameters
    ----------
    study : Study
        As read.

    Returns
    -------
    tuple of Finding
        What stops a run first, then warnings, then what is good to know.
    """
    found = list(_pixels(study))
    if not any(f.severity == "stop" for f in found):
        found += modality(study)
        found += something_else(study)
        found += _values(study)
        found += _orientation(study)
        found += _field_of_view(study)
    found += _spacing(study)
    found += [f for f in map(of_note, study.notes) if f is not None]
    if study.ndim == 3 and study.array.shape[0] == 1 and study.modality is Modality.CT:
        found.append(
            Finding(
                "single-slice",
                "info",
                "There is one slice only.",
                "An answer for the whole scan rests on this slice; volumes are those of one slice.",
                "Give the whole series if there is one.",
            )
        )
    return tuple(sorted(found, key=lambda f: _ORDER[f.severity]))


def _pixels(study: Study) -> Iterator[Finding]:
    array = study.array
    height, width = array.shape[-2:]
    if min(height, width) < TINY:
        yield Finding(
            "tiny-image",
            "stop",
            f"The image has {width} x {height} pixels.",
            "No chest can be made out in it: a result would mean nothing.",
            f"Give an image of at least {TINY} x {TINY} pixels, better 256 x 256.",
        )
        return
    broken = values.nonfinite_share(array)
    if broken == 1.0:
        yield _empty("All voxels are NaN or infinite.")
        return
    if broken:
        yield Finding(
            "nonfinite",
            "warning",
            f"{100 * broken:.2g} % of the voxels are NaN or infinite.",
            "Models cannot take them.",
            "Put the lowest value (air) in their place, as a run does anyway.",
            "replace-nonfinite",
        )
    low, high = values.finite_range(array)
    if low == high:
        yield _empty(f"All pixels have the value {low:g}.")
        return
    if max(height, width) > HUGE:
        yield Finding(
            "huge-image",
            "info",
            f"The picture has {width} x {height} pixels.",
            "It is scaled down for the models; details finer than that are not used.",
        )


def _empty(what: str) -> Finding:
    return Finding(
        "empty-image",
        "stop",
        what,
        "There is nothing to segment: the mask would be empty.",
        "Check the file, or pick another image or volume.",
    )


def _values(study: Study) -> Iterator[Finding]:
    middle = study.slices()[study.slices().shape[0] // 2]
    if values.looks_inverted(middle):
        yield Finding(
            "inverted",
            "warning",
            "Dark and bright look changed over: the lungs are brighter than what lies between.",
            "The models take bright for dense and would find little.",
            "Invert the image.",
            "invert",
        )
    if study.modality is not Modality.CT:
        return
    if study.is_hu:
        low, high = values.finite_range(study.array)
        if low > -900 or high < 500:
            yield Finding(
                "hu-clipped",
                "info",
                f"The Hounsfield units end at {low:.0f} and {high:.0f}.",
                "Values beyond were cut off when the file was made; mean HU may be off.",
            )
        return
    if values.looks_like_stored_ct(study.array):
        yield Finding(
            "rescale-missing",
            "warning",
            "Values look like stored CT numbers, 1024 above Hounsfield units.",
            "The rescale was not applied: windows miss the lungs, and HU are not given.",
            "Subtract 1024.",
            "rescale",
        )
        return
    window = values.guess_window(middle)
    soft = window == "soft tissue"
    yield Finding(
        "ct-picture",
        "warning" if soft else "info",
        f"Grey values are not Hounsfield units; it looks like a {window} window.",
        "The lungs are cut to black, so that ground glass cannot be seen in them."
        if soft
        else "Lungs and infection are found as in HU, though less surely; HU are not given.",
        "Use the original in HU if you have it" + (", or a lung window." if soft else "."),
    )


def _orientation(study: Study) -> Iterator[Finding]:
    known = study.orientation_known
    if not known:
        deep = study.slices().shape[0] > 1
        yield Finding(
            "orientation-unknown",
            "warning" if deep else "info",
            "The file does not say which side is the patient's right"
            + (", nor which end is the head." if deep else "."),
            "The right is taken to be at the left of the picture, as usual; if it is not, "
            "the right and left lung are changed over.",
            "Flip the picture left to right if a marker shows otherwise.",
            "flip-horizontal",
        )
    if study.modality is Modality.CT and study.is_hu:
        upside_down = values.spine_offset(study.array) < -0.05
    else:
        upside_down = study.modality is Modality.XR and values.film_upside_down(study.slices()[0])
    if upside_down:
        yield Finding(
            "upside-down",
            "info" if known else "warning",
            "The spine seems to be at the top: the patient lay prone, or the image is upside down."
            if study.modality is Modality.CT
            else "The film seems to be upside down.",
            "Models know it less well; if the image is turned, right and left are changed over.",
            "Turn it by 180 degrees if it is upside down; leave it if the patient lay prone."
            if study.modality is Modality.CT
            else "Turn it by 180 degrees.",
            "rotate-180",
        )


def _field_of_view(study: Study) -> Iterator[Finding]:
    if study.modality is not Modality.CT:
        return
    sides, ends = values.cropped(study.array, study.is_hu)
    if ends:
        yield Finding(
            "lungs-cut",
            "warning",
            f"The lungs go on beyond the {ends} of the volume.",
            "Lung volume and percent of lung are of the part that is shown.",
            "Use the whole scan for volumes.",
        )
    if sides:
        yield Finding(
            "cropped",
            "info",
            "The body goes on beyond both sides of the picture.",
            "Lung at the edge may be cut off and is then missing from the volumes.",
        )


def _spacing(study: Study) -> Iterator[Finding]:
    if not study.spacing_known:
        single = study.modality is Modality.CT and study.slices().shape[0] == 1
        yield Finding(
            "spacing-unknown",
            "warning" if study.slices().shape[0] > 1 else "info",
            "The file does not say how large a pixel is.",
            "Sizes are given in pixels, and no volume in mL.",
            "Assume the usual field of view of a chest CT (384 mm)."
            if single
            else "Give the DICOM or NIfTI original for sizes in mm.",
            "assume-spacing" if single else None,
        )
        return
    spacing = study.spacing
    extent = [n * s for n, s in zip(study.array.shape, spacing, strict=True)]
    wide = [not 60 <= e <= 1200 for e in extent[-2:]]
    if any(wide) or any(not 0.02 <= s <= 20 for s in spacing) or (extent[0] > 2500):
        words = " x ".join(f"{s:.3g}" for s in spacing)
        yield Finding(
            "absurd-spacing",
            "warning",
            f"Voxels of {words} mm make no human chest.",
            "Volumes in mL would be wrong.",
            "Ignore the spacing and count in voxels, or repair the header.",
            "ignore-spacing",
        )
