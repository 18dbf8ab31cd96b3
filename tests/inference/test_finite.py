"""Pixels that are no numbers spoil no result, and answers that are none are no answers."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.inference import ModelError, find, job, run
from napari_covidseg.inference.network import Network
from napari_covidseg.inference.weights import checksum, save_weights
from napari_covidseg.study import CovidsegError, Modality, Study, from_array
from tests.inference.conftest import write_tiny, write_tiny_classifier
from tests.inference.test_run import DarkIsLung, chest


class Seeing(DarkIsLung):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.shown.append(pictures)
        return super().__call__(pictures)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Seeing:
    seeing = Seeing()
    monkeypatch.setattr(job, "loaded", lambda *_: seeing)
    return seeing


def with_border(study: Study, value: float = np.nan) -> Study:
    """No number in the corners and at the edges, as after resampling."""
    array = study.array.astype(np.float32)
    outside = np.ones(array.shape[-2:], bool)
    outside[4:-4, 4:-4] = False
    array[..., outside] = value
    return study.replace(array=array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("is_hu", [True, False])
def test_a_ct_with_a_border_of_no_numbers_has_its_lungs(
    models: Path, network: Seeing, is_hu: bool, value: float
) -> None:
    study = chest(is_hu=is_hu)
    if not is_hu:
        study = study.replace(array=(study.array + 1100.0) / 1300)
    array = study.array.copy()
    (whole,) = run(study, ["tiny-lungs"], model_dirs=[models]).segmentations
    (found,) = run(with_border(study, value), ["tiny-lungs"], model_dirs=[models]).segmentations
    assert (found.labels != whole.labels).mean() < 0.01
    assert all(np.isfinite(pictures).all() for pictures in network.shown)
    assert "% of the pixels are NaN or infinite" in found.notes[0] and whole.notes == ()
    np.testing.assert_array_equal(study.array, array)


def test_what_the_user_said_of_the_values_stays(models: Path, network: Seeing) -> None:
    said = with_border(chest()).replace(is_hu=False)
    assert job.Job(said, (), "CPU", lambda _: None).study.is_hu is False


def test_a_film_with_one_nan_is_seen(tmp_path: Path, network: Seeing) -> None:
    shown = {"values": "xray", "frame": "whole", "size": 64}
    write_tiny(tmp_path, "film", modality="XR", input=shown)
    array = np.random.default_rng(0).random((90, 120), np.float32)
    array[3, 5] = np.nan
    film = from_array(array, modality=Modality.XR)
    run(film, ["film"], model_dirs=[tmp_path])
    (pictures,) = network.shown
    assert np.isfinite(pictures).all() and pictures.std() > 0.1


def test_an_image_of_no_numbers_is_refused_in_one_line(models: Path, network: Seeing) -> None:
    nothing = chest().replace(array=np.full((5, 90, 120), np.nan, np.float32))
    with pytest.raises(CovidsegError, match=r"^All pixels of the image are NaN or infinite: check"):
        run(nothing, ["tiny-lungs"], model_dirs=[models])


def test_a_probability_says_what_was_put_in(tmp_path: Path) -> None:
    write_tiny_classifier(tmp_path, "guess")
    (answer,) = run(with_border(chest()), ["guess"], model_dirs=[tmp_path]).classifications
    assert np.isfinite(answer.probability)
    assert "NaN or infinite" in answer.notes[0]


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_an_answer_that_is_no_number_is_an_error_and_not_no(tmp_path: Path, task: str) -> None:
    """As of damaged weights whose checksum was taken after the damage."""
    write = write_tiny if task == "segmentation" else write_tiny_classifier
    folder = write(tmp_path, "broken")
    spec = json.loads((folder / "model.json").read_text())
    model = nets.build(spec["architecture"], spec["config"])
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    save_weights(model, folder / "weights.h5")
    spec["weights"]["sha256"] = checksum(folder / "weights.h5")
    (folder / "model.json").write_text(json.dumps(spec))
    network = Network(find("broken", [tmp_path]))
    with pytest.raises(ModelError, match=r"^broken 0\.1\.0 gave no number .* install"):
        network(np.zeros((3, 64, 64), np.float32))
