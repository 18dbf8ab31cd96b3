"""What the user chose on the Preferences page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings

from napari_covidseg.engine import EngineSettings

PLUGIN = "napari-covidseg"


def _section() -> Any | None:
    """Our part of napari's settings; None where the plugin is not registered (scripts)."""
    try:
        return get_plugin_settings(PLUGIN).covidseg
    except (KeyError, AttributeError):
        return None


def engine_settings() -> EngineSettings:
    """How runs are to be computed."""
    section = _section()
    if section is None:
        return EngineSettings()
    folder = section.model_folder.strip()
    return EngineSettings(
        threads=section.threads or None,
        device=section.device,
        model_dirs=(Path(folder).expanduser(),) if folder else (),
    )


def dataset_folder() -> Path | None:
    """Where training cases are saved; None where nothing was chosen."""
    section = _section()
    folder = section.dataset_folder.strip() if section is not None else ""
    return Path(folder).expanduser() if folder else None


def remember_dataset_folder(folder: Path) -> None:
    """Choose a dataset folder for this and later sessions."""
    section = _section()
    if section is not None:
        section.dataset_folder = str(folder)


def on_change(callback: Callable[..., None]) -> None:
    """Call a bound method back when a preference changes, as long as its object lives."""
    section = _section()
    if section is not None:
        section.events.connect(callback)


def off_change(callback: Callable[..., None]) -> None:
    """Stop calling it back."""
    section = _section()
    if section is not None:
        section.events.disconnect(callback)
