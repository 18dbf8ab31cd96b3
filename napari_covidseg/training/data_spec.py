"""The typed ``[[data]]`` tables of a recipe: a shared set by its name, or a user's own data."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

Value = Annotated[int, Field(ge=0, le=255)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(1.0, ge=0)


class SharedSet(_Table):
    """A data set that shipped models learn from.

    Attributes
    ----------
    set : str
        Name of a loader in ``training.sources``.
    share : float
        Part of the slices of a batch that come from it, relative to the other sets. 0: it is
        not learnt from, its held-out cases are measured.
    """

    set: str


class GroupTable(BaseModel):
    """A CSV file that tells the patient of each image.

    Attributes
    ----------
    file : str
        The CSV file, relative to the data's `path`.
    image, group : str
        Its columns: name of the image (with or without ending), and patient.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    image: str
    group: str


class _OwnData(_Table):
    """What a user's own data have in common, whatever their kind.

    Attributes
    ----------
    path : str
        Where they lie, relative to the data folder.
    name : str
        What the set is called in splits and tables; by default made from `path`.
    groups : str or GroupTable or None
        How to tell the patient of an image, so that a patient is never on both sides of
        the split: a regular expression whose first group is found in the image's path below
        its folder, or a CSV file. Without it every image counts as a patient of its own.
    fixes : tuple of str
        Fixes of the input doctor that each image gets, e.g. ``"rescale"``.
    """

    path: str = Field(min_length=1)
    name: str = Field("", pattern=r"^([a-z0-9][a-z0-9_-]*)?$")
    groups: str | GroupTable | None = None
    fixes: tuple[Literal["rescale", "invert", "replace-nonfinite"], ...] = ()

    @field_validator("groups")
    @classmethod
    def _has_a_group(cls, value: str | GroupTable | None) -> str | GroupTable | None:
        if isinstance(value, str):
            try:
                count = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression ({error})") from error
            if not count:
                raise ValueError(f"{value!r} needs the patient in parentheses, as '^(p[0-9]+)_'")
        return value

    @property
    def set(self) -> str:
        """Name of the set."""
        stem = PurePosixPath(self.path.replace("\\", "/")).stem.lower()
        return self.name or re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_") or "own"


class _Matched(_OwnData):
    """Images and masks in two folders, matched by name.

    Attributes
    ----------
    images, masks : str
        The folders, relative to `path`; ``"."`` is `path` itself. Subfolders count.
    image_suffix, mask_suffix : str
        What the stems of images and of masks end in beyond the name that they share.
    labels : dict or None
        Value in the masks to label name (see ``sources.own.label_values``); without it the
        values must be those of the recipe's scheme.
    """

    images: str = "images"
    masks: str = "masks"
    image_suffix: str = ""
    mask_suffix: str = ""
    labels: dict[Value, str] | None = None


class Pairs(_Matched):
    """Pictures (PNG, JPEG, TIFF) with masks as pictures."""

    kind: Literal["pairs"]


class Nifti(_Matched):
    """NIfTI images with NIfTI masks of the same shape and affine; volumes become slices."""

    kind: Literal["nifti"]


class SavedCases(_OwnData):
    """A dataset folder that the plugin saved (see ``annotation.cases``).

    Attributes
    ----------
    labels : dict or None
        Label name in the dataset to label name; without it they must be the scheme's.
    """

    kind: Literal["dataset"]
    labels: dict[str, str] | None = None


class Coco(_OwnData):
    """Pictures with polygons or run lengths in one COCO file, which `path` names.

    Attributes
    ----------
    images : str
        Folder of the pictures, relative to that of the file.
    labels : dict or None
        Category name to label name; without it categories must be called as labels.
        Categories that are not named here are background.
    """

    kind: Literal["coco"]
    images: str = "."
    labels: dict[str, str] | None = None


OwnData = Pairs | Nifti | SavedCases | Coco


def _kind(value: Any) -> Any:
    """Tell the kind of a table, so that its errors speak of that kind alone."""
    if isinstance(value, dict):
        return value.get("kind", "set")
    return getattr(value, "kind", "set")


DataSpec = Annotated[
    Annotated[SharedSet, Tag("set")]
    | Annotated[Pairs, Tag("pairs")]
    | Annotated[Nifti, Tag("nifti")]
    | Annotated[SavedCases, Tag("dataset")]
    | Annotated[Coco, Tag("coco")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="kind must be one of pairs, nifti, dataset, coco",
    ),
]
