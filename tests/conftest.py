"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images that are not part of the project; skips where it is absent."""
    given = os.environ.get("COVIDSEG_SHARED_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set COVIDSEG_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def fake_inference() -> str:
    """Name of a module that stands in for the models in the engine's child."""
    sys.path.append(str(Path(__file__).parent))  # the child gets the same path
    return "fake_inference"
