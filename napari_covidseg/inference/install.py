"""Put a trained model among the user's own, after looking whether it is whole.

Each version has a folder of its own, ``NAME-VERSION`` beside all others: what is
installed never changes, so ``name@version`` means the same weights for ever, and one
rename puts a model in place. Models that ship are never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from napari_covidseg.inference.registry import (
    ModelError,
    ModelInfo,
    available,
    newer,
    own_folder,
    read_model,
)
from napari_covidseg.io.atomic import atomic_folder, write_bytes, write_text

LARGEST_MB = 100
"""Weights of more than this are refused: five times what a shipped model may have."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")

CARD = (
    "README.md",
    "metrics.json",
    "cross-validation.json",
    "leave-one-source-out.json",
    "notes.md",
    "reliability.png",
    "phantom-worst.png",
)
"""The card, and all that it is made of: it can be written anew from what is installed."""

BESIDE = (*CARD, "recipe.toml", "split.json", "learnt.json")
"""What is copied with description and weights, where it is there."""


def install(folder: Path, *, replace: bool = False, default: bool = True) -> ModelInfo:
    """Check a model folder and copy it into `registry.own_folder`.

    Parameters
    ----------
    folder : Path
        With ``model.json`` and weights, e.g. what a training wrote.
    replace : bool
        Whether a model of a shipped one's name, and of a higher version, may answer for
        that name from now on.
    default : bool
        Whether it may answer for its name at all, or is there on request only.

    Returns
    -------
    ModelInfo
        The model where it lies now.

    Raises
    ------
    ModelError
        If the model is damaged, too large, does not fit its architecture, is installed
        already, or would stand in for a shipped one.
    CovidsegError
        If the copy cannot be written; nothing is left of it then.
    """
    info = check(folder)
    check_name(info.name, info.version, replace=replace)
    files = [info.weights, *(info.folder / name for name in BESIDE)]
    with atomic_folder(own_folder() / f"{info.name}-{info.version}") as staged:
        for path in files:
            if path.is_file():
                write_bytes(staged / path.name, path.read_bytes())
        _describe(info, staged, default)
    return read_model(own_folder() / f"{info.name}-{info.version}")


def check(folder: Path) -> ModelInfo:
    """Read a model folder and make sure that it can be run.

    Raises
    ------
    ModelError
        Naming what is wrong with it.
    """
    from napari_covidseg.inference.network import load_network

    info = read_model(folder)
    for text, pattern, what, like in (
        (info.name, NAME, "name", "my-lungs: small letters, digits and '-'"),
        (info.version, VERSION, "version", "1.0.0: three numbers"),
    ):
        if not pattern.fullmatch(text):
            raise ModelError(f"The {what} {text!r} in {folder / 'model.json'} must be like {like}.")
    if info.size_mb > LARGEST_MB:
        raise ModelError(
            f"The weights of {info.name} have {info.size_mb:.0f} MB, and at most {LARGEST_MB} MB "
            "are taken: train a smaller network."
        )
    load_network(info)
    return info


def make_default(info: ModelInfo, default: bool = True) -> ModelInfo:
    """Let an installed model answer for its name, or for name and version only.

    Raises
    ------
    ModelError
        If it is not one of the user's own.
    """
    if info.folder.parent != own_folder():
        raise ModelError(f"{info.reference} is not installed as a model of your own.")
    _describe(info, info.folder, default)
    return read_model(info.folder)


def check_name(
    name: str, version: str, *, replace: bool = False, known: Iterable[ModelInfo] | None = None
) -> None:
    """Make sure that a model of this name and version may be installed.

    Parameters
    ----------
    name, version : str
        Of the new model.
    replace : bool
        As in `install`.
    known : iterable of ModelInfo, optional
        What ``registry.available`` gave, where it was asked already.

    Raises
    ------
    ModelError
        If it is installed already, or would stand in for a shipped one.
    """
    same = [other for other in (available() if known is None else known) if other.name == name]
    if any(other.version == version for other in same):
        raise ModelError(
            f"{name} {version} is installed already: give the new one a higher version."
        )
    shipped = [other for other in same if other.shipped]
    if not shipped:
        return
    if not newer(version, shipped[0].version):
        raise ModelError(
            f"{name} is the name of a model that ships, in version {shipped[0].version}: "
            "give yours another name, or a higher version."
        )
    if not replace:
        raise ModelError(
            f"{name} is the name of a model that ships: give yours another name, or add "
            "--replace to have it answer for that name (the shipped one stays "
            f"{shipped[0].reference})."
        )


def _describe(info: ModelInfo, target: Path, default: bool) -> None:
    """Write the description with the word whether it is the default of its name."""
    facts = json.loads((info.folder / "model.json").read_text(encoding="utf-8"))
    text = json.dumps({**facts, "default": default}, indent=2) + "\n"
    write_text(target / "model.json", text)
