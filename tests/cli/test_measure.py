"""covidseg measure and evaluate: which file is what, and where numbers go."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_covidseg.cli.label_files import LabelFile, assign
from napari_covidseg.study import CovidsegError


@pytest.fixture
def masks(nifti):
    lungs = np.zeros((24, 20, 10), np.int16)
    lungs[2:10, 5:15, 2:8], lungs[14:22, 5:15, 2:8] = 1, 2
    infection = np.zeros_like(lungs)
    infection[2:6, 5:15, 2:8] = 1
    return nifti("ct-lungs/scan.nii.gz", lungs), nifti("ct-infection/scan.nii.gz", infection)


def test_measure_by_the_folders_that_segment_makes(covidseg, nifti, masks):
    code, out, err = covidseg("measure", nifti(), "--labels", *masks)
    assert code == 0
    rows = {(r["label"], r["side"]): r for r in json.loads(out)["measurement"]["rows"]}
    voxel_ml = 0.8 * 0.8 * 2.5 / 1000
    assert rows["lung", "right"]["size"] == pytest.approx(480 * voxel_ml)
    assert rows["ground glass", "right"]["percent_of_lung"] == pytest.approx(50)
    assert rows["ground glass", "left"]["voxels"] == 0
    assert rows["lung", "right"]["hu"]["mean"] < 0
    assert "ground glass" in err and "mL" in err


def test_measure_writes_csv_and_only_json_when_asked(covidseg, nifti, masks, tmp_path):
    table = tmp_path / "m.csv"
    code, out, err = covidseg(
        "measure", nifti(), "--labels", f"lungs={masks[0]}", "--out", table, "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["disclaimer"]
    assert table.read_text().startswith("label,side,voxels")


def test_measure_refuses_a_mask_of_another_image(covidseg, nifti, picture):
    other = nifti("lungs.nii.gz", np.zeros((5, 5, 5)))
    code, out, err = covidseg("measure", nifti(), "--labels", other)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1


def test_an_unusable_ending_is_refused_before_the_work(covidseg, nifti, masks):
    code, _, err = covidseg("measure", nifti(), "--labels", masks[0], "--out", "m.xlsx")
    assert code == 2
    assert ".json or .csv" in err


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("lungs=x.nii", "lungs"),
        ("masks/ct-lungs/scan.nii.gz", "lungs"),
        ("masks/xray-ggo/film.png", "opacity"),
        ("masks/xray-infection/film.png", "any-opacity"),
        ("scan_infection.nii.gz", "infection"),
        ("ct-infection/scan_lungmask.nii.gz", "lungs"),
        ("mask.nii.gz", None),
        ("plunge.nii.gz", None),
    ],
)
def test_kinds_are_told_from_names(argument, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert assign([argument])[0].kind == kind


def test_what_nobody_knows_is_asked_for():
    with pytest.raises(CovidsegError, match="say --labels lungs="):
        assign(["/data/a.nii.gz", "/data/b.nii.gz"])
    with pytest.raises(CovidsegError, match="both hold lungs"):
        assign(["lungs=/data/a.nii.gz", "lungs=/data/b.nii.gz"])
    assert assign(["/data/a.nii.gz"]) == (LabelFile(Path("/data/a.nii.gz"), None),)


def test_a_kind_that_nobody_knows_is_named(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    with pytest.raises(CovidsegError, match=r"named 'lung' .* choose one of lungs, infection"):
        assign([f"lung={tmp_path / 'a.nii.gz'}"])


def test_a_name_with_brackets_is_shown_whole(covidseg, nifti, masks):
    scan = nifti("scan[left] [bold].nii.gz")
    code, _, err = covidseg("measure", scan, "--labels", masks[0])
    assert code == 0
    assert err.startswith("scan[left] [bold].nii.gz")


def test_a_slice_is_compared_as_one_in_whatever_file_it_lies(covidseg, tmp_path):
    found = []
    for right in (20, 16):
        mask = np.zeros((40, 30), np.uint8)
        mask[5:30, 5:right] = 1
        Image.fromarray(mask).save(tmp_path / f"{right}.png")
        volume = nib.Nifti1Image(mask.T[..., np.newaxis], np.diag([1.0, 1.0, 5.0, 1.0]))
        volume.header.set_xyzt_units("mm")
        volume.set_sform(np.diag([2.0, 2.0, 5.0, 1.0]), code=1)
        nib.save(volume, tmp_path / f"{right}.nii")
    for ending in ("png", "nii"):
        out = covidseg("evaluate", tmp_path / f"16.{ending}", tmp_path / f"20.{ending}")[1]
        found.append(json.loads(out)["agreement"][0])
    flat, volume = found
    assert volume["hd95"] == 2 * flat["hd95"] == 8
    assert volume["size_unit"] == "cm2"
    assert volume["true"] == pytest.approx(25 * 15 * 0.04)


def test_evaluate_names_labels_and_knows_the_spacing(covidseg, nifti, masks):
    code, out, err = covidseg("evaluate", masks[0], masks[0], "--scheme", "lungs")
    assert code == 0
    rows = json.loads(out)["agreement"]
    assert [r["name"] for r in rows] == ["right lung", "left lung", "any label"]
    assert rows[0]["dice"] == 1
    assert rows[0]["true"] == pytest.approx(480 * 0.8 * 0.8 * 2.5 / 1000)
    assert (rows[0]["size_unit"], rows[0]["tolerance"]) == ("mL", 1.0)
    assert "right lung" in err


def test_evaluate_infection_has_its_own_tolerance(covidseg, masks):
    code, out, _ = covidseg("evaluate", masks[1], masks[1], "--scheme", "infection")
    rows = json.loads(out)["agreement"]
    assert code == 0
    assert rows[0]["tolerance"] == 3.0
    assert rows[1]["both_empty"]
    assert rows[1]["dice"] is None


def test_evaluate_pictures_in_pixels(covidseg, picture):
    mask = picture("mask.png")
    code, out, _ = covidseg("evaluate", mask, mask)
    assert code == 0
    assert json.loads(out)["agreement"][-1]["length_unit"] == "px"


def test_measured_numbers_are_those_counted_by_hand(covidseg, nifti):
    hu = np.full((24, 20, 10), -1000)
    hu[0:10], hu[0:4, 0:5] = -800, -600  # 2000 voxels of lung, 200 of them denser
    hu[10:12], hu[12:20] = 40, -900  # tissue between them, and the other lung
    lungs, infection = np.zeros_like(hu), np.zeros_like(hu)
    lungs[0:10], lungs[12:20] = 1, 2
    infection[0:4, 0:5] = 1
    infection[23, 19, 0:3] = 2  # outside
    code, out, _ = covidseg(
        *("measure", nifti("scan.nii.gz", hu), "--json", "--labels"),
        f"lungs={nifti('l.nii.gz', lungs)}",
        f"infection={nifti('i.nii.gz', infection)}",
    )
    assert code == 0
    rows = {(r["label"], r["side"]): r for r in json.loads(out)["measurement"]["rows"]}
    ml = 0.8 * 0.8 * 2.5 / 1000
    assert rows["lung", "right"]["size"] == pytest.approx(2000 * ml)
    assert rows["lung", "left"]["size"] == pytest.approx(1600 * ml)
    assert rows["lung", "right"]["hu"]["mean"] == pytest.approx(-780)
    assert rows["lung", "both"]["hu"]["mean"] == pytest.approx((2000 * -780 + 1600 * -900) / 3600)
    assert rows["ground glass", "right"]["percent_of_lung"] == pytest.approx(10)
    assert rows["infection", "both"]["percent_of_lung"] == pytest.approx(100 * 200 / 3600)
    assert rows["infection", "both"]["hu"]["mean"] == pytest.approx(-600)
    assert rows["consolidation", "outside"]["voxels"] == 3


@pytest.mark.parametrize("kind", ["picture", "volume"])
def test_agreement_is_that_counted_by_hand(covidseg, nifti, tmp_path, kind):
    shape = (24, 20) if kind == "picture" else (24, 20, 10)
    truth, found = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    truth[4:12, 4:12], found[4:12, 5:13] = 1, 1  # the same square, one pixel further

    def write(name, mask):
        if kind == "volume":
            return nifti(f"{name}.nii.gz", mask)
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
        return tmp_path / f"{name}.png"

    code, out, _ = covidseg("evaluate", write("found", found), write("truth", truth))
    (row,) = json.loads(out)["agreement"]
    step, size = (1, 1) if kind == "picture" else (0.8, 10 * 0.8 * 0.8 * 2.5 / 1000)
    assert code == 0
    assert row["dice"] == row["sensitivity"] == row["precision"] == pytest.approx(56 / 64)
    assert row["iou"] == pytest.approx(56 / 72)
    assert row["hd95"] == pytest.approx(step)
    assert row["nsd"] == 1  # within the tolerance of 1 mm or pixel
    assert row["predicted"] == row["true"] == pytest.approx(64 * size)


def test_volumes_of_a_tilted_gantry_are_those_of_its_sheared_voxels(covidseg, nifti):
    mask = np.zeros((24, 20, 10), np.uint8)
    mask[4:12, 4:12, 2:6] = 1
    path = nifti("truth.nii.gz", mask)
    image = nib.load(path)
    affine = image.affine.copy()
    affine[1, 2] = 2.5 * np.tan(np.deg2rad(20))  # each slice lies further back than the one below
    nib.save(nib.Nifti1Image(mask, affine), path)
    code, out, _ = covidseg("evaluate", path, path)
    assert code == 0
    assert json.loads(out)["agreement"][0]["true"] == pytest.approx(256 * 0.8 * 0.8 * 2.5 / 1000)
