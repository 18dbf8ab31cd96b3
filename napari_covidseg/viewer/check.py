"""From a layer and what the user said about it to a study that a model can take."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_covidseg import doctor
from napari_covidseg.doctor import Finding
from napari_covidseg.doctor.fixes import file_slices
from napari_covidseg.segmentation import Outcome
from napari_covidseg.study import CovidsegError, Modality, Study
from napari_covidseg.viewer import geometry
from napari_covidseg.viewer.background import our_fault

logger = logging.getLogger(__name__)

_IGNORE = "ignore-spacing"
_SAID_OF_THE_FILE = {_IGNORE}
"""Fixes that say what a file is and change neither its pixels nor where they lie."""

_SET = {Modality.CT: "set-ct", Modality.XR: "set-xray"}


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
        """Add a fix; one that sets the modality is the answer to what made the image.

        A spacing that is ignored is ignored where it was typed, too.
        """
        for modality, code in _SET.items():
            if code == fix_code:
                return replace(self, modality=modality)
        answers = replace(self, spacing=None) if fix_code == _IGNORE else self
        return replace(answers, fixes=(*self.fixes, fix_code))

    def unfixed(self, fix_code: str) -> Answers:
        """Take a fix back; what was typed in place of an ignored spacing goes with it."""
        answers = replace(self, spacing=None) if fix_code == _IGNORE else self
        return replace(answers, fixes=tuple(f for f in self.fixes if f != fix_code))

    def spaced(self, spacing: tuple[float, ...] | None) -> Answers:
        """Take over a spacing, in place of one that was assumed; None takes it back."""
        answers = self if spacing is None else self.unfixed("assume-spacing")
        return replace(answers, spacing=spacing)

    @property
    def ignores_spacing(self) -> bool:
        """Whether the file's own spacing is to count for nothing."""
        return _IGNORE in self.fixes

    def spacing_of(self, study: Study) -> tuple[float, ...] | None:
        """Give the spacing, unless the image has got another number of axes since."""
        fits = self.spacing is not None and len(self.spacing) == study.ndim
        return self.spacing if fits else None


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
    skipped : mapping of str to str
        Code of each fix that the user took and that could not be done, and why.
    answers : Answers
        What `study` was made with.
    """

    detected: Study
    study: Study
    findings: tuple[Finding, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    @property
    def stop(self) -> Finding | None:
        """Why a run would be meaningless, if it would."""
        return next((f for f in self.findings if f.severity == "stop"), None)

    @property
    def measured(self) -> Study:
        """What masks on the layer are measured on: its own pixels, size and values as answered.

        Made slices hold nothing that was seen, so they are left out: ``measure`` counts each
        slice of an uneven series for its distance to its neighbours. May copy the volume.
        """
        fixes = tuple(f for f in self.answers.fixes if f != "even-slices")
        made = self.study
        if fixes != self.answers.fixes:
            made = with_answers(self.detected, replace(self.answers, fixes=fixes))
        shown = self.detected.grid
        if (made.grid.axes, made.grid.flips) == (shown.axes, shown.flips):
            return made
        spacing = tuple(made.spacing[made.grid.axes.index(axis)] for axis in shown.axes)
        return made.replace(
            array=np.ascontiguousarray(shown.to_display(made.grid.to_native(made.array))),
            affine=_with_spacing(made, spacing).affine,
            grid=shown,
        )

    @property
    def kept(self) -> Study:
        """What travels with masks and is saved with them: the file's own pixels and geometry.

        Of the answers it has only those on what the file is: a spacing that was typed or
        assumed is none of the file's.
        """
        fixes = tuple(f for f in self.answers.fixes if f in _SAID_OF_THE_FILE)
        return with_answers(self.detected, replace(self.answers, spacing=None, fixes=fixes))


def look(layer: Any, answers: Answers) -> Check:
    """Read a layer and let the doctor look at it. Slow on a big image: call it off the GUI.

    Trouble with what the user said comes as a finding that stops a run: an answer can
    only be taken back as long as the image is shown.

    Raises
    ------
    CovidsegError
        If the layer cannot be read.
    """
    detected = geometry.study_from_layer(layer)
    try:
        study, skipped = _answered(detected, answers)
        findings = tuple(f for f in doctor.examine(study) if not _is_answered(f, answers))
        return Check(detected, study, findings, skipped, answers)
    except CovidsegError as error:
        trouble = error
    except Exception as error:
        logger.debug("The image could not be looked at", exc_info=True)
        trouble = our_fault(error)
    stop = Finding(
        "not-looked-at",
        "stop",
        str(trouble),
        "No model can be run on the image.",
        "Take back what you fixed or chose." if answers != Answers() else None,
    )
    return Check(detected, detected, (stop,), dict.fromkeys(answers.fixes, ""))


def _is_answered(finding: Finding, answers: Answers) -> bool:
    """Whether the user has said what a finding asks; one that doubts the answer stays."""
    if finding.code == "orientation-unknown":
        return "flip-horizontal" in answers.fixes
    return (
        finding.code == "modality-guessed"
        and finding.severity == "info"
        and answers.modality is not None
    )


def same_image(one: Study, other: Study) -> bool:
    """Whether a model is shown the same in both."""
    if one is other:
        return True
    facts = [
        (s.modality, s.is_hu, s.spacing_known, s.orientation_known, s.array.shape)
        for s in (one, other)
    ]
    if facts[0] != facts[1] or not np.array_equal(one.affine, other.affine):
        return False
    return one.array is other.array or all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(one.slices(), other.slices(), strict=True)
    )


def with_answers(study: Study, answers: Answers) -> Study:
    """Take over what the user said, then do the fixes that fit."""
    return _answered(study, answers)[0]


def _answered(study: Study, answers: Answers) -> tuple[Study, dict[str, str]]:
    """Do as `with_answers`, and tell which fixes no longer fit and why."""
    if answers.modality is not None:
        study = doctor.apply_fix(study, _SET[answers.modality])
    if answers.is_hu is not None:
        study = study.replace(is_hu=answers.is_hu)
    spacing = answers.spacing_of(study)
    if spacing is not None:
        study = _with_spacing(study, spacing)
    skipped = {}
    for code in answers.fixes:
        if code == _IGNORE and spacing is not None:
            continue  # what was typed stands in its place
        try:
            study = doctor.apply_fix(study, code)
        except CovidsegError as error:
            # It fitted when it was taken; the user has changed the image or an answer since.
            skipped[code] = str(error)
    return study, skipped


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
