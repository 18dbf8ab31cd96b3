"""A file full of names gives masks, images, cases and reports that name nobody."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom.uid import generate_uid

from napari_covidseg import doctor, io
from napari_covidseg.annotation.cases import save_case
from napari_covidseg.cli.app import execute
from napari_covidseg.labels import LUNGS

NAMES = {
    "PatientName": "Secret^Person",
    "PatientID": "SECRET-4711",
    "PatientBirthDate": "19450101",
    "PatientAddress": "Secret Street",
    "PatientComments": "Secret comment",
    "OtherPatientIDs": "SECRET-4712",
    "AccessionNumber": "SECRET-99",
    "InstitutionName": "Secret Hospital",
    "ReferringPhysicianName": "Secret^Doctor",
    "OperatorsName": "Secret^Operator",
    "StudyDescription": "Secret study",
    "ProtocolName": "Secret protocol",
    "ImageComments": "Secret remark",
    "StationName": "SECRET1",
    "StudyInstanceUID": generate_uid(),
    "FrameOfReferenceUID": generate_uid(),
}


def assert_nameless(content: bytes) -> None:
    lower = content.lower()
    assert b"secret" not in lower and b"19450101" not in lower
    for value in (v for k, v in NAMES.items() if k.endswith("UID")):
        assert str(value).encode() not in content


def look_through(folder: Path) -> int:
    """Look at names and contents of all files of a folder; give their number."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    for path in files:
        assert_nameless(str(path.relative_to(folder)).encode())
        blob = path.read_bytes()
        assert_nameless(gzip.decompress(blob) if path.suffix == ".gz" else blob)
        assert str(folder.parent).encode() not in blob
    return len(files)


@pytest.fixture
def scan(ct_folder, chest):
    return ct_folder(chest, **NAMES)


@pytest.fixture
def film(xray_file):
    return xray_file(np.arange(64 * 80, dtype=np.uint16).reshape(64, 80), **NAMES)


@pytest.fixture
def picture(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Secret Person")
    grey = np.random.default_rng(0).integers(0, 255, (64, 80)).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "slice.png", pnginfo=text)
    return tmp_path / "slice.png"


@pytest.mark.parametrize("kind", ["scan", "film", "picture"])
def test_nothing_written_names_anybody(request, tmp_path, kind):
    study = io.read(request.getfixturevalue(kind))
    mask = (study.array > np.median(study.array)).astype(np.uint8)
    out = tmp_path / "out"
    io.write_mask(mask, study, out / io.mask_name(study), LUNGS)
    io.write_image(study, out / f"image{'.png' if kind == 'picture' else '.nii.gz'}")
    save_case(out / "cases", study, mask, LUNGS, prediction=mask, provenance={"model": "ct-lungs"})
    assert look_through(out) >= 6
    assert_nameless(repr((study.pseudonym, study.notes, doctor.examine(study))).encode())


def test_images_of_one_study_are_known_for_such_by_a_digest(ct_folder, xray_file, chest):
    one, other = generate_uid(), generate_uid()
    first = io.read(ct_folder(chest, StudyInstanceUID=one, into="a") / "a")
    second = io.read(ct_folder(chest[:6], StudyInstanceUID=one, into="b") / "b")
    later = io.read(ct_folder(chest, StudyInstanceUID=other, into="c") / "c")
    film = io.read(xray_file(np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)))
    assert first.source.group == second.source.group == sha256(one.encode()).hexdigest()[:16]
    assert len({s.source.group for s in (first, later, film)}) == 3
    unnamed = io.read(ct_folder(chest, StudyInstanceUID="", into="d") / "d")
    assert unnamed.source.group == ""
    assert first.source.group not in repr(first)


def test_the_command_line_names_nobody(scan, tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("COVIDSEG_DEBUG", raising=False)
    study = io.read(scan)
    lungs = tmp_path / "lungs.nii.gz"
    io.write_mask((study.array < -500).astype(np.uint8), study, lungs)
    report = tmp_path / "reports" / "m.json"
    for command in (
        ("doctor", scan),
        ("doctor", scan, "--json"),
        ("measure", scan, "--labels", lungs, "--out", report),
        ("evaluate", lungs, lungs),
        ("measure", scan, "--labels", scan / "nothing"),
    ):
        execute([str(word) for word in command])
        assert_nameless("".join(capfd.readouterr()).encode())
    assert json.loads(report.read_text())["image"] == "scan"
    assert look_through(report.parent) == 1
