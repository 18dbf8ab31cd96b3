"""From a layer and what the user said about it to a study that a model can take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_covidseg import doctor
from napari_covidseg.doctor import Finding
from napari_covidseg.doctor.fixes import file_slices
from napari_covidseg.segmentation import Outcome
from napari_covidseg.study import Modality, Study
from napari_covidseg.viewer import geometry


@dataclass(frozen=True)
class Answers:
    """What the user said about an image; None where the image speaks for itself.

    Attributes
    ----------
    modality : Modality or None
        CT or X-ray.
    is_hu : bool or None
        Whether values are Hounsfield units.
    spacing : tuple of float or None
        mm per array axis.
    fixes : tuple of str
        Fix codes of the input doctor, in the order in which they are done.
    """

    modality: Modality | None = None
    is_hu: bool | None = None
    spacing: tuple[float, ...] | None = None
    fixes: tuple[str, ...] = ()

    def fixed(self, fix_code: str) -> Answers:
        """Add a fix."""
        return replace(self, fixes=(*self.fixes, fix_code))

    def unfixed(self, fix_code: str) -> Answers:
        """Take a fix back."""
        return replace(self, fixes=tuple(f for f in self.fixes if f != fix_code))


@dataclass(frozen=True, eq=False)
class Check:
    """An image, ready to run or with the reason why not.

    Attributes
    ----------
    detected : Study
        As the layer alone tells it.
    study : Study
        With the user's answers and fixes.
    findings : tuple of Finding
        What the input doctor says of `study`.
    """

    detected: Study
    study: Study
    findings: tuple[Finding, ...]

    @property
    def stop(self) -> Finding | None:
        """Why a run would be meaningless, if it would."""
        return next((f for f in self.findings if f.severity == "stop"), None)


def look(layer: Any, answers: Answers) -> Check:
    """Read a layer and let the doctor look at it. Slow on a big image: call it off the GUI.

    Raises
    ------
    CovidsegError
        If the layer cannot be read, or an answer does not fit it.
    """
    detected = geometry.study_from_layer(layer)
    study = with_answers(detected, answers)
    return Check(detected, study, doctor.examine(study))


def with_answers(study: Study, answers: Answers) -> Study:
    """Take over what the user said, then do the fixes."""
    if answers.modality is not None:
        study = study.replace(modality=answers.modality)
    if answers.is_hu is not None:
        study = study.replace(is_hu=answers.is_hu)
    if answers.spacing is not None:
        study = _with_spacing(study, answers.spacing)
    for code in answers.fixes:
        study = doctor.apply_fix(study, code)
    return study


def onto_pixels(array: np.ndarray, check: Check) -> np.ndarray:
    """Bring an array from the study that was run to the layer's own pixels.

    A fix may have flipped or turned the image: both studies lie on the same native grid,
    and through it the way back moves no voxel. Where slices were evened out, each slice
    of the file takes the nearest one.
    """
    ran, shown = check.study.grid, check.detected.grid
    if (ran.shape, ran.axes, ran.flips) == (shown.shape, shown.axes, shown.flips):
        return array
    native = ran.to_native(array)
    if native.shape[0] == ran.shape[0] != shown.shape[0]:
        native = native[file_slices(check.detected, check.study)]
    return np.ascontiguousarray(shown.to_display(native))


def onto_layer(outcome: Outcome, check: Check) -> Outcome:
    """Bring results back from the study that was run to the layer's own pixels.

    See `onto_pixels`; slices are renumbered as the layer shows them.
    """
    segmentations = tuple(
        replace(s, labels=onto_pixels(s.labels, check)) for s in outcome.segmentations
    )
    classifications = outcome.classifications
    if check.study.ndim == 3:
        indices = np.arange(check.study.array.shape[0])[:, None, None]
        ran_at = onto_pixels(indices, check).ravel().tolist()
        classifications = tuple(
            replace(c, slices=_moved(c.slices, ran_at)) for c in classifications
        )
    return replace(outcome, segmentations=segmentations, classifications=classifications)


def _moved(
    slices: tuple[tuple[int, float], ...], ran_at: list[int]
) -> tuple[tuple[int, float], ...]:
    """Renumber slices as shown; `ran_at` tells where each of them was in the run."""
    probability = dict(slices)
    return tuple((i, probability[z]) for i, z in enumerate(ran_at) if z in probability)


def _with_spacing(study: Study, spacing: tuple[float, ...]) -> Study:
    affine = study.affine.copy()
    old = np.linalg.norm(affine[:3, :3], axis=0)
    new = np.array((old[0], *spacing)[-3:]) if study.ndim == 2 else np.array(spacing)
    affine[:3, :3] *= new / old
    return study.replace(
        affine=affine,
        spacing_known=True,
        notes=tuple(note for note in study.notes if note.code != "spacing-unknown"),
    )
