"""A recipe for training on a dataset folder of one's own, starting from a model at hand.

Network, input and label scheme are those of the base model, and so are augmentation and
loss where its own recipe is in its folder. How long to train, and how fast, is a preset's.
Or all of that comes from a recipe file of the user's.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_covidseg.inference.registry import ModelInfo, newer
from napari_covidseg.io.atomic import write_text
from napari_covidseg.segmentation import ModelRef
from napari_covidseg.training.recipe import Recipe, RecipeError, load_recipe

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"steps": 300, "epoch_steps": 30, "batch": 8, "learning_rate": 2e-4},
    "thorough": {"steps": 3000, "epoch_steps": 100, "batch": 8, "learning_rate": 5e-4},
}
"""Schedules for few cases: quick is ten epochs of some minutes on a CPU, thorough thirty.

Their rates are a fifth and half of what the shipped models were trained with, so that the
first steps do not undo what the base model knows.
"""


def write_recipe(
    path: Path,
    base: ModelInfo,
    dataset: Path,
    *,
    name: str,
    version: str,
    schedule: str | Path = "quick",
) -> Recipe:
    """Write a recipe that goes on from a model with a dataset folder.

    Parameters
    ----------
    path : Path
        The TOML file to make.
    base : ModelInfo
        Segmentation model to start from.
    dataset : Path
        Folder of saved cases, of the base model's label scheme; training reads it
        relative to its parent folder.
    name, version : str
        Of the new model.
    schedule : str or Path
        One of `PRESETS`, or a recipe file whose network, input, augmentation and schedule
        are taken instead.

    Raises
    ------
    RecipeError
        If the file cannot be read, or what comes of it is no recipe.
    """
    values = _from_file(schedule) if isinstance(schedule, Path) else _from_base(base, schedule)
    network = {**values["network"], "start_from": base.reference}
    decided = {
        "name": name,
        "version": version,
        "title": base.title,
        "summary": base.summary,
        "task": "segmentation",
        "role": base.role,
        "modality": str(base.modality),
        "scheme": base.scheme,
        "threshold": base.threshold,
        "validation": 0.25,
    }
    data = [{"kind": "dataset", "path": dataset.name}]
    write_text(path, to_toml({**values, **decided, "network": network, "data": data}))
    return load_recipe(path)


def next_version(name: str, known: Iterable[ModelRef]) -> str:
    """Version for a new model: the next minor one above all known, or 1.0.0."""
    highest = "0.0.0"
    for one in known:
        if one.name == name and newer(one.version, highest):
            highest = one.version
    if highest == "0.0.0":
        return "1.0.0"
    major, minor = (*highest.split("."), "0")[:2]
    return f"{major}.{int(minor) + 1}.0"


def to_toml(values: Mapping[str, Any]) -> str:
    """Write plain values as TOML: scalars and lists first, then each table."""
    plain = {k: v for k, v in values.items() if not _is_table(v)}
    lines = [f"{key} = {_inline(value)}" for key, value in plain.items() if value is not None]
    for key, value in values.items():
        if key in plain:
            continue
        for table in value if isinstance(value, list) else [value]:
            lines += ["", f"[[{key}]]" if isinstance(value, list) else f"[{key}]"]
            lines += [f"{_key(k)} = {_inline(v)}" for k, v in table.items() if v is not None]
    return "\n".join(lines) + "\n"


def _from_base(base: ModelInfo, preset: str) -> dict[str, Any]:
    known = _own_recipe(base)
    # What follows from input and scheme is the training's to fill in.
    config = {k: v for k, v in base.spec.config.items() if k not in ("classes", "channels")}
    if base.scheme == "lungs" and "augment" in known:
        # A saved case shows the lungs or the infection: there are no lesions to put into lungs.
        known["augment"] = {**known["augment"], "lesions": 0}
    return {
        "input": base.spec.input.model_dump(),
        "network": {"architecture": base.spec.architecture, "config": config},
        **{table: known[table] for table in ("augment", "loss") if table in known},
        "training": {**known.get("training", {}), **PRESETS[preset], "seed": 0},
    }


def _own_recipe(base: ModelInfo) -> dict[str, Any]:
    """Values of the recipe in a model's folder; none where it has none."""
    try:
        return tomllib.loads((base.folder / "recipe.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _from_file(path: Path) -> dict[str, Any]:
    recipe = load_recipe(path)
    if recipe.training is None:
        raise RecipeError(f"Recipe {path.name} has no [training]: choose one of a segmentation.")
    taken = {"input", "network", "augment", "loss", "training", "adversary"}
    return recipe.model_dump(mode="json", include=taken, exclude_unset=True)


def _is_table(value: Any) -> bool:
    tables = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
    return isinstance(value, Mapping) or bool(tables)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_inline(v)}" for k, v in value.items() if v is not None)
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    # JSON's strings, numbers and truth values are TOML's as well.
    return json.dumps(value)


def _key(key: Any) -> str:
    return str(key) if re.fullmatch(r"[A-Za-z0-9_-]+", str(key)) else json.dumps(str(key))
