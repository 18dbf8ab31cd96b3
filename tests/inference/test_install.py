"""Models of the user's own: checked, copied whole, side by side in versions."""

import json
import shutil
from pathlib import Path

import pytest

from napari_covidseg.cli.app import execute
from napari_covidseg.inference import install, registry
from napari_covidseg.inference.registry import ModelError
from napari_covidseg.io.errors import WriteError
from napari_covidseg.training import card, card_pictures, reports


@pytest.fixture
def trained(models: Path) -> Path:
    """A folder as a training leaves it, with what an install has no use for."""
    folder = models / "tiny-lungs"
    (folder / "checkpoint.npz").write_bytes(b"large")
    (folder / "README.md").write_text("# Card\n")
    return folder


def test_what_was_held_out_and_learnt_from_goes_along(trained: Path, own_models: Path) -> None:
    for name in ("split.json", "learnt.json"):
        (trained / name).write_text("{}")
    info = install.install(trained)
    assert {"split.json", "learnt.json"} < {p.name for p in info.folder.iterdir()}


def test_all_that_the_card_is_made_of_goes_along(trained: Path, own_models: Path) -> None:
    made_of = {*reports.REPORTS, card.NOTES, *card_pictures.FILES}
    for name in made_of:
        (trained / name).write_text(f"of {name}")
    info = install.install(trained)
    for name in made_of:
        assert (info.folder / name).read_text() == f"of {name}"


def renamed(folder: Path, **facts: object) -> Path:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return folder


def test_it_is_found_afterwards_with_its_card_and_no_more(trained: Path, own_models: Path) -> None:
    info = install.install(trained)
    assert info.folder == own_models / "tiny-lungs-0.1.0"
    assert sorted(p.name for p in info.folder.iterdir()) == [
        "README.md",
        "model.json",
        "weights.h5",
    ]
    found = registry.find("tiny-lungs")
    assert found.folder == info.folder
    assert not found.shipped
    registry.verify(found)
    assert sorted(own_models.iterdir()) == [info.folder]


def test_the_newest_version_answers_and_the_older_on_request(trained: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        install.install(renamed(trained, version=version))
    assert registry.find("tiny-lungs").version == "0.10.0"
    assert registry.find("tiny-lungs@0.9.0").version == "0.9.0"
    mine = [m.version for m in registry.available() if m.name == "tiny-lungs"]
    assert mine == ["0.10.0", "0.9.0"]
    with pytest.raises(ModelError, match=r"no version 3 of tiny-lungs; there are: 0\.10\.0, 0\.9"):
        registry.find("tiny-lungs@3")


def test_a_version_that_is_there_on_request_does_not_answer_for_its_name(trained: Path) -> None:
    install.install(trained)
    later = install.install(renamed(trained, version="0.2.0"), default=False)
    assert registry.find("tiny-lungs").version == "0.1.0"
    assert registry.find("tiny-lungs@0.2.0") == later
    install.make_default(later)
    assert registry.find("tiny-lungs").version == "0.2.0"


def test_an_installed_version_never_changes(trained: Path) -> None:
    install.install(trained)
    with pytest.raises(ModelError, match="installed already: give the new one a higher version"):
        install.install(trained, replace=True)


def test_the_name_of_a_shipped_model_needs_a_higher_version_and_the_word(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(trained, shipped / "tiny-lungs")
    before = {p: p.read_bytes() for p in shipped.rglob("*") if p.is_file()}
    monkeypatch.setattr(registry, "shipped_folder", lambda: shipped)
    with pytest.raises(ModelError, match="another name, or a higher version"):
        install.install(renamed(trained, version="0.0.9"), replace=True)
    with pytest.raises(ModelError, match="--replace"):
        install.install(renamed(trained, version="0.2.0"))
    info = install.install(trained, replace=True)
    assert registry.find("tiny-lungs") == info
    assert registry.find("tiny-lungs@0.1.0").shipped
    with pytest.raises(ModelError, match="not installed"):
        install.make_default(registry.find("tiny-lungs@0.1.0"))
    assert {p: p.read_bytes() for p in shipped.rglob("*") if p.is_file()} == before


def test_a_name_can_be_asked_for_before_there_is_a_model(trained: Path) -> None:
    info = install.install(trained)
    install.check_name("tiny-lungs", "0.1.1")
    install.check_name("tiny-lungs", "0.1.0", known=())
    for known in (None, (info,)):
        with pytest.raises(ModelError, match="installed already"):
            install.check_name("tiny-lungs", "0.1.0", known=known)
    with pytest.raises(ModelError, match="or a higher version"):
        install.check_name("ct-infection", "0.1.0", replace=True)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"name": "../../elsewhere"}, "name"),
        ({"version": "new"}, "version"),
        ({"architecture": "resnet-of-mine"}, "do not fit"),
        ({"config": {"classes": 3, "base": 6, "depth": 2}}, "do not fit"),
        ({"weights": {"file": "weights.h5", "sha256": "0" * 64}}, "checksum"),
        ({"threshold": 2}, "not a model description"),
        ({"scheme": "nonsense"}, "not a model description"),
        ({"scheme": None}, "not a model description"),
        ({"role": "classification"}, "not a model description"),
        ({"task": "classification"}, "not a model description"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(
    trained: Path, own_models: Path, facts: dict, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        install.install(renamed(trained, **facts))
    assert not own_models.exists()


def test_weights_that_are_too_large_are_refused(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "LARGEST_MB", 0.001)
    with pytest.raises(ModelError, match="at most"):
        install.install(trained)


def test_the_command_line_installs_and_lists(
    trained: Path, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["models", "install", str(trained)]) == 0
    assert "tiny-lungs 0.1.0: installed in" in capsys.readouterr().out
    execute(["models", "list", "--json"])
    mine = [m for m in json.loads(capsys.readouterr().out) if m["name"] == "tiny-lungs"]
    assert [(m["version"], m["from"]) for m in mine] == [("0.1.0", str(own_models))]


def test_a_full_disk_leaves_no_half_model(
    trained: Path, own_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(install, "write_bytes", full)
    with pytest.raises(WriteError, match="disk is full"):
        install.install(trained)
    assert list(own_models.iterdir()) == []


def test_a_named_folder_goes_before_a_newer_version_elsewhere(trained: Path, models: Path) -> None:
    install.install(renamed(trained, version="0.5.0"))
    renamed(trained, version="0.1.0")
    assert registry.find("tiny-lungs", [models]).folder == trained
    assert registry.find("tiny-lungs@0.5.0", [models]).version == "0.5.0"
