"""Preferences, which tests must not mix up with the user's own."""

import os
from pathlib import Path

from napari.settings import get_plugin_settings, get_settings

from napari_covidseg.engine import EngineSettings
from napari_covidseg.viewer import settings


def test_a_dataset_folder_is_remembered_among_the_settings_of_the_test(plugin, tmp_path):
    settings.remember_dataset_folder(tmp_path / "cases")
    assert settings.dataset_folder() == tmp_path / "cases"
    kept = Path(get_plugin_settings(plugin).config_path)
    assert kept.is_relative_to(tmp_path)
    assert "cases" in kept.read_text()


def test_napari_keeps_its_settings_out_of_the_users_home():
    assert str(get_settings().config_path) == os.environ["NAPARI_CONFIG"]
    assert not Path(os.environ["NAPARI_CONFIG"]).is_relative_to(Path.home() / ".config")


def test_without_the_plugin_registered_there_are_defaults():
    assert settings.engine_settings() == EngineSettings()
    assert settings.dataset_folder() is None
    settings.remember_dataset_folder(Path("nowhere"))
    assert settings.dataset_folder() is None
