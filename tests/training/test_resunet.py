"""A ResUNet from a recipe to an answer on an image."""

from pathlib import Path

from own_data import films, picture, recipe

from napari_covidseg.cli.app import execute
from napari_covidseg.inference import find, run
from napari_covidseg.study import Modality, from_array

DATA = """
[[data]]
kind = "pairs"
path = "films"
labels = { 255 = "ground glass" }
"""


def test_the_command_trains_it_and_the_registry_runs_it(tmp_path: Path) -> None:
    films(tmp_path / "films", list("abcdef"))
    path = recipe(tmp_path, DATA)
    path.write_text(path.read_text().replace('"unet"', '"resunet"'))
    out = tmp_path / "runs"
    assert execute(["train", str(path), "--data", str(tmp_path), "--out", str(out)]) == 0
    assert find("own", [out]).spec.architecture == "resunet"
    study = from_array(picture(9), modality=Modality.XR)
    (found,) = run(study, ["own"], model_dirs=[out]).segmentations
    assert found.labels.shape == study.array.shape
