"""The list of all models: what it tells, and how one is installed from it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from qtpy.QtWidgets import QDialog, QFileDialog, QMessageBox, QPushButton

from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference import registry
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import model_bus, models_dialog, settings
from napari_covidseg.viewer.models_dialog import COLUMNS, ModelsDialog


@pytest.fixture
def listed(qtbot, models):
    """The list, shown."""
    dialog = ModelsDialog()
    qtbot.addWidget(dialog)
    dialog.refresh()
    dialog.show()
    return dialog


@pytest.fixture
def installer(monkeypatch, own_models):
    """Copies instead of checking, and tells what it was asked."""
    asked = []

    def install(folder, *, replace):
        asked.append((folder, replace))
        model = registry.read_model(folder)
        shutil.copytree(folder, own_models / f"{model.name}-{model.version}")

    monkeypatch.setattr(models_dialog, "run_installer", install)
    return asked


@pytest.fixture
def made(tmp_path, models):
    """Write a model folder, as a training does."""

    def make(name, version, source="ct-lungs"):
        folder = tmp_path / "made" / f"{name}-{version}"
        shutil.copytree(models / source, folder)
        facts = json.loads((folder / "model.json").read_text())
        text = json.dumps({**facts, "name": name, "version": version})
        (folder / "model.json").write_text(text)
        return folder

    return make


def rows(dialog):
    table = dialog.table
    return [
        dict(zip(COLUMNS, [table.item(r, c).text() for c in range(len(COLUMNS))], strict=True))
        for r in range(table.rowCount())
    ]


def answer(monkeypatch, button):
    said = []

    def question(parent, title, text):
        said.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "question", question)
    return said


def wait_until_said(qtbot, dialog, words):
    qtbot.waitUntil(lambda: words in dialog.line.text(), timeout=120_000)
    assert dialog.install.isEnabled()


def test_it_tells_of_each_model_what_there_is_to_know(listed, models):
    assert [row["Name"] for row in rows(listed)] == [
        "ct-infection",
        "ct-lungs",
        "ct-covid",
        "xray-ggo",
        "xray-lungs",
    ]
    assert rows(listed)[1] == {
        "Name": "ct-lungs",
        "Version": "1.0",
        "Used": "yes",
        "For": "CT",
        "What it does": "Made up for a test.",
        "MB": "missing",
        "From": "shipped",
    }
    assert rows(listed)[3]["For"] == "X-ray"
    assert listed.table.item(1, 6).toolTip() == str(models / "ct-lungs")
    (models / "ct-lungs" / "weights.h5").write_bytes(b"0" * 1_500_000)
    listed.refresh()
    assert rows(listed)[1]["MB"] == "1.5"


def test_the_newest_version_is_marked_as_the_one_used(listed, made, own_models):
    newer = made("ct-lungs", "1.1.0")
    shutil.copytree(newer, own_models / "ct-lungs-1.1.0")
    listed.choose("ct-lungs@1.0")
    model_bus.bus.changed.emit()  # as a training does
    found = [row for row in rows(listed) if row["Name"] == "ct-lungs"]
    assert [(row["Version"], row["Used"]) for row in found] == [
        ("1.1.0", "yes"),
        ("1.0", "on request"),
    ]
    assert found[0]["From"].endswith("ct-lungs-1.1.0")
    assert listed.chosen.reference == "ct-lungs@1.0"


def test_card_and_folder_are_those_of_the_chosen_model(listed, models, monkeypatch):
    opened = []

    def open_url(url):
        opened.append(Path(url.toLocalFile()))
        return len(opened) < 2

    monkeypatch.setattr(models_dialog.QDesktopServices, "openUrl", open_url)
    listed.choose("xray-ggo@1.0")
    listed.card.click()
    (card,) = [d for d in listed.findChildren(QDialog) if d.isVisible()]
    assert card.windowTitle() == "xray-ggo 1.0"
    card.close()
    listed.folder.click()
    assert opened == [models / "xray-ggo"] and not listed.line.text()
    listed.folder.click()
    assert str(models / "xray-ggo") in listed.line.text()


def test_what_cannot_be_listed_is_told(listed, models, monkeypatch, tmp_path):
    (models / "xray-ggo" / "model.json").write_text("{")
    nowhere = tmp_path / "nowhere"
    monkeypatch.setattr(settings, "engine_settings", lambda: EngineSettings(model_dirs=(nowhere,)))
    listed.refresh()
    assert f"no model folder at {nowhere}" in listed.line.text()
    assert "Left out" in listed.line.text() and "xray-ggo" in listed.line.text()
    assert "xray-ggo" not in [row["Name"] for row in rows(listed)]


def test_a_model_of_a_new_name_is_installed_without_a_question(
    listed, made, installer, qtbot, monkeypatch
):
    folder = made("mine", "0.1.0")
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    with qtbot.waitSignal(model_bus.bus.changed, timeout=20_000):
        listed.install.click()
        assert not listed.install.isEnabled()
    wait_until_said(qtbot, listed, "mine 0.1.0 is installed.")
    assert installer == [(folder, False)] and not asked
    assert listed.chosen.reference == "mine@0.1.0"


@pytest.mark.parametrize("yes", [True, False])
def test_a_model_that_would_answer_for_a_shipped_one_is_asked_about(
    listed, made, installer, qtbot, monkeypatch, yes
):
    button = QMessageBox.StandardButton
    asked = answer(monkeypatch, button.Yes if yes else button.No)
    folder = made("ct-lungs", "1.1.0")
    listed.put(folder)
    wait_until_said(qtbot, listed, "1.1.0 is installed" if yes else "Nothing was installed.")
    assert "Let 1.1.0 answer for that name" in asked[0]
    assert installer == ([(folder, True)] if yes else [])


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("ct-lungs", "1.0", "is installed already"),
        ("ct-lungs", "0.9.0", "give yours another name, or a higher version"),
        (None, None, "choose the folder in which a model.json lies"),
    ],
)
def test_what_cannot_be_installed_is_told_at_once(
    listed, made, installer, qtbot, tmp_path, name, version, words
):
    listed.put(made(name, version) if name else tmp_path)
    wait_until_said(qtbot, listed, words)
    assert not installer


def test_the_installer_checks_in_a_process_of_its_own(
    listed, made, qtbot, tmp_path, own_models, monkeypatch
):
    damaged = made("mine", "0.1.0")
    (damaged / "weights.h5").write_bytes(b"no weights")
    with pytest.raises(CovidsegError, match="The weights of mine") as error:
        models_dialog.run_installer(damaged, replace=False)
    assert "\n" not in str(error.value)
    code = (
        "import sys; from pathlib import Path; from tests.inference.conftest import write_tiny;"
        "write_tiny(Path(sys.argv[1]))"
    )
    whole, root = tmp_path / "whole" / "tiny-lungs", Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(whole.parent)], check=True, cwd=root)
    listed.put(whole)
    wait_until_said(qtbot, listed, "tiny-lungs 0.1.0 is installed.")
    assert (own_models / "tiny-lungs-0.1.0" / "model.json").is_file()
    assert listed.chosen.name == "tiny-lungs"
    monkeypatch.setattr(models_dialog, "INSTALLER", ("napari_covidseg.no_such_module",))
    with pytest.raises(CovidsegError, match="stopped unexpectedly"):
        models_dialog.run_installer(whole, replace=False)


def test_every_control_explains_itself(listed):
    assert all(b.toolTip() for b in listed.findChildren(QPushButton))
    assert listed.table.toolTip()


def test_the_dock_opens_the_list_and_takes_it_along(widget, qtbot, models, monkeypatch):
    widget.models.all.click()
    dialog = widget.findChild(ModelsDialog)
    assert dialog.isVisible() and len(rows(dialog)) == len(list(models.iterdir()))
    widget.models.all.click()
    assert widget.findChildren(ModelsDialog) == [dialog]
    qtbot.waitUntil(lambda: widget._began, timeout=20_000)
    shutil.rmtree(models / "xray-ggo")
    widget._settings_changed()
    assert "xray-ggo" not in [row["Name"] for row in rows(dialog)]
    widget.shutdown()
    assert not dialog.isVisible()
