"""What a card says, in short for programs: terms, headline figures and recipe in ``model.json``."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_text
from napari_covidseg.training.lineage import RECIPE
from napari_covidseg.training.recipe import load_recipe

HEADLINES = ("Dice", "% of lung marked", "AUC", "sensitivity", "specificity")
"""Measures of which the figure over all labels, or over all cases, is told."""

OF_CLASSIFIERS = "sensitivity"
"""Of a segmentation the Dice holds it already."""

FIELDS = ("set", "measure", "mean", "low", "high", "n", "groups", "unit")


def data_sets() -> dict[str, dict[str, str]]:
    """Give what is known of each shared data set, and of weights from elsewhere, by name."""
    file = Path(str(resources.files("napari_covidseg.training"))) / "data_sets.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def complete(info: ModelInfo, report: Mapping[str, Any]) -> None:
    """Write terms, headline figures and recipe into a model's ``model.json``.

    All other fields stay as they are, and so does the digest of the recipe where it is
    written already: it tells with which split and schedule the model was trained, which the
    recipe beside it does not.

    Parameters
    ----------
    info : ModelInfo
    report : mapping
        What ``metrics.json`` holds.
    """
    path = info.folder / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    sets = data_sets()
    facts["training_data"] = [
        {"name": one.name, "terms": sets[one.name]["terms"] if one.name in sets else one.terms}
        for one in info.spec.training_data
    ]
    facts["metrics"] = list(_headlines(report))
    recipe = info.folder / RECIPE
    if recipe.is_file():
        facts["recipe_file"] = RECIPE
        if info.shipped:
            facts.setdefault("recipe", load_recipe(recipe).digest)
    write_text(path, json.dumps(facts, indent=2) + "\n")


def _headlines(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in report["figures"]:
        wanted = row["measure"] in HEADLINES and row["label"] in ("any", "all")
        if wanted and not (row["measure"] == OF_CLASSIFIERS and row["label"] == "any"):
            yield {name: _plain(row[name]) for name in FIELDS}


def _plain(value: Any) -> Any:
    """Null for what is not a number: other readers of JSON know no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
