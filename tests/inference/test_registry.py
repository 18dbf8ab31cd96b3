import json
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference import explain, registry, run, warm
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import ModelError
from napari_covidseg.study import from_array


def test_a_users_model_is_in_the_list(models: Path) -> None:
    assert "tiny-lungs" in [m.name for m in registry.available([models])]
    assert registry.find("tiny-lungs", [models]).size_mb > 0


def test_an_unknown_name_lists_the_known_ones(models: Path) -> None:
    with pytest.raises(ModelError, match="tiny-lungs"):
        registry.find("nothing", [models])


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"name": "tiny-lungs"}'])
def test_a_damaged_description_is_named_and_hides_no_other(models: Path, text: str) -> None:
    (models / "tiny-lungs" / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json"):
        registry.find("tiny-lungs", [models])
    assert "tiny-lungs" not in [m.name for m in registry.available([models])]


def test_weights_outside_the_folder_are_refused(models: Path) -> None:
    path = models / "tiny-lungs" / "model.json"
    path.write_text(path.read_text().replace("weights.h5", "../../weights.h5"))
    with pytest.raises(ModelError, match=r"model\.json"):
        registry.find("tiny-lungs", [models])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../lungs"},
        {"version": "1/2"},
        {"config": {"base": 1e9}},
        {"config": {"members": [{"config": {"widths": [8, 1e9]}}]}},
    ],
)
def test_a_description_that_would_do_harm_is_refused(
    models: Path, changes: dict[str, object]
) -> None:
    path = models / "tiny-lungs" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=rf"model\.json is not .*{next(iter(changes))}"):
        registry.read_model(path.parent)


def test_changed_weights_are_not_loaded(models: Path) -> None:
    info = registry.find("tiny-lungs", [models])
    info.weights.write_bytes(info.weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="checksum"):
        Network(info)


def test_missing_weights_say_what_to_do(models: Path) -> None:
    info = registry.find("tiny-lungs", [models])
    info.weights.unlink()
    with pytest.raises(ModelError, match="install it again"):
        registry.verify(info)


def test_weights_of_another_network_do_not_load(models: Path) -> None:
    path = models / "tiny-lungs" / "model.json"
    path.write_text(path.read_text().replace('"base": 4', '"base": 6'))
    with pytest.raises(ModelError, match="do not fit"):
        Network(registry.find("tiny-lungs", [models]))


@pytest.fixture
def shipped(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny model ships, so that it could answer for every other one of its name."""
    monkeypatch.setattr(registry, "shipped_folder", lambda: tiny_model)
    return tiny_model


def test_a_given_folder_may_be_a_model_itself(models: Path, shipped: Path) -> None:
    itself = models / "tiny-lungs"
    assert registry.find("tiny-lungs", [itself]).folder == itself
    assert registry.available([itself])[0].folder == itself
    assert registry.every_folder([itself])[0] == itself
    registry.check_folders([itself, models])
    assert registry.find("tiny-lungs").folder != itself


def test_a_given_folder_without_models_is_named(tmp_path: Path, shipped: Path) -> None:
    typo, empty, file = tmp_path / "typo", tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.touch()
    for folder, words in (
        (typo, "no model folder at .*typo: check"),
        (file, "no model folder at .*file: check"),
        (empty, r"empty holds no model: give a folder with a model\.json"),
    ):
        with pytest.raises(ModelError, match=words):
            registry.check_folders([folder])
        with pytest.raises(ModelError, match=words):
            run(from_array(np.zeros((8, 8))), ["tiny-lungs"], model_dirs=[folder])
        with pytest.raises(ModelError, match=words):
            explain(from_array(np.zeros((8, 8))), "tiny-lungs", model_dirs=[folder])
        with pytest.raises(ModelError, match=words):
            warm([], model_dirs=[folder])
        assert [m.folder for m in registry.available([folder])] == [shipped / "tiny-lungs"]


@pytest.mark.parametrize("name", ["tiny-lungs", "tiny-lungs-0.1.0", "mine"])
def test_a_damaged_model_in_a_given_folder_is_not_answered_for(
    models: Path, shipped: Path, name: str
) -> None:
    folder = (models / "tiny-lungs").rename(models / name)
    (folder / "model.json").write_text("{")
    given = folder if name == "mine" else models  # what it is called is not known then
    for asked in ("tiny-lungs", "tiny-lungs@0.1.0"):
        with pytest.raises(ModelError, match=r"model\.json is not a model description"):
            registry.find(asked, [given])
    assert registry.find("tiny-lungs").folder == shipped / "tiny-lungs"


def test_a_damaged_model_of_another_name_stands_in_nobodys_way(models: Path, shipped: Path) -> None:
    (models / "tiny").mkdir()
    (models / "tiny" / "model.json").write_text("{")
    assert registry.find("tiny-lungs", [models]).folder == models / "tiny-lungs"
