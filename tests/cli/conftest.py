"""A command line whose models are fakes, so that it is tested without weights."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_covidseg import doctor, inference
from napari_covidseg.cli.app import execute
from napari_covidseg.inference.registry import defaults
from napari_covidseg.labels import SCHEMES
from napari_covidseg.segmentation import (
    Classification,
    Explanation,
    ModelRef,
    Outcome,
    Progress,
    Segmentation,
    Shortcut,
    map_dtype,
)
from napari_covidseg.study import CovidsegError


@dataclass(frozen=True)
class FakeInfo:
    """Stands for a registry entry."""

    name: str
    task: str
    role: str
    modality: str
    scheme: str | None
    card: Path
    folder: Path = Path("models")
    version: str = "1.0"
    title: str = "A model"
    summary: str = "Does something"
    threshold: float = 0.5
    size_mb: float = 7.5
    shipped: bool = True

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


class Fakes:
    """What the fake models do and what they were asked for."""

    def __init__(self, card: Path) -> None:
        card.write_text("# Card\nWhere it fails: everywhere.\n")
        rows = [
            ("ct-lungs", "segmentation", "lungs", "CT", "lungs"),
            ("ct-infection", "segmentation", "infection", "CT", "infection"),
            ("xray-lungs", "segmentation", "lungs", "XR", "lungs"),
            ("ct-covid", "classification", "classification", "CT", None),
            ("xray-tb", "classification", "classification", "XR", None),
        ]
        newest = tuple(FakeInfo(*row, card=card) for row in rows)
        self.infos = (*newest, replace(newest[0], version="0.9"))
        self.studies = []
        self.models = []
        self.options = []
        self.damaged = set()
        self.error = None
        self.findings = ()

    def available(self, model_dirs=()):
        return self.infos

    def find(self, name, model_dirs=()):
        for info in self.infos:
            if name in (info.name, info.reference):
                return info
        known = ", ".join(dict.fromkeys(i.name for i in self.infos))
        raise CovidsegError(f"There is no model named '{name}'; there are: {known}.")

    def read_model(self, folder):
        return self.find(folder.name)

    def verify(self, info):
        if info.name in self.damaged:
            raise CovidsegError("the weights are damaged: install the package again.")

    def run(self, study, models, **options):
        self.studies.append(study)
        self.models = list(models)
        self.options.append(options)
        if self.error:
            raise self.error
        options["progress"](Progress("Looking", 1, 2))
        masks, answers = [], []
        for name in models:
            info = self.find(name)
            ref = ModelRef(info.name, info.version)
            if info.task == "classification":
                slices = tuple((z, 0.25) for z in range(len(study.slices())))
                notes, shortcut = ("Made up.",), Shortcut(0.7, 0.65, 0.2, 0.6)
                answers.append(Classification(ref, "COVID-19", 0.7, 0.6, slices, notes, shortcut))
            else:
                labels = (study.array > np.median(study.array)).astype(np.uint8)
                masks.append(Segmentation(labels, SCHEMES[info.scheme], ref, 0.5, 0.9))
        return Outcome(tuple(masks), tuple(answers))

    def classify_and_explain(self, study, model, *, method, **options):
        (answer,) = self.run(study, [model], **options).classifications
        options["progress"](Progress("Explaining", 1, 2))
        dtype = map_dtype(study.ndim)
        found = np.zeros(study.array.shape, dtype)
        found[..., 2:5, 3:9] = 255 if dtype == np.uint8 else 1
        slices = tuple((z, 0.5) for z in range(len(study.slices())))
        return answer, Explanation(answer.model, method, found, 0.5, 0.25, slices)


@pytest.fixture(autouse=True)
def no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without ``--debug``, and take back what a test's own ``--debug`` leaves behind."""
    monkeypatch.setenv("COVIDSEG_DEBUG", "")


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    fake = Fakes(tmp_path / "card.md")
    registry = ModuleType("napari_covidseg.inference.registry")
    for name in ("available", "find", "read_model", "verify"):
        setattr(registry, name, getattr(fake, name))
    registry.defaults = defaults
    registry.check_folders = lambda dirs: None
    for name in dict.fromkeys(info.name for info in fake.infos):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.json").touch()
    registry.every_folder = lambda dirs=(): sorted((tmp_path / "models").iterdir())
    monkeypatch.setitem(sys.modules, registry.__name__, registry)
    monkeypatch.setattr(inference, "registry", registry, raising=False)
    monkeypatch.setattr(inference, "run", fake.run, raising=False)
    monkeypatch.setattr(inference, "classify_and_explain", fake.classify_and_explain, raising=False)
    monkeypatch.setattr(doctor, "examine", lambda study: fake.findings)
    return fake


@pytest.fixture
def covidseg(fakes, capsys, monkeypatch):
    """Run the command line; give exit code, stdout and stderr."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    def run(*arguments):
        capsys.readouterr()
        code = execute([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def picture(tmp_path):
    """Make an 8-bit picture."""

    def make(name="slice.png", shape=(64, 48)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).integers(0, 255, shape)
        Image.fromarray(noise.astype(np.uint8)).save(path)
        return path

    return make


@pytest.fixture
def nifti(tmp_path):
    """Make a volume in HU, obliquely placed."""

    def make(name="scan.nii.gz", data=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            data = np.random.default_rng(0).integers(-1000, 200, (24, 20, 10))
        affine = np.diag([-0.8, -0.8, 2.5, 1.0])
        affine[:3, 3] = 10, 20, -30
        nib.save(nib.Nifti1Image(np.asarray(data, np.int16), affine), path)
        return path

    return make
