"""Write a model's card from what is known about it: data, terms, figures."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import atomic
from napari_covidseg.training.figures import Figure, as_rows

NOTES = "notes.md"
"""Text by people in the model's folder, put into its card: limits, worst cases."""


CROSS_VALIDATION = "cross-validation.json"
"""Report of ``covidseg cross-validate`` in the model's folder, put into its card."""

TABLE = "| data set | measure | of | mean [95% interval] | median | worst | n |"


def write_figures(info: ModelInfo, figures: Sequence[Figure]) -> None:
    """Write ``metrics.json`` and the card of a model into its folder."""
    report = {
        "model": info.name,
        "version": info.version,
        "weights_sha256": info.spec.weights.sha256,
        "measured": datetime.now(UTC).date().isoformat(),
        "note": RESEARCH_ONLY,
        "figures": as_rows(figures),
    }
    with atomic(info.folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with atomic(info.card) as temporary:
        temporary.write_text(card_text(info, as_rows(figures)), encoding="utf-8")


def card_text(info: ModelInfo, rows: Sequence[dict[str, Any]]) -> str:
    """Card as Markdown."""
    extra = info.spec.model_extra or {}
    sets = _data_sets()
    used = [name for name in extra.get("training_data", []) if name in sets]
    notes = info.folder / NOTES
    lines = [
        f"# {info.name} {info.version}",
        "",
        f"{info.summary} **{RESEARCH_ONLY}**",
        "",
        f"- Architecture: {info.spec.architecture} {json.dumps(info.spec.config)}, "
        f"{extra.get('parameters', 0) / 1e6:.2f} M parameters, {info.size_mb:.1f} MB (float16)",
        f"- Input: {info.spec.input.values}, frame {info.spec.input.frame}, "
        f"{info.spec.input.size} x {info.spec.input.size}",
        f"- Says yes from a probability of {info.threshold:g}",
        f"- Trained {extra.get('trained', '')} from `recipe.toml` in this folder, split "
        f"`{extra.get('split', '')}`: `covidseg train recipe.toml --data DATA --out RUNS`",
        "",
        "## Figures on held-out cases",
        "",
        "Held out by patient (by volume or picture where patients are not named) and never "
        "trained on. Means over cases with a 95% bootstrap interval that resamples patients. "
        f"Made again by `covidseg evaluate-model {info.name} --data DATA`.",
        "",
        TABLE,
        "|---|---|---|---|---|---|---|",
        *(_row(row) for row in rows),
        "",
        *_cross_validated(info.folder / CROSS_VALIDATION),
    ]
    if notes.exists():
        lines += [notes.read_text(encoding="utf-8").strip(), ""]
    lines += ["## Training data and terms", ""]
    for name in used:
        entry = sets[name]
        lines.append(
            f"- `{name}`: {entry['title']}. Truth: {entry['truth']}. "
            f"Terms: {entry['terms']}. Cite: {entry['cite']}."
        )
    lines += [
        "",
        "The weights inherit the terms of these data: use them for research, not commercially, "
        "where the data say so.",
        "",
    ]
    return "\n".join(lines)


def _cross_validated(path: Path) -> list[str]:
    """Section on cross-validation, if the model's folder has its report."""
    if not path.exists():
        return []
    report = json.loads(path.read_text(encoding="utf-8"))
    return [
        "## Cross-validated figures of the recipe",
        "",
        f"Recipe `{report['recipe']}`, {report['folds']} folds of `{report['split']}`, "
        f"{report['steps']} steps each: every case is measured by a network that never saw its "
        "patient. The model that ships was trained for longer, on the first fold's training "
        "cases. Made again by "
        f"`covidseg cross-validate {report['recipe']}.toml --data DATA --out RUNS "
        f"--steps {report['steps']}`.",
        "",
        TABLE,
        "|---|---|---|---|---|---|---|",
        *(_row(row) for row in report["figures"]),
        "",
    ]


def _row(r: dict[str, Any]) -> str:
    def number(value: float) -> str:
        return "" if value != value else f"{value:.3f}"

    interval = number(r["mean"])
    if r["low"] == r["low"]:  # one patient alone gives no interval
        interval += f" [{number(r['low'])}, {number(r['high'])}]"
    return (
        f"| {r['set']} | {r['measure']} | {r['label']} | {interval} | {number(r['median'])} "
        f"| {number(r['worst'])} | {r['n']} {r['unit']}s of {r['groups']} |"
    )


def _data_sets() -> dict[str, dict[str, str]]:
    file: Path = Path(str(resources.files("napari_covidseg.training"))) / "data_sets.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
