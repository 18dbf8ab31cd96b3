"""Reports hold the numbers, disclaim, and name nobody."""

import csv
import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.measure import report
from napari_covidseg.measure.agreement import compare
from napari_covidseg.measure.volumes import measure
from napari_covidseg.study import from_array


@pytest.fixture
def measurement():
    lungs = np.zeros((4, 10, 10), np.uint8)
    lungs[:, :, :5], lungs[:, :, 5:] = 1, 2
    image = np.full(lungs.shape, -800, np.int16)
    return measure(
        from_array(image, spacing=(5, 1, 1), is_hu=True, stem="DOE^JANE"), lungs, lungs // 2
    )


def shown(table):
    console = Console(file=StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


def test_json_has_numbers_and_disclaimer(measurement):
    document = json.loads(report.to_json(measurement, image="scan.nii.gz"))
    assert document["image"] == "scan.nii.gz"
    assert document["measurement"]["rows"][0]["size"] == pytest.approx(1.0)
    assert document["disclaimer"] == RESEARCH_ONLY


def test_json_of_undefined_numbers_is_strict(measurement):
    empty, full = np.zeros((5, 5), np.uint8), np.ones((5, 5), np.uint8)
    text = report.to_json(compare(empty, full))
    row = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert row["agreement"][0]["hd95"] is None
    assert row["agreement"][0]["dice"] == 0


def test_csv_reads_back(measurement):
    text = report.to_csv(measurement)
    rows = list(csv.DictReader(line for line in StringIO(text) if not line.startswith("#")))
    assert len(rows) == len(measurement.rows)
    assert float(rows[0]["hu_mean"]) == -800
    assert text.rstrip().endswith(RESEARCH_ONLY)


def test_no_report_names_the_patient(measurement):
    for text in (
        report.to_json(measurement),
        report.to_csv(measurement),
        shown(report.measurement_table(measurement)),
    ):
        assert "DOE" not in text
        assert RESEARCH_ONLY in text


def test_agreement_table_shows_units_and_dashes():
    truth = np.zeros((5, 5), np.uint8)
    truth[1:4, 1:4] = 1
    rows = compare(truth, truth, names={1: "ground glass", 2: "consolidation"}, spacing=(1, 1))
    text = shown(report.agreement_table(rows))
    assert "HD95 (mm)" in text
    assert "1.000" in text
    assert "consolidation" in text and "-" in text
