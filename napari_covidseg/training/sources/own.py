"""A user's own data as items, whatever kind of folder they lie in.

A `kind` finds images with their masks (`Entry`); here they are read, looked at by the input
doctor and made into items. Names of files may name patients, and items are named in logs,
reports and the files of a model: so items and groups are called by an `alias`.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_covidseg import doctor
from napari_covidseg.inference.frame import body_frame, lung_frame, whole_frame
from napari_covidseg.inference.window import ct_window, xray_window
from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import CovidsegError, Modality, Study
from napari_covidseg.training.data_spec import Coco, GroupTable, Nifti, OwnData, Pairs
from napari_covidseg.training.sources import coco, pairs, saved_cases
from napari_covidseg.training.sources.entry import Entry
from napari_covidseg.training.sources.item import Item


@dataclass(frozen=True, eq=False)
class Loaded:
    """One data set of a recipe, read.

    Attributes
    ----------
    items : tuple of Item
        Slices and pictures.
    files : tuple of (str, str, Path)
        Alias, alias of the group, and file of each image of a user's own set: for the
        user's eyes only.
    remarks : tuple of str
        What the input doctor warns of in a user's own set, with counts.
    """

    items: tuple[Item, ...]
    files: tuple[tuple[str, str, Path], ...] = ()
    remarks: tuple[str, ...] = ()


def load_own(spec: OwnData, data: Path, scheme: LabelScheme, modality: Modality) -> Loaded:
    """Read a user's own data.

    Parameters
    ----------
    spec : OwnData
        The recipe's table.
    data : Path
        Data folder.
    scheme : LabelScheme
        That of the recipe.
    modality : Modality
        What the recipe is for.

    Raises
    ------
    CovidsegError
        If a file is missing, damaged or has no partner, an image and its mask do not fit
        each other, or a mask holds a value that no label is given for.
    """
    entries = _entries(spec, data, scheme)
    if not entries:
        raise CovidsegError(f"There is no image in {spec.path}: check path and folders in data.")
    groups = groups_of(spec, data, entries)
    items: list[Item] = []
    remarks: Counter[str] = Counter()
    files = []
    for entry, group in zip(entries, groups, strict=True):
        study, labels = entry.read()
        study, said = _looked_at(study.replace(modality=modality), spec.fixes, entry)
        remarks.update(said)
        items += _items(study, labels, scheme, (spec.set, alias(group), alias(entry.key)))
        files.append((alias(entry.key), alias(group), entry.image))
    told = [f"{spec.set}: {n} of {len(entries)} images: {what}" for what, n in remarks.items()]
    return Loaded(tuple(items), tuple(files), tuple(told))


def alias(name: str) -> str:
    """Name for a file or a group that does not show it, the same on every machine.

    Whoever has a list of the names can find out which is meant: it keeps names out of
    logs and models, and is no protection against a search. A model says by it what it has
    learnt from (see ``held_out``): another hash would make old cases look new.
    """
    return hashlib.blake2b(name.encode(), person=b"covidseg-alias", digest_size=5).hexdigest()


def label_values(scheme: LabelScheme) -> dict[str, int]:
    """Value of each label name that `labels` of a recipe may use.

    Beside the scheme's own names these are ``"background"``, the scheme's key for "any of
    its labels, not told which" (e.g. ``"lungs"``), and ``"not told"`` for pixels about
    which the mask says nothing. The values are those of ``training.losses``.
    """
    names = {name: value for value, name in scheme.names.items()}
    anything = len(names) + 1 if len(names) > 1 else scheme.labels[0].value
    return {scheme.key: anything, "background": 0, "not told": not_told(scheme), **names}


def not_told(scheme: LabelScheme) -> int:
    """Value of pixels about which a mask says nothing, see ``training.losses``."""
    return max(scheme.values) + 2


def groups_of(spec: OwnData, data: Path, entries: Sequence[Entry]) -> list[str]:
    """Patient of each image, as the recipe says how to tell.

    Raises
    ------
    CovidsegError
        If it cannot be told for an image.
    """
    if spec.groups is None:
        return [entry.group or entry.key for entry in entries]
    keys = [entry.key for entry in entries]
    if isinstance(spec.groups, GroupTable):
        folder = data / spec.path
        known = _table(folder if folder.is_dir() else folder.parent, spec.groups)
        found = [known.get(key) or known.get(key.rsplit("/", 1)[-1]) for key in keys]
        where = spec.groups.file
    else:
        matches = [re.search(spec.groups, key) for key in keys]
        found = [match and match.group(1) for match in matches]
        where = repr(spec.groups)
    for key, group in zip(keys, found, strict=True):
        if not group:
            raise CovidsegError(f"{key}: {where} does not tell its patient: correct `groups`.")
    return [str(group) for group in found]


def _table(folder: Path, table: GroupTable) -> dict[str, str]:
    """Image, without ending, to group: by its path as it is given, and by its name alone.

    A name that stands for several groups is nobody's.
    """
    paths: dict[str, str] = {}
    names: dict[str, str] = {}
    path = folder / table.file
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            name, group = pairs.without_ending(row[table.image]), row[table.group]
            paths[(Path(row[table.image]).parent / name).as_posix()] = group
            names[name] = group if names.get(name, group) == group else ""
    except OSError as error:
        raise CovidsegError(f"{path} cannot be read ({error.strerror}): check `groups`.") from error
    except (KeyError, csv.Error, UnicodeDecodeError) as error:
        raise CovidsegError(
            f"{path.name} is no CSV file with the columns {table.image!r} and {table.group!r}: "
            "check `groups`."
        ) from error
    return names | paths


def _entries(spec: OwnData, data: Path, scheme: LabelScheme) -> list[Entry]:
    values = label_values(scheme)
    if isinstance(spec, Pairs | Nifti):
        return pairs.find(spec, data / spec.path, _by_value(spec.labels, scheme, values))
    names = _by_name(spec.labels, scheme, values)
    if isinstance(spec, Coco):
        return coco.find(spec, data / spec.path, names)
    return saved_cases.find(data / spec.path, names)


def _by_value(
    labels: Mapping[int, str] | None, scheme: LabelScheme, values: Mapping[str, int]
) -> dict[int, int]:
    """Value in the file to value in training; 0 is background unless it is said otherwise."""
    if labels is None:
        return {0: 0, **{value: value for value in scheme.values}}
    return {0: 0, **{value: _value(name, values) for value, name in labels.items()}}


def _by_name(
    labels: Mapping[str, str] | None, scheme: LabelScheme, values: Mapping[str, int]
) -> dict[str, int]:
    """Name in the file to value in training."""
    if labels is None:
        return dict(values)
    return {given: _value(name, values) for given, name in labels.items()}


def _value(name: str, values: Mapping[str, int]) -> int:
    if name not in values:
        raise CovidsegError(
            f"labels: {name!r} is none of the scheme's labels: choose of {', '.join(values)}."
        )
    return values[name]


def _looked_at(study: Study, fixes: Sequence[str], entry: Entry) -> tuple[Study, list[str]]:
    """Apply the fixes that the recipe asks for; give what the doctor still warns of."""
    offered = {finding.fix_code for finding in doctor.examine(study)}
    for fix in fixes:
        if fix in offered:
            study = doctor.apply_fix(study, fix)
    found = doctor.examine(study)
    for finding in found:
        if finding.severity == "stop":
            raise CovidsegError(f"{entry.image.name}: {finding.what} {finding.fix or ''}".strip())
    # Numbers differ from image to image; without them the same warning is counted once.
    return study, [re.sub(r"[-\d.,]*\d", "…", f.what) for f in found if f.severity == "warning"]


def _items(
    study: Study, labels: np.ndarray, scheme: LabelScheme, names: tuple[str, str, str]
) -> Iterator[Item]:
    """Slices of one image; those of a volume share window and frames."""
    set_name, group, name = names
    array = study.slices()
    masks = labels.reshape(array.shape)
    deep = len(array) > 1
    dz, dy, dx = (1.0, *study.spacing)[-3:]
    if study.modality is Modality.CT:
        window = ct_window(array, study.is_hu)
        body = body_frame(array, window, dy / dx)
    else:
        window, body = xray_window(array), whole_frame(array.shape, dy / dx)
    drawn = (masks > 0) & (masks != not_told(scheme))
    lungs = lung_frame(drawn, dy / dx) if scheme.key == "lungs" else None
    spacing = (dz, dy, dx) if deep and study.spacing_known else None
    for z, (picture, mask) in enumerate(zip(array, masks, strict=True)):
        yield Item(
            set_name,
            group,
            f"{name}_z{z:03d}" if deep else name,
            picture,
            mask,
            window,
            body,
            lungs,
            study.is_hu,
            None if lungs is None else int(drawn[z].sum()),
            name if deep else None,
            spacing=spacing,
        )
