"""Each case is held out once, and no stage of a recipe has seen it."""

import json
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_covidseg.measure.agreement import Counts
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import cross_validate as work
from napari_covidseg.training.found import Found
from napari_covidseg.training.stages import stages

PACKAGE = Path(str(resources.files("napari_covidseg")))


def shipped(name: str) -> Path:
    return PACKAGE / "models" / name / "recipe.toml"


def test_folds_are_trained_once_and_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[str, str, int | None]] = []

    def run_recipe(path: Path, data: Path, out: Path, *, split: str, steps: int, **_: object):
        name = work.load_recipe(path).name
        trained.append((split, name, steps))
        made = work.load_recipe(path).with_split(split).with_schedule(steps).digest
        (out / name).mkdir(parents=True)
        (out / name / "model.json").write_text(json.dumps({"recipe": made}))

    def find_all(info: SimpleNamespace, data: Path):
        yield Found("s", "picture", {"any": [(str(info.folder), Counts(8, 2, 2))]})

    monkeypatch.setattr(work, "run_recipe", run_recipe)
    monkeypatch.setattr(work, "find_all", find_all)
    monkeypatch.setattr(work, "read_model", lambda folder: SimpleNamespace(folder=folder))
    report = work.cross_validate(shipped("ct-infection"), tmp_path, tmp_path, steps=5)
    names = [path.stem for path in stages(shipped("ct-infection"))] + ["ct-infection"]
    assert trained == [(f"ct-folds:{k}", name, 5) for k in range(3) for name in names]
    dice = next(f for f in report["figures"] if f["measure"] == "Dice")
    assert (dice["n"], dice["mean"]) == (3, pytest.approx(0.8))
    written = tmp_path / "ct-infection-cross-validation.json"
    assert json.loads(written.read_text())["figures"] == report["figures"]
    assert (report["folds"], report["steps"]) == (3, 5)
    trained.clear()
    work.cross_validate(shipped("ct-infection"), tmp_path, tmp_path, steps=5)
    assert not trained
    with pytest.raises(CovidsegError, match="fold-0/ct-infection-first holds a run of another"):
        work.cross_validate(shipped("ct-infection"), tmp_path, tmp_path, steps=6)


def test_data_of_ones_own_have_no_folds(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    table = '[[data]]\nkind = "pairs"\npath = "films"\n[augment]'
    own.write_text(shipped("xray-lungs").read_text().replace("[augment]", table))
    with pytest.raises(CovidsegError, match="data of your own, for which there is no file of fo"):
        work.cross_validate(own, tmp_path, tmp_path)


def test_a_fold_that_is_held_out_steers_no_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "run_recipe", lambda *_, **__: pytest.fail("it was trained"))
    steered, plain = tmp_path / "steered.toml", shipped("ct-infection")
    steered.write_text(plain.read_text().replace("[training]", "[training]\nearly_stopping = {}"))
    with pytest.raises(CovidsegError, match="Recipe ct-infection ends its training"):
        work.cross_validate(steered, tmp_path, tmp_path)
    monkeypatch.setattr(work, "stages", lambda _: [steered])
    with pytest.raises(CovidsegError, match="ends its training"):
        work.cross_validate(plain, tmp_path, tmp_path)
