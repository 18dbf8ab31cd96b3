"""Corrected masks kept as training cases, in the layout of nnU-Net v2.

::

    Dataset702_CT-infection/
      dataset.json                      what nnU-Net reads
      imagesTr/case-1f3a_0000.nii.gz    the image
      labelsTr/case-1f3a.nii.gz         the mask as a person left it
      predictions/case-1f3a.nii.gz      the model's first answer
      cases/case-1f3a.json              who, when, with which model
      history/case-1f3a.1.nii.gz        the mask before it was corrected again

A mask that a person corrected and one that a model made never share a folder. Nothing in
it names a patient: headers are written anew, and a case is called after its pixels. Which
cases are of one examination is told by a digest of its DICOM identifier.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_covidseg import io
from napari_covidseg.annotation import sidecar
from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.annotation.layout import (
    CASES,
    DESCRIPTION,
    HISTORY,
    IMAGES,
    LABELS,
    PREDICTIONS,
    Kind,
    dataset_for,
)
from napari_covidseg.annotation.transaction import locked, replace_all
from napari_covidseg.io.atomic import write_text
from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import CovidsegError, Modality, Study

__all__ = ["Case", "CaseError", "dataset_for", "load_cases", "name_of", "read_case", "save_case"]


@dataclass(frozen=True)
class Case:
    """One saved case.

    Attributes
    ----------
    name : str
        As in its file names.
    image, labels : Path
        The image and the mask as a person left it.
    prediction : Path or None
        The model's first answer, where there was a model.
    facts : mapping
        The sidecar: scheme, modality, provenance, checksums.
    """

    name: str
    image: Path
    labels: Path
    prediction: Path | None
    facts: Mapping[str, Any]


def name_of(study: Study) -> str:
    """Name a case after its pixels: the same image is the same case on every machine."""
    digest = hashlib.blake2b(repr(study.array.shape).encode(), digest_size=6)
    for plane in study.slices():
        digest.update(np.ascontiguousarray(plane).data)
    return f"case-{digest.hexdigest()}"


def save_case(
    dataset: Path,
    study: Study,
    labels: np.ndarray,
    scheme: LabelScheme,
    *,
    prediction: np.ndarray | None = None,
    provenance: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Path:
    """Save an image with its corrected mask: the whole case, or nothing.

    A case that is there already is corrected again; its last mask goes to ``history/``.

    Parameters
    ----------
    dataset : Path
        A dataset folder, made if need be; all its cases are of one kind (see `layout`).
    study : Study
        The image.
    labels : ndarray of integers, shape of ``study.array``
        The mask as the person left it, display order.
    scheme : LabelScheme
        What its values mean.
    prediction : ndarray, optional
        The model's first answer, untouched.
    provenance : mapping, optional
        `sidecar.PROVENANCE`: model, version, threshold, device, annotator.
    name : str, optional
        Name of the case; by default `name_of` the study.

    Returns
    -------
    Path
        The case's sidecar, ``cases/<name>.json``.

    Raises
    ------
    CaseError
        If the name does not fit nnU-Net or is that of another image, the dataset is of another
        kind, another program does not let go of it, or the disk cannot take it.
    CovidsegError
        If a mask does not fit the image or its label set.
    """
    dataset = Path(dataset)
    name = name if name is not None else name_of(study)
    sidecar.check_name(name)
    kind = Kind.of(study, scheme)
    _check_kind(dataset, kind)
    # On the way out only geometry and pixels count; a header may carry a name.
    plain = study.replace(source=study.source.__class__("array", name))
    try:
        dataset.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".saving-", dir=dataset))
    except OSError as error:
        raise _no_room(dataset, error) from error
    try:
        image, mask, first = (
            staged / f"{part}{kind.ending}" for part in ("image", "mask", "first")
        )
        io.write_image(plain, image)
        io.write_mask(labels, plain, mask, scheme)
        if prediction is not None:
            io.write_mask(prediction, plain, first, scheme)
        facts = sidecar.describe(study, scheme, name, provenance)
        facts["changed_voxels"] = (
            int(np.count_nonzero(np.asarray(labels) != prediction))
            if prediction is not None
            else None
        )
        files = sidecar.files(name, kind.ending, prediction is not None)
        facts |= files
        facts["sha256"] = {
            key: sidecar.sha256(path)
            for key, path in (("image", image), ("labels", mask), ("prediction", first))
            if path.exists()
        }
        with locked(dataset):
            _check_kind(dataset, kind)
            _check_image(dataset / facts["image"], study, name)
            _commit(dataset, staged, kind, facts)
    except OSError as error:
        raise _no_room(dataset, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return dataset / CASES / f"{name}.json"


def load_cases(dataset: Path) -> tuple[Case, ...]:
    """List the whole cases of a dataset, by name.

    Raises
    ------
    CaseError
        If there is no dataset in the folder.
    """
    dataset = Path(dataset)
    if Kind.read(dataset) is None:
        raise CaseError(f"{dataset.name} holds no dataset: save a training case into it first.")
    cases = []
    for path in sorted((dataset / CASES).glob("*.json")):
        try:
            facts = json.loads(path.read_text())
            first = facts["prediction"]
            case = Case(
                path.stem,
                dataset / facts["image"],
                dataset / facts["labels"],
                dataset / first if first else None,
                facts,
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not ours, or not whole
        if case.image.is_file() and case.labels.is_file():
            cases.append(case)
    return tuple(cases)


def read_case(case: Case) -> tuple[Study, np.ndarray]:
    """Read a case's image, with its meaning restored, and the corrected mask.

    Raises
    ------
    CovidsegError
        If a file is damaged, or is no longer the one that was saved.
    """
    for key, path in (("image", case.image), ("labels", case.labels)):
        if sidecar.sha256(path) != case.facts["sha256"][key]:
            raise CaseError(
                f"{path.name} was changed since it was saved: save the case again, or delete it."
            )
    study = io.read(case.image)
    facts = case.facts
    study = study.replace(
        modality=Modality(facts["modality"]) if facts["modality"] else None,
        is_hu=facts["hounsfield_units"],
        spacing_known=facts["spacing_known"],
        orientation_known=facts["orientation_known"],
    )
    return study, io.read_mask(case.labels, study)


def _commit(dataset: Path, staged: Path, kind: Kind, facts: dict[str, Any]) -> None:
    """Put a staged case in place. The image goes last: nnU-Net lists cases by images."""
    name = facts["case"]
    record = dataset / CASES / f"{name}.json"
    number, history = _history(dataset, staged, record, kind.ending)
    facts["revision"] = 1 + number
    facts["group"] = sidecar.group(record, facts["group"])
    write_text(staged / "case.json", json.dumps(facts, indent=1))
    is_new = not (dataset / facts["image"]).exists()
    cases = len(list((dataset / IMAGES).glob(f"*_0000{kind.ending}"))) + is_new
    write_text(staged / DESCRIPTION, json.dumps(kind.describe(cases), indent=1))
    moves = [(staged / f"mask{kind.ending}", dataset / facts["labels"])]
    if facts["prediction"]:
        moves.append((staged / f"first{kind.ending}", dataset / facts["prediction"]))
    moves += [
        (staged / "case.json", record),
        (staged / DESCRIPTION, dataset / DESCRIPTION),
        (staged / f"image{kind.ending}", dataset / facts["image"]),
    ]
    replace_all([*history, *moves], staged)
    if not facts["prediction"]:
        (dataset / PREDICTIONS / f"{name}{kind.ending}").unlink(missing_ok=True)


def _history(
    dataset: Path, staged: Path, record: Path, ending: str
) -> tuple[int, list[tuple[Path, Path]]]:
    """Plan the moves that keep the last mask, its sidecar and its model's answer.

    Returns
    -------
    number : int
        Which saving it was that is kept, 0 where there is nothing to keep. A mask without a
        sidecar, or with a damaged one, is kept as well, and none in the history is replaced.
    moves : list of (Path, Path)
    """
    name, moves = record.stem, []
    old = {
        ending: dataset / LABELS / f"{name}{ending}",
        f".prediction{ending}": dataset / PREDICTIONS / f"{name}{ending}",
        ".json": record,
    }
    there = {rest: source for rest, source in old.items() if source.is_file()}
    if not there:
        return 0, []
    kept = re.compile(rf"{re.escape(name)}\.(\d+)\.")
    past = [int(m[1]) for p in (dataset / HISTORY).glob("*") if (m := kept.match(p.name))]
    number = max(sidecar.revision(record), 1 + max(past, default=0))
    for rest, source in there.items():
        copy = staged / f"old-{name}.{number}{rest}"
        shutil.copy2(source, copy)
        moves.append((copy, dataset / HISTORY / f"{name}.{number}{rest}"))
    return number, moves


def _check_kind(dataset: Path, kind: Kind) -> None:
    there = Kind.read(dataset)
    if there is not None and there != kind:
        raise CaseError(
            f"The dataset {dataset.name} holds {there}, and this case is {kind}: "
            "choose another dataset folder; one dataset holds one kind."
        )


def _check_image(path: Path, study: Study, name: str) -> None:
    """Raise if a case of this name was made of other pixels: its image would be lost."""
    if not path.is_file() or name == name_of(study):
        return
    there, new = io.read(path).array, study.array
    if there.shape != new.shape or not ((there == new) | ((there != there) & (new != new))).all():
        raise CaseError(f"The case {name} is of another image: choose another name.")


def _no_room(dataset: Path, error: OSError) -> CovidsegError:
    return CaseError(
        f"The case could not be saved in {dataset.name}: {error.strerror or error}. "
        "Nothing was changed; free some space or choose another folder."
    )
