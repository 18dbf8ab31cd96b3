from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference import ModelError, job, run, warm
from napari_covidseg.labels import LUNGS
from napari_covidseg.segmentation import Progress
from napari_covidseg.study import Modality, Study, from_array
from tests.inference.conftest import write_tiny, write_tiny_classifier


def chest(shape: tuple[int, ...] = (5, 90, 120), **changes: object) -> Study:
    """A body of soft tissue with two dark boxes for lungs, in HU."""
    hu = np.full(shape, -1000, np.int16)
    h, w = shape[-2:]
    hu[..., h // 8 : -h // 8, w // 8 : -w // 8] = 40
    for left in (0.2, 0.55):
        hu[..., round(0.3 * h) : round(0.7 * h), round(left * w) : round((left + 0.25) * w)] = -860
    settings: dict = {"modality": Modality.CT, "is_hu": True, "spacing": (2.0,) * len(shape)}
    return from_array(hu, **{**settings, **changes})


class DarkIsLung:
    """Stands for a trained network: what is dark inside the body is lung, by side."""

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        size = pictures.shape[-1]
        off = np.abs(np.linspace(-1, 1, size))
        dark = (pictures < 0.5) & (off < 0.8) & (off < 0.62)[:, None]  # not the air outside
        right = np.arange(size) < size / 2
        return np.stack([dark & right, dark & ~right], axis=-1).astype(np.uint8) * 250


@pytest.fixture
def fake_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "loaded", lambda *_: DarkIsLung())


@pytest.mark.parametrize("shape", [(5, 90, 120), (33, 64, 64), (90, 120), (1, 256, 200)])
def test_lungs_lie_where_the_lungs_are(
    models: Path, fake_network: None, shape: tuple[int, ...]
) -> None:
    study = chest(shape)
    (found,) = run(study, ["tiny-lungs"], model_dirs=[models]).segmentations
    truth = study.array == -860
    assert found.labels.shape == study.array.shape
    assert found.labels.dtype == np.uint8
    assert found.scheme is LUNGS
    overlap = 2 * ((found.labels > 0) & truth).sum() / ((found.labels > 0).sum() + truth.sum())
    assert overlap > 0.85  # the network's pixels are twice the image's
    for axis in range(truth.ndim):
        others = tuple(a for a in range(truth.ndim) if a != axis)
        centre = [
            float((m.sum(others) * np.arange(m.shape[axis])).sum() / m.sum())
            for m in (found.labels > 0, truth)
        ]
        assert abs(centre[0] - centre[1]) < 0.6 * max(shape[-2:]) / 64
    middle = shape[-1] // 2
    assert set(np.unique(found.labels[..., :middle])) == {0, 1}
    assert set(np.unique(found.labels[..., middle:])) == {0, 2}


def test_pictures_and_hounsfield_units_give_the_same_lungs(
    models: Path, fake_network: None
) -> None:
    study = chest()
    as_picture = np.clip((study.array.astype(float) + 1100) / 1300 * 255, 0, 255).astype(np.uint8)
    other = from_array(as_picture, modality=Modality.CT, spacing=(2.0, 2.0, 2.0))
    by_hu, by_look = (
        run(s, ["tiny-lungs"], model_dirs=[models]).segmentations[0].labels for s in (study, other)
    )
    assert (by_hu != by_look).mean() < 0.01


def test_slices_are_read_one_slab_at_a_time(models: Path, fake_network: None) -> None:
    dask = pytest.importorskip("dask.array")
    study = chest()
    lazy = study.replace(array=dask.from_array(study.array, chunks=(1, -1, -1)))
    whole, slabs = (
        run(s, ["tiny-lungs"], model_dirs=[models]).segmentations[0].labels for s in (study, lazy)
    )
    assert np.array_equal(whole, slabs)


def test_a_real_network_runs_and_says_how_far_it_is(models: Path) -> None:
    seen: list[Progress] = []
    warm(["tiny-lungs"], model_dirs=[models])
    outcome = run(chest(), ["tiny-lungs"], model_dirs=[models], progress=seen.append)
    assert outcome.device.startswith(("CPU", "GPU"))
    assert outcome.segmentations[0].model.version == "0.1.0"
    assert [p.phase for p in seen][:2] == ["Starting TensorFlow", "Loading tiny-lungs"]
    assert seen[-2].done == seen[-2].total == 5


def test_the_frozen_network_answers_as_the_trained_one(models: Path) -> None:
    from napari_covidseg import nets
    from napari_covidseg.inference import find
    from napari_covidseg.inference.network import Network
    from napari_covidseg.inference.weights import load_weights

    info = find("tiny-lungs", [models])
    model = nets.build(info.spec.architecture, info.spec.config)
    load_weights(model, info.weights)
    pictures = np.random.default_rng(0).random((11, 64, 64)).astype(np.float32)
    logits = np.asarray(model(pictures[..., None], training=False))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert np.abs(Network(info)(pictures) / 255 - p[..., 1:]).max() < 0.003


def test_infection_stays_inside_the_lungs(tmp_path: Path, fake_network: None) -> None:
    write_tiny(tmp_path, "ct-lungs")
    write_tiny(
        tmp_path,
        "all-sick",
        role="infection",
        scheme="infection",
        input={"values": "ct", "frame": "lungs", "size": 64},
    )
    study = chest()
    infection, lungs = run(study, ["all-sick", "ct-lungs"], model_dirs=[tmp_path]).segmentations
    assert infection.labels.any()
    assert not (infection.labels[lungs.labels == 0]).any()


@pytest.mark.parametrize(("threshold", "drawn"), [(0.2, True), (0.3, False)])
@pytest.mark.parametrize("frame", ["lungs", "whole"])
def test_infection_is_drawn_from_the_threshold_however_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: float, drawn: bool, frame: str
) -> None:
    write_tiny(tmp_path, "ct-lungs")
    spec = {"values": "ct", "frame": frame, "size": 64}
    write_tiny(
        tmp_path, "faint", role="infection", scheme="infection", input=spec, threshold=threshold
    )

    def network(folder: Path, *_: object) -> object:
        def faint(pictures: np.ndarray) -> np.ndarray:
            return np.full((*pictures.shape[:3], 2), (30, 30), np.uint8)  # 0.24 together

        return DarkIsLung() if folder.name == "ct-lungs" else faint

    monkeypatch.setattr(job, "loaded", network)
    (found,) = run(chest(), ["faint"], model_dirs=[tmp_path]).segmentations
    assert found.labels.any() == drawn


def test_where_there_is_no_lung_there_is_no_infection(tmp_path: Path, fake_network: None) -> None:
    write_tiny(tmp_path, "ct-lungs")
    frame = {"values": "ct", "frame": "lungs", "size": 64}
    write_tiny(tmp_path, "sick", role="infection", scheme="infection", input=frame)
    solid = from_array(np.full((3, 64, 64), 40, np.int16), modality=Modality.CT, is_hu=True)
    (found,) = run(solid, ["sick"], model_dirs=[tmp_path]).segmentations
    assert not found.labels.any()
    assert "No lung was found" in found.notes[0]


def test_a_scan_gets_one_answer_and_one_for_each_slice(tmp_path: Path) -> None:
    write_tiny_classifier(tmp_path, "guess")
    (answer,) = run(chest(), ["guess"], model_dirs=[tmp_path]).classifications
    assert 0 <= answer.probability <= 1
    assert [z for z, _ in answer.slices] == [0, 1, 2, 3, 4]
    assert "of 5 slices" in answer.notes[0]


def test_a_ct_model_refuses_a_film(models: Path) -> None:
    with pytest.raises(ModelError, match="correct the modality"):
        run(chest(modality=Modality.XR), ["tiny-lungs"], model_dirs=[models])


def test_an_unknown_modality_is_asked_for(models: Path) -> None:
    with pytest.raises(ModelError, match="choose the modality"):
        run(chest(modality=None), ["tiny-lungs"], model_dirs=[models])


def test_a_network_that_wants_the_lungs_is_shown_them(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(
        models,
        "tiny-infection",
        role="infection",
        scheme="infection",
        input={"values": "ct", "frame": "lungs", "size": 64, "lungs": True},
        config={"channels": 2, "classes": 3, "base": 4, "depth": 2},
    )
    seen = []

    def infection(pictures: np.ndarray) -> np.ndarray:
        seen.append(pictures)
        return np.zeros((*pictures.shape[:3], 2), np.uint8)

    def network(folder: Path, *_: object) -> object:
        return infection if folder.name == "tiny-infection" else DarkIsLung()

    monkeypatch.setattr(job, "loaded", network)
    run(chest(), ["tiny-lungs", "tiny-infection"], model_dirs=[models])
    (pictures,) = seen
    assert pictures.shape == (5, 64, 64, 2)
    lungs = pictures[..., 1] > 0.5
    assert 0.1 < lungs.mean() < 0.6
    assert (pictures[..., 0][lungs] < 0.5).mean() > 0.9


def test_what_a_network_is_shown_does_not_depend_on_who_ran_before(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Infection at the lungs' edge counts as lung in the answer, not for the next model."""
    spec = {"values": "ct", "frame": "lungs", "size": 64, "lungs": True}
    config = {"channels": 2, "classes": 3, "base": 4, "depth": 2}
    for name in ("first-infection", "second-infection"):
        write_tiny(models, name, role="infection", scheme="infection", input=spec, config=config)
    seen: dict[str, np.ndarray] = {}

    def network(folder: Path, *_: object) -> object:
        def infection(pictures: np.ndarray) -> np.ndarray:
            seen[folder.name] = pictures
            return np.full((*pictures.shape[:3], 2), (250, 0), np.uint8)

        return DarkIsLung() if folder.name == "tiny-lungs" else infection

    monkeypatch.setattr(job, "loaded", network)
    names = ["tiny-lungs", "first-infection", "second-infection"]
    outcome = run(chest(), names, model_dirs=[models])
    alone = run(chest(), ["tiny-lungs"], model_dirs=[models]).segmentations[0].labels
    assert np.array_equal(seen["first-infection"], seen["second-infection"])
    assert (outcome.segmentations[0].labels > 0).sum() > (alone > 0).sum()


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("frame", ["whole", "lungs"])
def test_a_slice_is_shown_mirrored_too_where_the_network_learnt_from_such(
    models: Path, monkeypatch: pytest.MonkeyPatch, mirrored: bool, frame: str
) -> None:
    seen = []

    def network(pictures: np.ndarray) -> np.ndarray:
        seen.append(pictures)
        return np.zeros((*pictures.shape[:3], 2), np.uint8)

    lungs = DarkIsLung()
    monkeypatch.setattr(
        job, "loaded", lambda folder, *_: lungs if folder.name == "tiny-lungs" else network
    )
    spec = {"values": "ct", "frame": frame, "size": 64}
    write_tiny(
        models, "any-infection", role="infection", scheme="infection", input=spec, mirrored=mirrored
    )
    volume = chest()
    lone = from_array(
        volume.array[len(volume.array) // 2], spacing=volume.spacing[1:], modality=Modality.CT
    )
    run(lone, ["tiny-lungs", "any-infection"], model_dirs=[models])
    assert len(seen) == 1 + mirrored
    np.testing.assert_array_equal(seen[-1], seen[0][:, :, ::-1] if mirrored else seen[0])
    seen.clear()
    run(volume, ["tiny-lungs", "any-infection"], model_dirs=[models])
    assert len(volume.array) > job.FEW and sum(map(len, seen)) <= len(volume.array)
