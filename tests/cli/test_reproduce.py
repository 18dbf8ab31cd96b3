"""covidseg reproduce: what it prints, writes, and answers with."""

import json
from pathlib import Path

import pytest

from napari_covidseg.cli.app import execute
from napari_covidseg.inference import registry
from napari_covidseg.training import reproduce as work
from tests.inference.conftest import write_tiny
from tests.training.test_reproduce import report


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model whose figures come out as 0.8, whatever it does."""
    made = write_tiny(tmp_path, "tiny")
    monkeypatch.setattr(work, "reproduce", lambda *_, **__: {"metrics.json": report()})
    return made


def covidseg(folder: Path, *more: str) -> int:
    data = str(folder.parent)
    return execute(["reproduce", "tiny", "--data", data, "--model-dir", data, *more])


def test_a_first_card_is_written_and_then_holds(folder: Path, capsys) -> None:
    assert covidseg(folder, "--write") == 0
    assert "new: s, Dice, any (picture): 0.800" in capsys.readouterr().out
    assert "| s | Dice | any | 0.800 [0.700, 0.900] |" in (folder / "README.md").read_text()
    assert covidseg(folder) == 0
    assert "equal: s, Dice, any (picture): 0.800" in capsys.readouterr().out


def test_a_card_that_promises_more_fails(folder: Path, capsys) -> None:
    (folder / "metrics.json").write_text(json.dumps({**report(mean=0.9), "weights_sha256": "0"}))
    assert covidseg(folder) == 2
    out, err = capsys.readouterr()
    assert "differs: s, Dice, any (picture): 0.900 on the card, 0.800 now" in out
    assert "1 figures of tiny differ" in err and "of other weights" in err
    assert json.loads((folder / "metrics.json").read_text())["figures"][0]["mean"] == 0.9


def test_what_is_not_made_again_is_said_and_kept(folder: Path, capsys) -> None:
    assert covidseg(folder, "--write") == 0
    folds = {**report(), "recipe": "tiny", "split": "s", "folds": 3, "steps": 9}
    (folder / "cross-validation.json").write_text(json.dumps(folds))
    assert covidseg(folder, "--write") == 0
    assert "cross-validation.json: not made again" in capsys.readouterr().err
    assert "3 folds" in (folder / "README.md").read_text()


@pytest.mark.parametrize("more", [("--steps", "5"), ("--rate", "1e-4")])
def test_a_schedule_of_no_training_is_refused(folder: Path, more: tuple[str, str], capsys) -> None:
    where = ("--data", str(folder.parent), "--model-dir", str(folder.parent))
    assert execute(["evaluate-model", "tiny", *where, *more]) == 2
    assert "add --leave-out FOLDER" in capsys.readouterr().err


def test_figures_of_other_cases_do_not_get_onto_the_card(folder: Path, capsys) -> None:
    where = ("--data", str(folder.parent), "--model-dir", str(folder.parent))
    assert execute(["evaluate-model", "tiny", *where, "--split", "ct", "--write"]) == 2
    assert "leave out --split, or --write" in capsys.readouterr().err
    assert not (folder / "metrics.json").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--train",), "--train needs a folder for its runs"),
        (("--out", "nowhere"), "no folder of runs at nowhere"),
    ],
)
def test_wrong_use_is_said(folder: Path, capsys, more: tuple[str, ...], said: str) -> None:
    assert covidseg(folder, *more) == 2
    assert said in capsys.readouterr().err


def test_damaged_weights_are_not_measured(folder: Path, capsys) -> None:
    with (folder / "weights.h5").open("ab") as file:
        file.write(b"x")
    assert covidseg(folder) == 2
    assert registry.find("tiny", [folder.parent]).name == "tiny"
    assert "tiny" in capsys.readouterr().err
