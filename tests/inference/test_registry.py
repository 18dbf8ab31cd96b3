from pathlib import Path

import pytest

from napari_covidseg.inference import registry
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.registry import ModelError


def test_a_users_model_is_in_the_list(models: Path) -> None:
    assert "tiny-lungs" in [m.name for m in registry.available([models])]
    assert registry.find("tiny-lungs", [models]).size_mb > 0


def test_an_unknown_name_lists_the_known_ones(models: Path) -> None:
    with pytest.raises(ModelError, match="tiny-lungs"):
        registry.find("nothing", [models])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "tiny-lungs"}'])
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
