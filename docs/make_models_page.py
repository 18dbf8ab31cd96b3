"""Write docs/models.md from the figures in models/*/metrics.json.

Run from the root of the project: ``python docs/make_models_page.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]

HEAD = """# Models

**Research use only, not a medical device.** Figures are of held-out cases (see
[data.md](data.md) for the splits), measured by `covidseg evaluate-model NAME --data DATA --write`
and put into this page by `python docs/make_models_page.py`. Means over cases with a 95% bootstrap
interval that resamples patients; background is left out of Dice. Each model's card
(`models/NAME/README.md`) has all figures, the worst cases and the terms of its data.

How to make a model again: stages stand in `napari_covidseg/training/recipes/` and
`models/NAME/recipe.toml`; run them into one folder in the order that their first lines name.

| model | data set | measure | mean [95% interval] | worst | n |
|---|---|---|---|---|---|
"""

SHOWN = {"Dice", "AUC", "AUC, source never seen", "accuracy", "% of lung marked"}


def page() -> str:
    """Text of the page."""
    lines = []
    for path in sorted((ROOT / "napari_covidseg" / "models").glob("*/metrics.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        lines += [_row(report["model"], row) for row in report["figures"] if _wanted(row)]
        lines += _cross_validated(report["model"], path.parent / "cross-validation.json")
    return HEAD + "\n".join(lines) + "\n"


def _cross_validated(model: str, path: Path) -> list[str]:
    """Rows of a recipe's cross-validation, if the model has its report."""
    if not path.exists():
        return []
    report = json.loads(path.read_text(encoding="utf-8"))
    how = f"{report['folds']}-fold, {report['steps']} steps"
    rows = [
        {**row, "measure": f"{row['measure']} ({how})"} for row in report["figures"] if _wanted(row)
    ]
    return [_row(model, row) for row in rows]


def _wanted(row: dict) -> bool:
    return row["measure"] in SHOWN and row["n"] > 0


def _row(model: str, row: dict) -> str:
    def number(value: float) -> str:
        return "" if value != value else f"{value:.3f}"

    measure = (
        row["measure"] if row["label"] in ("any", "all") else f"{row['measure']}, {row['label']}"
    )
    interval = number(row["mean"])
    if row["low"] == row["low"]:  # one patient alone gives no interval
        interval += f" [{number(row['low'])}, {number(row['high'])}]"
    return (
        f"| {model} | {row['set']} | {measure} | {interval} | {number(row['worst'])} "
        f"| {row['n']} {row['unit']}s of {row['groups']} |"
    )


if __name__ == "__main__":
    (ROOT / "docs" / "models.md").write_text(page(), encoding="utf-8")
