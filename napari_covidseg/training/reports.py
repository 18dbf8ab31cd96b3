"""Reports of figures as JSON: what lies in a model's folder and in the folder of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.inference.registry import ModelInfo
from napari_covidseg.io.atomic import write_text
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.figures import as_rows
from napari_covidseg.training.found import Summary
from napari_covidseg.training.recipe import Recipe

METRICS = "metrics.json"
"""Figures in the model's folder, of which the card is made."""

CROSS_VALIDATION = "cross-validation.json"
"""Figures of the recipe, each case measured by a network that never saw its patient."""

LEFT_OUT = "leave-one-source-out.json"
"""Figures of the recipe on each source, by a network that never saw the source."""

REPORTS = (METRICS, CROSS_VALIDATION, LEFT_OUT)
"""What a model's folder holds of figures, all of it put into its card."""

CHANGED = ("steps", "rate")
"""What a report on a recipe says of its schedule, where it was not followed as it stands."""


def in_runs(out: Path, name: str, report: str) -> Path:
    """Where a folder of runs has a report on the recipe of that name."""
    return out / f"{name}-{report}"


def of_model(info: ModelInfo, summary: Summary) -> dict[str, Any]:
    """Give what ``metrics.json`` holds."""
    return {
        "model": info.name,
        "version": info.version,
        "weights_sha256": info.spec.weights.sha256,
        "measured": datetime.now(UTC).date().isoformat(),
        "note": RESEARCH_ONLY,
        **as_report(summary),
    }


def write_run(
    out: Path, name: str, recipe: Recipe, summary: Summary, **more: Any
) -> dict[str, Any]:
    """Write a report on a recipe that was followed several times into the folder of its runs.

    What is said of the protocol beside (`more`) stands in it too, unless it is None.
    """
    report = {
        "recipe": recipe.name,
        **{name: value for name, value in more.items() if value is not None},
        "note": RESEARCH_ONLY,
        **as_report(summary),
    }
    write(in_runs(out, recipe.name, name), report)
    return report


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report."""
    write_text(path, json.dumps(report, indent=1) + "\n")


def as_report(summary: Summary) -> dict[str, Any]:
    """Plain values for JSON; tables that a model has no cases for are left out."""
    report: dict[str, Any] = {"figures": as_rows(summary.figures)}
    if summary.reliability:
        report["reliability"] = {k: as_rows(bins) for k, bins in summary.reliability.items()}
    if summary.readings:
        report["readers"] = {k: as_rows(rows) for k, rows in summary.readings.items()}
    if summary.wrong:
        report["wrong"] = {k: as_rows(rows) for k, rows in summary.wrong.items()}
    return report


def read(path: Path) -> dict[str, Any] | None:
    """Read a report; None where there is none.

    Raises
    ------
    CovidsegError
        If it is no report.
    """
    if not path.exists():
        return None
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        report["figures"]
    except (ValueError, KeyError, TypeError) as error:
        raise CovidsegError(
            f"{path} is no report of figures: delete it, and measure the model again."
        ) from error
    return report
