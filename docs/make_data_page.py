"""Write the table of data sets into docs/data.md, from what the product knows of them.

Run from the root of the project: ``python docs/make_data_page.py``. Origin and terms come from
``training/data_sets.toml``, what is held out from ``training/splits``, and what a set is used
for from the models that ship.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from napari_covidseg.training.wording import counted

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "data.md"
TRAINING = ROOT / "napari_covidseg" / "training"
MODELS = ROOT / "napari_covidseg" / "models"

BEGIN = "<!-- written by docs/make_data_page.py from here -->\n"
END = "<!-- to here -->\n"

HEAD = """
| data set | origin | truth | terms | folder | used for | held out |
|---|---|---|---|---|---|---|
"""

NOT_SHIPPED = "recipes whose models do not ship"


def page(text: str) -> str:
    """Text of the page with the table as it has to be now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + "\n" + END + after


def table() -> str:
    """One line a data set, in the order of ``data_sets.toml``."""
    sets = tomllib.loads((TRAINING / "data_sets.toml").read_text(encoding="utf-8"))
    return HEAD + "".join(_row(name, entry) for name, entry in sets.items())


def _row(name: str, entry: dict[str, str]) -> str:
    folder = f"`{entry['folder']}`" if "folder" in entry else ""
    cells = (
        f"`{name}`",
        f"{entry['title']}. {entry['cite']}",
        entry["truth"],
        entry["terms"],
        folder,
        _used(name),
        _held_out(name),
    )
    return f"| {' | '.join(cells)} |\n"


def _used(name: str) -> str:
    """Models that learnt from a set, on whatever way, and those that are only measured on it."""
    learnt, measured = [], []
    for folder in sorted(path.parent for path in MODELS.glob("*/model.json")):
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        report = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if name in (one["name"] for one in card["training_data"]):
            learnt.append(f"`{folder.name}`")
        elif name in (row["set"] for row in report["figures"]):
            measured.append(f"`{folder.name}`")
    words = [f"learnt by {', '.join(learnt)}"] if learnt else []
    words += [f"measured only: {', '.join(measured)}"] if measured else []
    return "; ".join(words) or NOT_SHIPPED


def _held_out(name: str) -> str:
    """Name the splits that hold out a part of a set, and how many groups they hold out."""
    found = []
    for path in sorted(TRAINING.glob("splits/*.json")):
        if not path.stem.endswith("-folds"):
            groups = json.loads(path.read_text(encoding="utf-8")).get(name)
            if groups:
                found.append(f"`{path.stem}`: {counted(len(groups), 'group')}")
    return ", ".join(found)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
