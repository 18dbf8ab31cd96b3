"""What a run leaves for people; needs no network."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.labels import INFECTION
from napari_covidseg.training import strips
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.run_folder import RunFolder, file_name
from napari_covidseg.training.watch import EpochReport, Preview

ROW = {"val_dice_right_lung": 0.8, "val_dice_left_lung": 0.7, "val_dice": 0.75}


@pytest.fixture
def recipe() -> Recipe:
    shipped = load_recipe(Path(__file__).with_name("lungs.toml"))
    odd = {"summary": "Lungs <b>& more", "split": "/home/someone/secret/split.json"}
    return shipped.model_copy(update=odd)


def preview(name: str = "own/case <1>") -> Preview:
    truth = np.zeros((32, 32), np.uint8)
    truth[:8], truth[8:16], truth[16:20] = 1, 3, 4
    labels = np.zeros((32, 32), np.uint8)
    labels[:8] = 2
    return Preview(name, np.full((32, 32), 0.5, np.float32), truth, labels)


def report(epoch: int, loss: float = 0.5, best: bool = True) -> EpochReport:
    row = {"loss": loss, "learning_rate": 1e-3, "val_loss": float("nan"), **ROW}
    return EpochReport(epoch, 9, row, best, 1.0, (preview(),))


def test_a_strip_shows_picture_truth_and_prediction_in_the_schemes_colours() -> None:
    shown = strips.strip(preview(), INFECTION)
    assert shown.shape == (32, 3 * 32 + 2 * strips.GAP, 3) and shown.dtype == np.uint8
    panels = [shown[:, k * (32 + strips.GAP) :][:, :32] for k in range(3)]
    assert (panels[0] == 128).all()
    half = INFECTION.opacity

    def over(colour: str) -> np.ndarray:
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        return (1 - half) * 127.5 + half * rgb

    ground_glass, consolidation = INFECTION.colours.values()
    np.testing.assert_allclose(panels[1][0, 0], over(ground_glass), atol=1)
    np.testing.assert_allclose(panels[1][9, 0], over(strips.NOT_TOLD_COLOUR), atol=1)
    np.testing.assert_allclose(panels[2][0, 0], over(consolidation), atol=1)
    assert (panels[1][17] < 60).all(), "what nothing is known about is dark"
    assert (panels[2][8:] == 128).all()


def test_the_page_stands_alone_and_says_what_it_must(recipe: Recipe, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, recipe, [], [], print)
    folder.begin()
    folder.add(report(1))
    folder.add(report(2, best=False))
    page = (tmp_path / "report.html").read_text()
    assert "Research use only, not a medical device." in page
    assert "<script" not in page and not re.search(r"(src|href)=.http", page)
    assert "Lungs &lt;b&gt;&amp; more" in page and "own/case &lt;1&gt;" in page
    assert "2 of at most 6 epochs. Best by val_dice: 0.75 in epoch 1." in page
    assert "split.json" in page and "secret" not in page
    assert "Seed 1." in page and "cross_entropy" in page
    assert page.count("data:image/png;base64,") == 2


def test_history_names_every_figure(recipe: Recipe, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, recipe, [], [], print)
    folder.begin()
    folder.add(report(1, loss=1 / 3))
    lines = (tmp_path / "history.csv").read_text().splitlines()
    labels = "val_dice,val_dice_right_lung,val_dice_left_lung"
    assert lines == [
        f"epoch,loss,learning_rate,val_loss,{labels}",
        "1,0.333333,0.001,nan,0.75,0.8,0.7",
    ]


def test_a_new_run_clears_the_pictures_of_an_older_one(recipe: Recipe, tmp_path: Path) -> None:
    first = RunFolder(tmp_path, recipe, [], [], print)
    first.begin()
    first.add(report(1))
    first.add(report(2))
    again = RunFolder(tmp_path, recipe, [], [], print)
    again.begin()
    again.add(report(1))
    assert [p.name for p in (tmp_path / "predictions").iterdir()] == ["epoch-001"]


def test_without_matplotlib_one_line_says_so_and_the_rest_is_there(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    lines: list[str] = []
    folder = RunFolder(tmp_path, recipe, [], [], lines.append)
    folder.begin()
    folder.add(report(1))
    folder.add(report(2))
    assert len(lines) == 1 and "matplotlib" in lines[0]
    assert not (tmp_path / "curves.png").exists()
    assert "matplotlib is not installed" in (tmp_path / "report.html").read_text()


def test_names_of_files_are_fit_for_any_disk() -> None:
    assert file_name(0, preview("own/../a b:c")) == "1-own-a-b-c.png"
