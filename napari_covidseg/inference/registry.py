"""The models at hand: those that ship and the user's own, in one list.

A model is a folder with ``model.json``, its weights and a card. Reading the list
touches neither weights nor TensorFlow. Several versions of a name can be at hand: asked
for by its name alone a model is its newest version, asked for as ``name@version`` it is
that one.

A folder of models that a person gives holds model folders, or is one itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError

from napari_covidseg.inference.model_spec import ModelSpec
from napari_covidseg.inference.weights import checksum
from napari_covidseg.segmentation import ModelRef
from napari_covidseg.study import CovidsegError, Modality

OWN = "COVIDSEG_MODELS"
"""Environment variable that names another folder for the user's own models."""


class ModelError(CovidsegError):
    """A model that is missing, damaged or not fit for the image."""


@dataclass(frozen=True)
class ModelInfo:
    """One model of the list.

    Attributes
    ----------
    spec : ModelSpec
        Contents of ``model.json``.
    folder : Path
        Where it lies.
    """

    spec: ModelSpec
    folder: Path

    @property
    def name(self) -> str:
        """Name by which it is asked for."""
        return self.spec.name

    @property
    def version(self) -> str:
        """Version, as three numbers."""
        return self.spec.version

    @property
    def ref(self) -> ModelRef:
        """What results that it made are signed with."""
        return ModelRef(self.name, self.version)

    @property
    def reference(self) -> str:
        """Name and version by which this version is asked for, and no other."""
        return self.ref.reference

    @property
    def is_default(self) -> bool:
        """Whether it may answer for its name where no version is asked for."""
        return self.spec.default

    @property
    def shipped(self) -> bool:
        """Whether it came with the package."""
        return self.folder.parent == shipped_folder()

    @property
    def title(self) -> str:
        """What it is called in the widget."""
        return self.spec.title

    @property
    def summary(self) -> str:
        """One sentence on what it does."""
        return self.spec.summary

    @property
    def task(self) -> str:
        """``"segmentation"`` or ``"classification"``."""
        return self.spec.task

    @property
    def role(self) -> str:
        """``"lungs"``, ``"infection"`` or ``"classification"``."""
        return self.spec.role

    @property
    def modality(self) -> Modality:
        """What kind of image it reads."""
        return self.spec.modality

    @property
    def scheme(self) -> str | None:
        """Key of its label scheme."""
        return self.spec.scheme

    @property
    def threshold(self) -> float:
        """Probability from which it says yes."""
        return self.spec.threshold

    @property
    def weights(self) -> Path:
        """File of its weights."""
        return self.folder / self.spec.weights.file

    @property
    def card(self) -> Path:
        """Text for people: use, limits, figures, terms."""
        return self.folder / "README.md"

    @cached_property
    def size_mb(self) -> float:
        """Size of the weights in MB; NaN where the file is missing."""
        try:
            return self.weights.stat().st_size / 1e6
        except OSError:
            return float("nan")


def shipped_folder() -> Path:
    """Folder of the models that come with the package."""
    return Path(str(resources.files("napari_covidseg"))) / "models"


def own_folder() -> Path:
    """Folder of the models that the user installed or trained; it need not exist yet."""
    given = os.environ.get(OWN)
    if given:
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("napari-covidseg", appauthor=False)) / "models"


def available(model_dirs: Iterable[Path] = ()) -> tuple[ModelInfo, ...]:
    """All readable models in all versions; of each name the default version comes first.

    Folders in `model_dirs` go before the user's own and the shipped models, one after the
    other. The latter two count as one place, in which the newest version leads, unless its
    description says that it is there on request only.

    A folder whose ``model.json`` is damaged is left out here, as is one in `model_dirs` that
    holds no model: `find` and `check_folders` name the fault.
    """
    found: dict[str, tuple[int, ModelInfo]] = {}
    for place, folder in _places(model_dirs):
        for path in _folders(folder):
            try:
                info = read_model(path)
            except ModelError:
                continue
            found.setdefault(info.reference, (place, info))
    return tuple(info for _, info in sorted(found.values(), key=_order))


def every_folder(model_dirs: Iterable[Path] = ()) -> list[Path]:
    """Folders of all models at hand, damaged ones included."""
    return [path for _, folder in _places(model_dirs) for path in _folders(folder)]


def check_folders(model_dirs: Iterable[Path]) -> None:
    """Raise if a folder of models that a person gave holds none: others would answer instead.

    Raises
    ------
    ModelError
        If one is no folder, or is no model and has none in it.
    """
    for folder in map(Path, model_dirs):
        if not folder.is_dir():
            raise ModelError(
                f"There is no model folder at {folder}: check --model-dir, or the model folder in "
                "the Preferences."
            )
        if not _folders(folder):
            raise ModelError(
                f"{folder} holds no model: give a folder with a model.json, or one with such "
                "folders in it."
            )


def newer(version: str, than: str) -> bool:
    """Whether one version is higher than another."""
    return _numbers(version) > _numbers(than)


def _places(model_dirs: Iterable[Path]) -> Iterator[tuple[int, Path]]:
    given = [Path(d) for d in model_dirs]
    yield from enumerate(given)
    yield len(given), own_folder()
    yield len(given), shipped_folder()


def _folders(folder: Path) -> list[Path]:
    """Model folders in a folder, or the folder itself where it is one.

    One in it whose name begins with a dot is being written.
    """
    if (folder / "model.json").is_file():
        return [folder]
    paths = sorted(path.parent for path in folder.glob("*/model.json"))
    return [path for path in paths if not path.name.startswith(".")]


def _order(at: tuple[int, ModelInfo]) -> tuple[Any, ...]:
    place, m = at
    newest_first = tuple(-number for number in _numbers(m.version))
    kind = (m.modality, m.task != "segmentation", m.name)
    return (*kind, place, not m.is_default, newest_first)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def read_model(folder: Path) -> ModelInfo:
    """Read one model's description.

    Raises
    ------
    ModelError
        If ``model.json`` is missing or damaged.
    """
    path = Path(folder) / "model.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return ModelInfo(ModelSpec.model_validate(values), Path(folder))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        said = f"{where}: {fault['msg']}" if where else fault["msg"]
        raise ModelError(f"{path} is not a model description ({said}).") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a model description ({error}).") from error


def find(name: str, model_dirs: Iterable[Path] = ()) -> ModelInfo:
    """Look a model up by name, or by ``name@version``.

    One that is damaged in a folder of `model_dirs` is an error even where another could answer.

    Raises
    ------
    ModelError
        If there is none of that name or version, or its description is damaged; known
        names or versions are listed.
    """
    dirs = tuple(Path(d) for d in model_dirs)
    known = available(dirs)
    wanted, _, version = name.partition("@")
    same = [info for info in known if info.name == wanted]
    answer = next((info for info in same if version in ("", info.version)), None)
    called = (wanted, f"{wanted}-{version or '[0-9]*'}")
    for place, folder in _places(dirs):
        if answer is not None and place == len(dirs):
            break
        for path in _folders(folder):
            if path == folder or any(fnmatchcase(path.name, c) for c in called):
                read_model(path)
    if answer is not None:
        return answer
    if same:
        versions = ", ".join(info.version for info in same)
        raise ModelError(f"There is no version {version} of {wanted}; there are: {versions}.")
    names = ", ".join(dict.fromkeys(info.name for info in known)) or "none"
    raise ModelError(f"There is no model named {wanted!r}; there are: {names}.")


def verify(info: ModelInfo) -> None:
    """Check a model's weights against the checksum in its description.

    Raises
    ------
    ModelError
        If the file is missing or is not the one described.
    """
    try:
        digest = checksum(info.weights)
    except OSError as error:
        raise ModelError(
            f"The weights of {info.name} cannot be read ({error.strerror}): install it again."
        ) from error
    if digest != info.spec.weights.sha256:
        raise ModelError(
            f"The weights of {info.name} {info.version} are not the ones its card describes "
            "(checksum differs): install the model again."
        )


def defaults(modality: Modality) -> dict[str, str]:
    """Role to the name of the model that answers it unless the user picks another."""
    if modality is Modality.CT:
        return {"lungs": "ct-lungs", "infection": "ct-infection", "classification": "ct-covid"}
    return {"lungs": "xray-lungs", "infection": "xray-ggo", "classification": "xray-tb"}
