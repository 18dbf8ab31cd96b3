"""Which label file holds what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_covidseg.labels import ANY_OPACITY, INFECTION, LUNGS, OPACITY, SCHEMES
from napari_covidseg.study import CovidsegError

_WORDS = {
    LUNGS.key: r"lungs?|lungmask",
    INFECTION.key: r"(?<!xray-)infections?|lesions?",
    OPACITY.key: r"opacity|opacities|ggo",
    ANY_OPACITY.key: r"xray-infection",
}


@dataclass(frozen=True)
class LabelFile:
    """A label map on disk.

    Attributes
    ----------
    path : Path
        The file.
    kind : str or None
        Key of its scheme; None where neither the user nor the name tells.
    """

    path: Path
    kind: str | None


def assign(arguments: Sequence[str]) -> tuple[LabelFile, ...]:
    """Tell what each label file holds.

    ``KIND=FILE`` settles it. Else a word of the file's name does, then one of its folder's
    name: ``masks/ct-lungs/scan.nii.gz`` holds lungs.

    Parameters
    ----------
    arguments : sequence of str
        As on the command line.

    Raises
    ------
    CovidsegError
        If there is none, two hold the same, several hold nobody knows what, or a kind is
        unknown.
    """
    files = tuple(_one(argument) for argument in arguments)
    if not files:
        raise CovidsegError("there is nothing to measure: give label maps with --labels FILE.")
    seen: dict[str | None, Path] = {}
    for file in files:
        if len(files) > 1 and file.kind is None:
            raise CovidsegError(
                f"cannot tell what {file.path} holds: say --labels lungs={file.path} "
                f"or --labels infection={file.path}."
            )
        if file.kind in seen:
            raise CovidsegError(
                f"{seen[file.kind]} and {file.path} both hold {file.kind}: measure one at a time."
            )
        seen[file.kind] = file.path
    return files


def _one(argument: str) -> LabelFile:
    kind, equals, path = argument.partition("=")
    if equals and kind in SCHEMES:
        return LabelFile(Path(path), kind)
    named = Path(argument)
    if equals and not named.exists() and Path(path).exists():
        raise CovidsegError(
            f"no kind of label map is named '{kind}' ({argument}): choose one of "
            f"{', '.join(SCHEMES)}."
        )
    for name in (named.name, named.resolve().parent.name):
        kinds = [
            k
            for k, words in _WORDS.items()
            if re.search(rf"(?<![a-z])({words})(?![a-z])", name.lower())
        ]
        if len(kinds) == 1:
            return LabelFile(named, kinds[0])
    return LabelFile(named, None)
