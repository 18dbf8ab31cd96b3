"""What the command adds to a training: paths looked at first, oneDNN, progress."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_covidseg.cli import train as command
from napari_covidseg.cli.app import execute
from napari_covidseg.segmentation import Progress
from napari_covidseg.training.watch import StoppedError, Watcher
from tests import tiny_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text("")
    return path


def pretend(monkeypatch: pytest.MonkeyPatch, run_recipe: object) -> None:
    """Put something else in the place of training, and TensorFlow with it."""
    module = ModuleType("napari_covidseg.training.train")
    module.run_recipe = run_recipe
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)


def test_onednn_is_on_before_training_begins(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def run_recipe(
        path: Path,
        data: Path,
        out: Path,
        *,
        resume: bool,
        watcher: Watcher,
        model_dirs: Sequence[Path],
    ) -> None:
        found.append((path, data, out, resume, model_dirs, os.environ["TF_ENABLE_ONEDNN_OPTS"]))

    pretend(monkeypatch, run_recipe)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.json").touch()
    arguments = [str(recipe), "--data", str(tmp_path), "--out", str(tmp_path / "o"), "--resume"]
    assert execute(["train", *arguments, "--model-dir", str(tmp_path / "m")]) == 0
    assert found == [(recipe, tmp_path, tmp_path / "o", True, [tmp_path / "m"], "1")]


def test_what_the_user_decided_about_onednn_stays(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, lambda *_, **__: None)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert execute(["train", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_steps_move_the_bar() -> None:
    shown: list[Progress] = []
    watcher = command._Watcher(shown.append)
    watcher.step(3, 7, 100)
    assert shown == [Progress("epoch 3", 7, 100)]
    assert not watcher.should_stop()


def test_an_error_is_one_line(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run_recipe(*_: object, **__: object) -> None:
        raise StoppedError(2)

    pretend(monkeypatch, run_recipe)
    assert execute(["train", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    said = capfd.readouterr().err
    assert said == "error: Stopped after 2 epochs; go on with --resume.\n"


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        (0, "Stopped. No epoch was finished: the next training begins anew.\n"),
        (3, "Stopped. The work of 3 epochs is kept; go on with --resume.\n"),
    ],
)
def test_ctrl_c_says_what_is_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    epochs: int,
    said: str,
) -> None:
    path = tiny_recipe.write_recipe(tmp_path, 32, "steps = 4")
    out = tmp_path / "runs"

    def run_recipe(*_: object, **__: object) -> None:
        for name, count in (("another", 7), ("tiny", epochs)):
            (out / name).mkdir(parents=True)
            if count:
                np.savez(out / name / "checkpoint.npz", rows=np.zeros((count, 2)))
        raise KeyboardInterrupt

    pretend(monkeypatch, run_recipe)
    assert execute(["train", str(path), "--data", str(tmp_path), "--out", str(out)]) == 130
    assert capfd.readouterr().err == said
