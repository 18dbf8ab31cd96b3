"""covidseg check-data: counts to stdout, findings to stderr, 2 on a leak or fault."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_covidseg.cli.app import execute

RECIPE = """
name = "own"
version = "0.0.1"
title = "Own"
summary = "Films."
task = "segmentation"
role = "infection"
modality = "XR"
scheme = "opacity"
data = [{ kind = "pairs", path = "films", labels = { 255 = "ground glass" } }]
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "unet"
[training]
steps = 4
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for k in range(4):
        coarse = Image.fromarray(rng.integers(0, 255, (9, 9)).astype(np.uint8))
        mask = np.zeros((64, 64), np.uint8)
        mask[10:20, 10:20] = 255
        for kind, image in (
            ("images", coarse.resize((64, 64), Image.Resampling.BICUBIC)),
            ("masks", Image.fromarray(mask)),
        ):
            path = tmp_path / "films" / kind / f"doe_{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_good_data_are_counted(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check-data", str(recipe), "--data", str(recipe.parent)]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "films: 3 pictures of 3 patients for training, 1 picture of 1 patient for validation.\n"
    )
    assert "Warning: films: each file counts as a patient" in err


def test_a_leak_is_said_and_its_files_can_be_looked_up(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = recipe.parent / "films" / "images"
    for k in range(1, 4):
        (images / f"doe_{k}.png").write_bytes((images / "doe_0.png").read_bytes())
    table = recipe.parent / "files.csv"
    arguments = ["check-data", str(recipe), "--data", str(recipe.parent), "--files", str(table)]
    assert execute(arguments) == 2
    err = capsys.readouterr().err
    assert "Leak: 1 of 1 validation pictures is nearly the same" in err
    assert "doe" not in err
    with table.open() as file:
        rows = list(csv.DictReader(file))
    named = {row["name"]: Path(row["file"]).name for row in rows}
    assert sorted(named.values()) == [f"doe_{k}.png" for k in range(4)]
    assert any(name in err for name in named)


def test_a_fault_in_a_file_names_it(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recipe.parent / "films" / "masks" / "doe_2.png").unlink()
    assert execute(["check-data", str(recipe), "--data", str(recipe.parent)]) == 2
    assert "1 images without mask: doe_2.png" in capsys.readouterr().err


def test_a_missing_data_folder_is_said(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check-data", str(recipe), "--data", str(recipe.parent / "no")]) == 2
    assert "there is no data folder" in capsys.readouterr().err
