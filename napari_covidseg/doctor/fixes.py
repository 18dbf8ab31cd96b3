"""Reversible fixes: each gives a new study and leaves the old one as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_covidseg import values
from napari_covidseg.study import CovidsegError, Grid, Modality, Note, Study

CT_FIELD_MM = 384.0
"""Usual width of the field of view of a chest CT, used where no spacing is given."""

STORED_OFFSET = 1024
"""What scanners add to HU to store them without a sign."""


def apply_fix(study: Study, fix_code: str) -> Study:
    """Do one fix.

    A mask made of the new study still goes back onto the file's grid, except after
    ``"even-slices"``, which has more slices than the file.

    Parameters
    ----------
    study : Study
        What to fix; it is not changed.
    fix_code : str
        As a `Finding` offers it.

    Returns
    -------
    Study
        With the fix done, and without the notes that it answers.

    Raises
    ------
    CovidsegError
        If there is no such fix, or it does not fit this study.
    """
    fix = FIXES.get(fix_code)
    if fix is None:
        raise CovidsegError(f"There is no fix {fix_code!r}: choose of {', '.join(sorted(FIXES))}.")
    return fix(study)


def _set_modality(modality: Modality) -> Callable[[Study], Study]:
    def fix(study: Study) -> Study:
        fixed = _without(study, "other-modality").replace(modality=modality)
        return fixed.replace(is_hu=study.is_hu and modality is Modality.CT)

    return fix


def _rescale(study: Study) -> Study:
    """Bring stored CT values to HU."""
    if study.is_hu:
        raise CovidsegError("The values are Hounsfield units already: nothing to rescale.")
    low, high = values.finite_range(study.array)
    if study.array.dtype.kind not in "iuf" or high - STORED_OFFSET > 32767 or low < -31744:
        raise CovidsegError("The values do not look like stored CT numbers: nothing was changed.")
    if values.nonfinite_share(study.array):  # no integer is NaN
        shifted = study.array - np.float32(STORED_OFFSET)
    else:
        shifted = (study.array.astype(np.int32) - STORED_OFFSET).astype(np.int16)
    return _without(study, "rescale-missing").replace(
        array=shifted, is_hu=True, modality=Modality.CT
    )


def _invert(study: Study) -> Study:
    """Change dark and bright over, within the same range."""
    array = study.array
    if array.dtype.kind == "f":
        low, high = values.finite_range(array)
        return study.replace(array=(np.float32(low) + np.float32(high) - array))
    low, high = int(array.min()), int(array.max())
    return study.replace(array=(low + high - array.astype(np.int64)).astype(array.dtype))


def _replace_nonfinite(study: Study) -> Study:
    """Put air (the lowest finite value) where there is no number."""
    low, high = values.finite_range(study.array)
    array = np.nan_to_num(study.array, nan=low, posinf=high, neginf=low)
    fixed = study.replace(array=array)
    if study.modality is not Modality.XR and values.looks_like_hu(array):
        fixed = fixed.replace(is_hu=True, modality=Modality.CT)
    return fixed


def _assume_spacing(study: Study) -> Study:
    """Take the usual field of view of a chest CT as the width of one slice."""
    if study.modality is not Modality.CT or study.slices().shape[0] > 1:
        raise CovidsegError("A spacing can be assumed for a single CT slice only.")
    step = CT_FIELD_MM / study.array.shape[-1]
    affine = study.affine.copy()
    for axis in (1, 2):
        affine[:3, axis] *= step / np.linalg.norm(affine[:3, axis])
    note = Note("assumed", {"spacing": step})
    return study.replace(affine=affine, spacing_known=True, notes=(*study.notes, note))


def _ignore_spacing(study: Study) -> Study:
    """Count in voxels, since the lengths in the file cannot be right."""
    size = np.linalg.norm(study.affine[:3, :3], axis=0)
    affine = study.affine.copy()
    affine[:3, :3] /= size
    return study.replace(affine=affine, spacing_known=False)


def _turn(*, swap: bool = False, axes: tuple[int, ...] = ()) -> Callable[[Study], Study]:
    """Make a fix that swaps rows and columns and then flips the given axes (-1 is x)."""

    def fix(study: Study) -> Study:
        if -3 in axes and study.ndim < 3:
            raise CovidsegError("A single picture has no feet and head end to change over.")
        array, grid, affine = study.array, study.grid, study.affine
        order, flips = list(grid.axes), list(grid.flips)
        if swap:
            array = np.swapaxes(array, -1, -2)
            order[-1], order[-2] = order[-2], order[-1]
            flips[-1], flips[-2] = flips[-2], flips[-1]
            sizes = np.linalg.norm(affine[:3, :3], axis=0)
            affine = affine.copy()
            affine[:3, 1] *= sizes[2] / sizes[1]
            affine[:3, 2] *= sizes[1] / sizes[2]
        for axis in axes:
            array = np.flip(array, axis)
            flips[axis] = not flips[axis]
        return study.replace(
            array=np.ascontiguousarray(array),
            affine=affine,
            grid=Grid(grid.shape, grid.affine, tuple(order), tuple(flips)),
        )

    return fix


def _even_slices(study: Study) -> Study:
    """Resample along the slices to even steps, linearly between neighbours."""
    gaps = _gaps(study)
    native = study.grid.to_native(study.array)
    step = float(np.median(gaps))
    places = np.concatenate([[0.0], np.cumsum(gaps)])
    targets = np.arange(round(places[-1] / step) + 1) * step
    below = np.clip(np.searchsorted(places, targets, side="right") - 1, 0, len(places) - 2)
    share = np.clip((targets - places[below]) / gaps[below], 0.0, 1.0)
    out = np.empty((len(targets), *native.shape[1:]), dtype=native.dtype)
    for index, (low, part) in enumerate(zip(below, share, strict=True)):
        if part in (0.0, 1.0):
            out[index] = native[low + int(part)]
            continue
        mixed = native[low] * np.float32(1 - part) + native[low + 1] * np.float32(part)
        out[index] = mixed if native.dtype.kind == "f" else np.rint(mixed)
    grid = Grid(out.shape, study.grid.affine, study.grid.axes, study.grid.flips)
    affine, axis = study.affine.copy(), grid.axes.index(0)
    if Grid.from_affine(native.shape, grid.affine).flips[axis]:
        # What lies first in display order is the file's last slice, which is counted to anew.
        affine[:3, 3] -= affine[:3, axis] * (len(out) - len(native))
    fixed = _without(study, "missing-slices", "uneven-slices")
    return fixed.replace(
        array=np.ascontiguousarray(grid.to_display(out)),
        affine=affine,
        grid=grid,
        notes=(*fixed.notes, Note("assumed", {"slices": len(targets)})),
    )


def file_slices(study: Study, evened: Study) -> np.ndarray:
    """Find for each slice of the file, in native order, the nearest one after even-slices."""
    gaps = _gaps(study)
    places = np.concatenate([[0.0], np.cumsum(gaps)]) / np.median(gaps)
    return np.clip(np.rint(places).astype(int), 0, evened.grid.shape[0] - 1)


def slice_gaps(study: Study) -> np.ndarray | None:
    """Distances between neighbouring slices in native order, in mm, where they are not even.

    None where they are, or where the study no longer has the slices of its file.
    """
    count = study.grid.shape[0] - 1
    for note in study.notes:
        if note.code == "uneven-slices" and len(note.values["gaps"]) == count:
            return np.asarray(note.values["gaps"], dtype=np.float64)
        if note.code == "missing-slices" and max(note.values["after"]) < count:
            gaps = np.full(count, float(note.values["mm"]))
            for after, missing in note.values["after"].items():
                gaps[after] *= missing + 1
            return gaps
    return None


def _gaps(study: Study) -> np.ndarray:
    gaps = slice_gaps(study)
    if gaps is None:
        raise CovidsegError("The slices lie evenly already: nothing to resample.")
    return gaps


def _without(study: Study, *codes: str) -> Study:
    return study.replace(notes=tuple(n for n in study.notes if n.code not in codes))


FIXES: dict[str, Callable[[Study], Study]] = {
    "set-ct": _set_modality(Modality.CT),
    "set-xray": _set_modality(Modality.XR),
    "rescale": _rescale,
    "invert": _invert,
    "replace-nonfinite": _replace_nonfinite,
    "assume-spacing": _assume_spacing,
    "ignore-spacing": _ignore_spacing,
    "even-slices": _even_slices,
    "flip-horizontal": _turn(axes=(-1,)),
    "flip-vertical": _turn(axes=(-2,)),
    "flip-feet-head": _turn(axes=(-3,)),
    "rotate-90": _turn(swap=True, axes=(-1,)),
    "rotate-180": _turn(axes=(-2, -1)),
    "rotate-270": _turn(swap=True, axes=(-2,)),
}
"""Fix code to what does it; rotations are clockwise."""
