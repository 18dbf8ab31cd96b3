"""What readers noticed, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_covidseg.doctor.finding import Finding
from napari_covidseg.study import Note

Values = Mapping[str, Any]


def of_note(note: Note) -> Finding | None:
    """Word a reader's note; None for a note that is worded elsewhere or means nothing here."""
    word = _WORDS.get(note.code)
    return word(note.values) if word else None


def _missing(v: Values) -> Finding:
    count = v.get("count", 1)
    return Finding(
        "missing-slices",
        "warning",
        f"{count} slice{'s are' if count > 1 else ' is'} missing from the series.",
        "Shapes jump where the gap is; volumes in mL take the neighbours' masks for what is "
        "missing.",
        "Fill the gaps between neighbouring slices, or load the whole series.",
        "even-slices",
    )


def _uneven(v: Values) -> Finding:
    return Finding(
        "uneven-slices",
        "warning",
        f"Slices lie {v.get('low', 0):.2f} to {v.get('high', 0):.2f} mm apart.",
        "Positions along the body are only roughly right; in volumes each slice counts for its "
        "distance to its neighbours.",
        f"Resample to even steps of {v.get('mm', 0):.2f} mm.",
        "even-slices",
    )


def _duplicate(v: Values) -> Finding:
    return Finding(
        "duplicate-slices",
        "info",
        f"{v.get('count')} slices lie where another one lies already.",
        "One of each was taken, from the acquisition with the most slices.",
    )


def _tilt(v: Values) -> Finding:
    return Finding(
        "gantry-tilt",
        "info",
        f"The gantry was tilted by {v.get('degrees', 0):.1f} degrees.",
        "The volume is shown unsheared. The written mask has the true, sheared geometry, which "
        "programs that read NIfTI by ITK (SimpleITK, ITK-SNAP) refuse.",
    )


def _shifted(v: Values) -> Finding:
    return Finding(
        "shifted-slices",
        "warning",
        f"Slices are shifted sideways by up to {v.get('mm', 0):.1f} mm against each other.",
        "The mask is right on every slice, but a straight stack cannot hold the shift: "
        "its place in the body is that much off.",
        "Export the series with one field of view for all slices.",
    )


def _several(v: Values) -> Finding:
    return Finding(
        "several-series",
        "info",
        f"The folder holds {len(v.get('series', ()))} series: {'; '.join(v.get('series', ()))}.",
        f"Series {v.get('chosen')} was opened.",
        "Choose another one by its number.",
    )


def _colour(v: Values) -> Finding:
    share = v.get("share")
    if share is None:
        how_much = "The picture is in colour."
    else:
        how_much = f"The picture is in colour ({100 * share:.1f} % of its pixels)"
        how_much += ", as photographs and drawings are." if share > 0.05 else "."
    return Finding(
        "colour",
        "info" if share is not None and share <= 0.001 else "warning",
        how_much,
        "It was turned to grey: marks and colour maps may be taken for tissue, and of anything "
        "but a CT slice or an X-ray film the result means nothing.",
        "Use the plain picture, without marks or colour map.",
    )


def _damaged(v: Values) -> Finding:
    return Finding(
        "damaged-files",
        "warning",
        f"{v.get('count')} DICOM files of the folder are damaged and were left out.",
        "Slices may be missing.",
        "Copy or export the folder again.",
    )


def _volume(v: Values) -> Finding:
    return Finding(
        "volume-picked",
        "info",
        f"The file holds {v.get('count')} volumes; number {v.get('volume')} was opened.",
        "The others are not looked at.",
    )


def _rotation(v: Values) -> Finding:
    return Finding(
        "exif-rotation",
        "info",
        "The picture is marked as turned by a camera and is shown upright.",
        "The mask is written as the picture lies in the file, with the same mark.",
    )


def _other(v: Values) -> Finding:
    return Finding(
        "other-modality",
        "stop",
        f"The file says that it is {v.get('modality')}, neither CT nor X-ray.",
        "The models know chest CT and chest X-ray alone: a result would mean nothing.",
        "Give a CT or an X-ray, or set the modality if the file is wrong.",
    )


def _simple(code: str, what: str, effect: str, fix: str | None = None) -> Callable:
    severity = "warning" if fix else "info"
    return lambda _: Finding(code, severity, what, effect, fix)  # type: ignore[arg-type]


_WORDS: dict[str, Callable[[Values], Finding]] = {
    "missing-slices": _missing,
    "uneven-slices": _uneven,
    "duplicate-slices": _duplicate,
    "gantry-tilt": _tilt,
    "shifted-slices": _shifted,
    "several-series": _several,
    "colour": _colour,
    "damaged-files": _damaged,
    "volume-picked": _volume,
    "exif-rotation": _rotation,
    "other-modality": _other,
    "position-unknown": _simple(
        "position-unknown",
        "The slices do not say where they lie.",
        "They are shown in the order of their numbers: head and feet may be changed over, "
        "and volumes in mL are not given.",
        "Export the series with its positions.",
    ),
    "picture-stack": _simple(
        "picture-stack",
        "The file is a stack of pictures with no geometry.",
        "The first page is taken for the feet end, and volumes in mL are not given.",
        "Give the DICOM or NIfTI that the pictures were made of.",
    ),
    "negative-spacing": _simple(
        "negative-spacing",
        "The file gives a negative voxel size.",
        "Its amount is used, as other programs do.",
    ),
    "several-frames": _simple(
        "several-frames",
        "The X-ray file holds several frames.",
        "The first one was opened.",
        "Save the frame that you want as a picture of its own.",
    ),
    "transparency": _simple(
        "transparency",
        "Parts of the picture are see-through.",
        "They were laid on black.",
    ),
    "wrong-ending": _simple(
        "wrong-ending",
        "The file's ending does not fit its content.",
        "It was read by its content.",
    ),
    "monochrome1": _simple(
        "monochrome1",
        "The film is stored with black for dense (MONOCHROME1).",
        "It was inverted, so that bone is bright.",
    ),
    "window-ignored": _simple(
        "window-ignored",
        "The display window in the file is damaged or would flatten most of the film.",
        "The whole range of values is used instead.",
    ),
    "spacing-at-detector": _simple(
        "spacing-at-detector",
        "The pixel size is that at the detector, not in the patient.",
        "Lengths and areas come out some percent too large.",
    ),
    "assumed": _simple(
        "assumed",
        "A fix was applied that rests on an assumption.",
        "Results rest on it too.",
    ),
}
