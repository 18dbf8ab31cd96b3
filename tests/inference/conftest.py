"""A model folder with a tiny untrained network, made in a second."""

import json
import shutil
from pathlib import Path

import pytest

from napari_covidseg import nets
from napari_covidseg.inference.weights import checksum, save_weights


def write_tiny(folder: Path, name: str = "tiny-lungs", **changes: object) -> Path:
    """Write a model folder; `changes` overwrite fields of its description."""
    config = {"classes": 3, "base": 4, "depth": 2}
    spec = {
        "name": name,
        "version": "0.1.0",
        "title": "Tiny",
        "summary": "For tests.",
        "task": "segmentation",
        "role": "lungs",
        "modality": "CT",
        "scheme": "lungs",
        "threshold": 0.5,
        "input": {"values": "ct", "frame": "body", "size": 64},
        "architecture": "unet",
        "config": config,
        **changes,
    }
    model = nets.build(str(spec["architecture"]), spec["config"])
    target = folder / name
    target.mkdir(parents=True)
    save_weights(model, target / "weights.h5")
    spec["weights"] = {"file": "weights.h5", "sha256": checksum(target / "weights.h5")}
    (target / "model.json").write_text(json.dumps(spec))
    return target


def write_tiny_classifier(folder: Path, name: str, **changes: object) -> Path:
    """Write a classifier's folder, as `write_tiny`."""
    classifies = {
        "task": "classification",
        "role": "classification",
        "scheme": None,
        "finding": "COVID-19",
        "architecture": "feature_classifier",
        "config": {},
    }
    return write_tiny(folder, name, **{**classifies, **changes})


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one tiny lung model, made once; copy it to change it."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny(folder)
    return folder


@pytest.fixture
def models(tiny_model: Path, tmp_path: Path) -> Path:
    """Copy of the tiny model's folder, free to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "models")
