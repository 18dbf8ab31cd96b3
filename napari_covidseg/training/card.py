"""Write a model's card from what is known about it: data, terms, figures."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import description, reports, steering
from napari_covidseg.training.answers import SHORTCUT
from napari_covidseg.training.card_pictures import Pictures
from napari_covidseg.training.stages import stages

NOTES = "notes.md"
"""Text by people in the model's folder, put into its card: limits, worst cases."""

TABLE = "| data set | measure | of | mean [95% interval] | median | worst | n |"


def write_card(info: ModelInfo, made: Mapping[str, Mapping[str, Any]]) -> None:
    """Write reports into a model's folder, and the card from all that lie there.

    The card's pictures are drawn and ``model.json`` gets what the card says in short, see
    `description.complete`. A segmentation is run on the phantom for its picture.

    Parameters
    ----------
    info : ModelInfo
    made : mapping
        File name, one of `reports.REPORTS`, to what it holds.
    """
    for name, report in made.items():
        reports.write(info.folder / name, report)
    report = reports.read(info.folder / reports.METRICS) or {"figures": []}
    pictures = Pictures.of(info, report)
    pictures.write(info.folder)
    description.complete(info, report)
    write_text(info.card, card_text(info, report, pictures))


def card_text(info: ModelInfo, report: Mapping[str, Any], pictures: Pictures | None = None) -> str:
    """Card as Markdown, from what ``metrics.json`` holds; with its pictures, if they are given."""
    pictures = pictures or Pictures()
    sets = description.data_sets()
    learnt = [one.name for one in info.spec.training_data if one.name in sets]
    measured = dict.fromkeys(row["set"] for row in report["figures"])
    unlearnt = [name for name in measured if name in sets and name not in learnt]
    lines = [
        f"# {info.name} {info.version}",
        "",
        f"{info.summary} **{RESEARCH_ONLY}**",
        "",
        *_notes(info),
        "## Figures on held-out cases",
        "",
        "Held out by patient (by volume or picture where patients are not named) and never "
        "trained on. Means over cases with a 95% bootstrap interval that resamples patients; where "
        "all cases are alike (a share of 0 or 1) it finds no spread, though up to 3 in n of the "
        "other kind would not surprise, and of fewer than five patients it is hardly more than "
        "their range. "
        f"Made again by `covidseg reproduce {info.name} --data DATA`.",
        "",
        *_steered(info),
        *_tables(report, pictures.reliability()),
        *pictures.on_the_phantom(),
        *_cross_validated(info.folder / reports.CROSS_VALIDATION),
        *_left_out(info.folder / reports.LEFT_OUT),
    ]
    lines += ["## Training data and terms", ""]
    lines += [
        "What it and the networks that it starts from learnt from. The weights inherit the terms "
        "of these data: use them for research, not commercially, where the data say so.",
        "",
        *(_origin(name, sets[name]) for name in learnt),
        "",
    ]
    if unlearnt:
        lines += ["Measured on only:", "", *(_origin(n, sets[n]) for n in unlearnt), ""]
    return "\n".join([*lines, *_network(info), ""])


def _notes(info: ModelInfo) -> list[str]:
    """Give what people wrote on the model: whoever uses it has to know that first."""
    notes = info.folder / NOTES
    if not notes.exists():
        return []
    text = notes.read_text(encoding="utf-8").strip()
    return ["## Use and limits", "", re.sub("^## ", "### ", text, flags=re.MULTILINE), ""]


def _network(info: ModelInfo) -> list[str]:
    """Section on what the model is made of, and how it is made again."""
    extra = info.spec.model_extra or {}
    return [
        "## Network",
        "",
        f"- {_architecture(info)}, {extra.get('parameters', 0) / 1e6:.2f} M parameters, "
        f"{info.size_mb:.1f} MB (float16)",
        f"- Input: {info.spec.input.values}, frame {info.spec.input.frame}, "
        f"{info.spec.input.size} x {info.spec.input.size}",
        f"- Says yes from a probability of {info.threshold:g}{_calibrated(info)}",
        f"- Trained {extra.get('trained', '')} from `recipe.toml` in this folder, split "
        f"`{extra.get('split', '')}`: `covidseg train recipe.toml --data DATA --out RUNS`"
        f"{_stages(info)}",
    ]


def _architecture(info: ModelInfo) -> str:
    """Name the architecture, or those whose answers are added up; sizes are in ``model.json``."""
    members = info.spec.config.get("members")
    if not members:
        return f"`{info.spec.architecture}`"
    parts = (f"{member['share']:.2f} `{member['architecture']}`" for member in members)
    return f"Sum of {' + '.join(parts)}"


def _origin(name: str, entry: Mapping[str, str]) -> str:
    return (
        f"- `{name}`: {entry['title']}. Truth: {entry['truth']}. "
        f"Terms: {entry['terms']}. Cite: {entry['cite']}."
    )


def _stages(info: ModelInfo) -> str:
    """Say which recipes come first, of models that do not ship."""
    first: list[Path] = []
    with contextlib.suppress(CovidsegError):  # a user's own model may start from one of theirs
        first = stages(info.folder / "recipe.toml", shipped=False)
    names = ", ".join(f"`{path.name}`" for path in first)
    return f", after {names} of `training/recipes` into the same RUNS" if first else ""


def _steered(info: ModelInfo) -> list[str]:
    """Say so, if the held-out cases had a part in the training."""
    return [f"**{steering.STEERED}**", ""] if steering.was_steered(info) else []


def _cross_validated(path: Path) -> list[str]:
    """Section on cross-validation, if the model's folder has its report."""
    report = reports.read(path)
    if report is None:
        return []
    return [
        "## Cross-validated figures of the recipe",
        "",
        f"Recipe `{report['recipe']}` followed once for each of the {report['folds']} folds of "
        f"`{report['split']}`, its stages too{_schedule(report)}: every case is measured by a "
        "network that never saw its patient. The model that ships learnt from the training cases "
        f"of the first fold{', for longer' if 'steps' in report else ''}. Made again by "
        f"`covidseg cross-validate recipe.toml --data DATA --out RUNS{_options(report)}`.",
        "",
        *_tables(report),
    ]


def _left_out(path: Path) -> list[str]:
    """Section on sources left out, if the model's folder has its report."""
    report = reports.read(path)
    if report is None:
        return []
    return [
        "## Sources never seen",
        "",
        f"Recipe `{report['recipe']}` followed once for each source on all others"
        f"{_schedule(report)}, its calibration included, and measured on all cases of "
        "that source: what to expect of another one. Made again by `covidseg evaluate-model "
        f"{report['recipe']} --data DATA --leave-out RUNS{_options(report)}`.",
        "",
        *_tables(report),
    ]


def _schedule(report: Mapping[str, Any]) -> str:
    """Say what a report changed in the recipe's schedule, if anything."""
    words = [f", {report['steps']} steps each stage"] if "steps" in report else []
    words += [f" at a learning rate of {report['rate']}"] if "rate" in report else []
    return "".join(words)


def _options(report: Mapping[str, Any]) -> str:
    return "".join(f" --{name} {report[name]}" for name in reports.CHANGED if name in report)


def _calibrated(info: ModelInfo) -> str:
    """How threshold and temperature were chosen, if they were fitted."""
    fitted = (info.spec.model_extra or {}).get("calibrated")
    if not fitted:
        return ""
    return (
        f"; logits are divided by {info.spec.temperature:g}. {fitted['how']}: "
        f"{fitted['cases']} pictures of {fitted['groups']}"
    )


def _tables(report: Mapping[str, Any], plot: Iterable[str] = ()) -> list[str]:
    """Figures, and what else of them there is: each under a heading of its own.

    Lines with a `plot` of the reliability follow its last table.
    """
    rows = report["figures"]
    shortcut = [row for row in rows if row["measure"] in SHORTCUT]
    lines = _table(row for row in rows if row["measure"] not in SHORTCUT)
    if shortcut:
        lines += [
            "### Shortcut test",
            "",
            "The same cases once more with the lungs blanked, and with all but the lungs blanked, "
            "as far as lungs were found. An answer that comes from the lungs is lost with them "
            "(AUC 0.5, no positive case stays positive) and kept without the rest.",
            "",
            *_table(shortcut),
        ]
    for name, bins in report.get("reliability", {}).items():
        lines += [
            f"### Reliability, {name}",
            "",
            "Cases by rising probability, in bins of equal size: if probabilities mean what they "
            "say, both columns agree.",
            "",
            "| mean probability | positive | n |",
            "|---|---|---|",
            *(f"| {b['predicted']:.3f} | {b['observed']:.3f} | {b['n']} |" for b in bins),
            "",
        ]
    lines += plot
    for name, wrong in report.get("wrong", {}).items():
        lines += _worst(name, wrong)
    for name, volumes in report.get("readers", {}).items():
        lines += [
            f"### Two readers, {name}",
            "",
            "Dice of infection in whole volumes that other radiologists drew on as well, on the "
            "second reader's coarser pixels. What the readers reach with each other is what a "
            "model can hope for; where they drew few voxels it says little.",
            "",
            "| volume | model and reader 1 | model and reader 2 | reader 1 and 2 "
            "| voxels of reader 1 |",
            "|---|---|---|---|---|",
            *(
                f"| {v['volume']} | {_number(v['first'])} | {_number(v['second'])} "
                f"| {_number(v['between'])} | {v['voxels']} |"
                for v in volumes
            ),
            "",
        ]
    return lines


def _worst(name: str, wrong: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = [f"| {w['case']} | {w['truth']} | {w['probability']:.3f} |" for w in wrong]
    if not rows:
        return []
    return [
        f"### Worst cases seen, {name}",
        "",
        "The wrong answers that were the surest. Truth is 1 for positive.",
        "",
        "| case | truth | probability |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return [TABLE, "|---|---|---|---|---|---|---|", *map(_row, rows), ""]


def _number(value: float) -> str:
    return "" if value != value else f"{value:.3f}"


def _row(r: Mapping[str, Any]) -> str:
    interval = _number(r["mean"])
    if r["low"] == r["low"]:  # one patient alone gives no interval
        interval += f" [{_number(r['low'])}, {_number(r['high'])}]"
    return (
        f"| {r['set']} | {r['measure']} | {r['label']} | {interval} | {_number(r['median'])} "
        f"| {_number(r['worst'])} | {r['n']} {r['unit']}s of {r['groups']} |"
    )
