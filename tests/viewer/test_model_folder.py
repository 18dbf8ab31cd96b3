"""A model folder of the Preferences that holds no model is told, and the others are listed."""

import pytest

from napari_covidseg.engine import EngineSettings
from napari_covidseg.viewer import settings
from tests.viewer.test_widget import wait_ready


@pytest.mark.parametrize("there", [True, False])
def test_the_list_comes_up_and_the_folder_is_named(
    widget, viewer, qtbot, add_scan, monkeypatch, tmp_path, there
):
    folder = tmp_path / "of-models"
    if there:
        folder.mkdir()
    add_scan(viewer)
    wait_ready(qtbot, widget)
    monkeypatch.setattr(settings, "engine_settings", lambda: EngineSettings(model_dirs=(folder,)))
    widget._settings_changed()
    line = widget.controls.line.text()
    assert str(folder) in line and ("holds no model" if there else "no model folder at") in line
    assert widget.models.selected == ["ct-lungs", "ct-infection"]
