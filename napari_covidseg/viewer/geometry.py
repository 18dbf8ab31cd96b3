"""Between a Study and a napari layer: one place that copies geometry, so none is lost.

World coordinates are millimetres along the display axes: (S, P, L) for a volume, which
is feet to head, front to back, right to left. Such a world is a mirrored RAS, so that a
plain ``scale`` and ``translate`` show the usual radiological picture in 2D and 3D alike.

A volume scanned at an angle is shown without its angle. napari cannot slice along a
rotated layer in 2D, and would show such a volume unrotated with a warning anyway. The
true affine stays in the study, which travels in ``layer.metadata["study"]``; what is
written or measured takes it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_covidseg import values
from napari_covidseg.study import CovidsegError, Modality, Note, Study, from_array

RAS_TO_WORLD = np.array(
    [[0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""(R, A, S, 1) to (S, P, L, 1); its inverse is its transpose."""

COPIED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Everything that places a layer."""

_SLAB_BYTES = 32 * 2**20
_NARROW = {"b": np.uint8, "f": np.float32, "i": np.int32, "u": np.int32}


class LayerError(CovidsegError):
    """A layer that cannot be read as one chest image."""


def layer_kwargs(study: Study) -> dict[str, Any]:
    """Arguments for ``add_image`` that put a study where it lies.

    Returns
    -------
    dict
        ``scale``, ``translate`` (mm, or pixels where the spacing is unknown), ``units``,
        ``axis_labels`` and ``metadata``: what the study is under ``"covidseg"``, without
        anything that names a patient, and the study itself under ``"study"``.
    """
    matrix = RAS_TO_WORLD @ study.affine
    scale = np.asarray(study.spacing)
    if study.is_oblique:
        # The middle stays where it is: turning about a corner would move the lungs away
        # from those of other scans of the same person.
        middle = (np.asarray(study.slices().shape) - 1) / 2
        translate = (matrix[:3, :3] @ middle + matrix[:3, 3])[3 - study.ndim :]
        translate = translate - scale * middle[3 - study.ndim :]
    else:
        translate = matrix[3 - study.ndim : 3, 3]
    return {
        "scale": tuple(float(s) for s in scale),
        "translate": tuple(float(t) + 0.0 for t in translate),
        "units": ("mm" if study.spacing_known else "pixel",) * study.ndim,
        "axis_labels": ("z", "y", "x")[3 - study.ndim :],
        "metadata": {
            "covidseg": {
                "modality": str(study.modality) if study.modality else None,
                "hounsfield_units": study.is_hu,
                "spacing_known": study.spacing_known,
                "orientation_known": study.orientation_known,
                "oblique": study.is_oblique,
                "case": study.pseudonym,
            },
            "study": study,
        },
    }


def like(layer: Any, ndim: int | None = None) -> dict[str, Any]:
    """Geometry of a layer, as arguments for another layer on the same pixels.

    Parameters
    ----------
    layer : napari layer
        The source.
    ndim : int, optional
        Axes of the new layer, where it has fewer (one time point of a series): the last
        ones are kept.
    """
    ndim = layer.ndim if ndim is None else ndim
    if ndim == layer.ndim:
        return {name: getattr(layer, name) for name in COPIED}
    matrix = _composed(layer)
    keep = np.r_[layer.ndim - ndim : layer.ndim + 1]
    return {
        "affine": matrix[np.ix_(keep, keep)],
        "units": layer.units[-ndim:],
        "axis_labels": layer.axis_labels[-ndim:],
    }


def study_of(layer: Any) -> Study | None:
    """Give the study that a layer of ours (image or labels) was made for, if there is one."""
    study = layer.metadata.get("study")
    return study if isinstance(study, Study) else None


def study_from_layer(
    layer: Any, *, modality: Modality | None = None, at: Sequence[int] | None = None
) -> Study:
    """Read an image layer as a study on the layer's own pixel order.

    A layer that we opened gives back its study, with the file's geometry. Any other
    layer gives one built from its pixels and its composed transform (scale and affine
    both count). Colour becomes grey, of a pyramid the full resolution is taken, and a
    dask array is computed slab by slab. No Qt is touched: a worker thread may call it.

    Parameters
    ----------
    layer : napari.layers.Image
        2D or 3D, or with more axes in front where `at` or a length of 1 settles them.
    modality : Modality, optional
        What the user said; without it the study's own, or what the pixels tell.
    at : sequence of int, optional
        Index along each axis in front of the last three (time, channel).

    Raises
    ------
    LayerError
        If it is not an image, is empty, has several time points or channels and `at`
        does not say which, or its numbers are complex.
    CovidsegError
        If its transform is singular.
    """
    study = study_of(layer)
    if study is not None and layer.data is study.array:
        study = _as_placed(study, layer)
    else:
        study = _build(layer, study, at)
    if modality is not None and modality != study.modality:
        study = study.replace(modality=modality)
    return study


def _as_placed(study: Study, layer: Any) -> Study:
    """Take over a scale or place that the user gave the layer since it was opened."""
    expected = layer_kwargs(study)
    plain = np.diag((*expected["scale"], 1.0))
    plain[:-1, -1] = expected["translate"]
    matrix, known = _in_mm(layer)
    if known == study.spacing_known and np.allclose(matrix, plain, rtol=1e-6, atol=1e-6):
        return study
    return study.replace(affine=_display_affine(matrix), spacing_known=known)


def _build(layer: Any, known: Study | None, at: Sequence[int] | None) -> Study:
    pixels = _pixels(layer, at)
    matrix, spacing_known = _in_mm(layer)
    n = pixels.ndim - bool(getattr(layer, "rgb", False))
    keep = np.r_[layer.ndim - n : layer.ndim + 1]
    notes = [] if known is None else list(known.notes)
    if getattr(layer, "rgb", False):
        pixels, coloured = _grey(pixels)
        notes += [Note("colour")] if coloured else []
    array = _compute(pixels)
    is_hu = (known is None or known.is_hu) and values.looks_like_hu(array)
    if not spacing_known:
        notes.append(Note("spacing-unknown"))
    if known is None:
        notes.append(Note("orientation-unknown"))
    study = from_array(
        array,
        affine=_display_affine(matrix[np.ix_(keep, keep)]),
        modality=known.modality if known else values.guess_modality(array, is_hu),
        is_hu=is_hu,
        stem=layer.name,
        notes=tuple(notes),
    )
    study = study.replace(
        spacing_known=spacing_known,
        orientation_known=known.orientation_known if known is not None else False,
        source=replace(study.source, group=known.source.group if known is not None else ""),
    )
    lies_as_it_did = (
        known is not None
        and study.array.shape == known.array.shape
        and np.allclose(study.affine, known.affine, rtol=1e-6, atol=1e-6)
    )
    # Other pixels in the same place: what was noted of the file's slices is in the file's order.
    return study.replace(grid=known.grid) if known is not None and lies_as_it_did else study


def _pixels(layer: Any, at: Sequence[int] | None) -> Any:
    """Full-resolution pixels of one image: (z, y, x), (y, x), and channels last if RGB."""
    if not hasattr(layer, "rgb"):
        raise LayerError(f"'{layer.name}' is not an image layer: choose an image.")
    data = layer.data[0] if layer.multiscale else layer.data
    extra = layer.ndim - 3
    if extra > 0:
        lengths = data.shape[:extra]
        index = tuple(at) if at is not None else (0,) * extra
        if at is None and any(length > 1 for length in lengths):
            raise LayerError(
                f"'{layer.name}' has {layer.ndim} axes {tuple(data.shape)}: part its time points "
                "or channels (right-click it in the layer list > Split Stack)."
            )
        if len(index) != extra or any(not 0 <= i < n for i, n in zip(index, lengths, strict=True)):
            raise LayerError(
                f"Index {index} is outside the leading axes {lengths} of '{layer.name}'."
            )
        data = data[index]
    if 0 in data.shape:
        raise LayerError(f"'{layer.name}' is empty {tuple(data.shape)}: choose another image.")
    if np.dtype(data.dtype).kind not in "buif":
        raise LayerError(f"'{layer.name}' holds {data.dtype} values: convert it to real numbers.")
    return data


def _compute(pixels: Any) -> np.ndarray:
    """Numbers in memory: a NumPy array as it is, anything lazy slab by slab.

    64-bit numbers and booleans are narrowed on the way; a volume in float64 would be
    four times the size of the scan.
    """
    dtype = np.dtype(pixels.dtype)
    wide = dtype.itemsize == 8 or dtype.kind == "b" or dtype == np.float16
    target = np.dtype(_NARROW[dtype.kind]) if wide else dtype
    if isinstance(pixels, np.ndarray):
        return pixels.astype(target, copy=False)
    out = np.empty(pixels.shape, target)
    for slab in _slabs(pixels.shape, dtype.itemsize):
        out[slab] = np.asarray(pixels[slab])
    return out


def _grey(pixels: Any) -> tuple[np.ndarray, bool]:
    """Luminance of RGB or RGBA (channels last), and whether there was any colour.

    Equal channels give exactly their value, so that a grey CT picture saved as RGB is
    what it was.
    """
    dtype = np.dtype(pixels.dtype)
    whole = dtype.kind in "bui"
    out = np.empty(pixels.shape[:-1], _NARROW[dtype.kind] if dtype.kind in "bf" else dtype)
    coloured = False
    for slab in _slabs(pixels.shape, dtype.itemsize):
        rgb = np.asarray(pixels[slab])[..., :3].astype(np.int64 if whole else np.float32)
        red, green, blue = np.moveaxis(rgb, -1, 0)
        coloured = coloured or bool((red != green).any() or (green != blue).any())
        weighted = 299 * red + 587 * green + 114 * blue
        out[slab] = (weighted + 500) // 1000 if whole else weighted / 1000
    return out, coloured


def _slabs(shape: tuple[int, ...], itemsize: int) -> Iterator[slice]:
    """Cut the first axis into steps of at most about 32 MiB."""
    step = max(1, int(_SLAB_BYTES // max(1, itemsize * int(np.prod(shape[1:])))))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _composed(layer: Any) -> np.ndarray:
    """Matrix of data to world coordinates: scale, rotate, shear, translate, then affine."""
    n = layer.ndim
    origin = np.asarray(layer.data_to_world((0.0,) * n))
    matrix = np.eye(n + 1)
    matrix[:n, n] = origin
    for axis, unit in enumerate(np.eye(n)):
        matrix[:n, axis] = np.asarray(layer.data_to_world(tuple(unit))) - origin
    return matrix


def _in_mm(layer: Any) -> tuple[np.ndarray, bool]:
    """Composed matrix in mm, and whether the layer's units are lengths at all."""
    matrix = _composed(layer)
    units = layer.units[-3:]
    if not all(unit.is_compatible_with("mm") for unit in units):
        return matrix, False
    for axis, unit in enumerate(units, start=layer.ndim - len(units)):
        matrix[axis] *= (1 * unit).to("mm").magnitude
    return matrix, True


def _display_affine(matrix: np.ndarray) -> np.ndarray:
    """Display (z, y, x, 1) to RAS+ from a world matrix of 2 or 3 axes."""
    full = np.eye(4)
    n = len(matrix) - 1
    full[3 - n : 3, 3 - n :] = matrix[:n]
    return RAS_TO_WORLD.T @ full
