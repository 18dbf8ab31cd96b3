"""Measurements and agreement as a table, JSON or CSV.

A report names an image by the name it is given, never by anything from a header, and
always says that it is for research only. JSON has no NaN or infinity: both are null.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from napari_covidseg import RESEARCH_ONLY, __version__
from napari_covidseg.measure.agreement import Agreement
from napari_covidseg.measure.volumes import Measurement

_LABEL_COLUMNS = ("label", "side", "voxels", "size", "unit", "percent_of_lung")
_HU_COLUMNS = ("mean", "sd", "p5", "median", "p95")


def to_json(content: Measurement | Sequence[Agreement], **about: Any) -> str:
    """Write measurements or agreement as indented JSON.

    Parameters
    ----------
    content : Measurement or sequence of Agreement
        What to write.
    **about
        What it is of, e.g. ``image="scan.nii.gz"``; goes first.
    """
    if isinstance(content, Measurement):
        body: dict[str, Any] = {"measurement": asdict(content)}
    else:
        body = {"agreement": [asdict(row) for row in content]}
    document = {**about, **body, "software": f"napari-covidseg {__version__}"}
    return json.dumps({**plain(document), "disclaimer": RESEARCH_ONLY}, indent=2)


def to_csv(content: Measurement | Sequence[Agreement]) -> str:
    """Write measurements or agreement as CSV, one row a label; the last line disclaims."""
    rows = (
        list(_measurement_rows(content))
        if isinstance(content, Measurement)
        else [plain(asdict(row)) for row in content]
    )
    columns = (
        [*_LABEL_COLUMNS, *(f"hu_{c}" for c in _HU_COLUMNS)]
        if isinstance(content, Measurement)
        else list(Agreement.__dataclass_fields__)
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return f"{text.getvalue()}# {RESEARCH_ONLY}\n"


def measurement_table(measurement: Measurement, title: str = "") -> Table:
    """Lay out a measurement for a terminal."""
    with_hu = any(row.hu for row in measurement.rows)
    table = _table(title, measurement.notes)
    table.add_column("label")
    table.add_column("side")
    table.add_column(measurement.unit, justify="right")
    table.add_column("% of lung", justify="right")
    if with_hu:
        table.add_column("mean HU", justify="right")
        table.add_column("median [5-95%]", justify="right")
    for row in measurement.rows:
        size = f"{row.size:,.0f}" if row.unit == "px" else f"{row.size:,.1f}"
        percent = "" if row.percent_of_lung is None else f"{row.percent_of_lung:.1f}"
        cells = [row.label, row.side, size, percent]
        if with_hu and row.hu:
            hu = row.hu
            cells += [f"{hu.mean:.0f}", f"{hu.median:.0f} [{hu.p5:.0f}, {hu.p95:.0f}]"]
        table.add_row(*cells)
    return table


def agreement_table(rows: Sequence[Agreement], title: str = "") -> Table:
    """Lay out agreement with a truth for a terminal."""
    unit = rows[0].length_unit if rows else "mm"
    size = rows[0].size_unit if rows else "mL"
    tolerance = f"{rows[0].tolerance:g} {unit}" if rows else ""
    notes = []
    if any(row.both_empty for row in rows):
        notes.append("A dash: not defined, the label is missing in one mask or both.")
    table = _table(title, notes)
    table.add_column("label")
    for heading in (
        "Dice",
        "IoU",
        "sensitivity",
        "precision",
        f"HD95 ({unit})",
        f"NSD ({tolerance})",
        f"predicted ({size})",
        f"true ({size})",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        shares = (row.dice, row.iou, row.sensitivity, row.precision)
        cells = [*(_number(v, 3) for v in shares), _number(row.hd95, 1), _number(row.nsd, 3)]
        decimals = 0 if row.size_unit == "px" else 1
        sizes = [_number(v, decimals) for v in (row.predicted, row.true)]
        table.add_row(row.name, *cells, *sizes)
    return table


def plain(value: Any) -> Any:
    """Turn NaN and infinity into None all the way down: JSON knows neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def _measurement_rows(measurement: Measurement) -> Iterable[dict[str, Any]]:
    for row in measurement.rows:
        content = {name: getattr(row, name) for name in _LABEL_COLUMNS}
        for name in _HU_COLUMNS:
            content[f"hu_{name}"] = getattr(row.hu, name) if row.hu else None
        yield content


def _table(title: str, notes: Iterable[str]) -> Table:
    """Make an empty table; a title is shown as it is, brackets included."""
    caption = "\n".join([*notes, RESEARCH_ONLY])
    return Table(title=escape(title) or None, caption=caption, title_justify="left")


def _number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}" if math.isfinite(value) else "-"
