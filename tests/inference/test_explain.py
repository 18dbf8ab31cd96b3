"""Class activation maps: known answers, places, sums, and words for what cannot be done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from napari_covidseg import nets
from napari_covidseg.inference import ModelError, cam, classify_and_explain, explain, job, run
from napari_covidseg.inference.cam import Explained, combine, gradcam, hirescam
from napari_covidseg.inference.frame import Frame
from napari_covidseg.nets.explained import explained_features
from napari_covidseg.study import Modality, Study, from_array
from tests.inference.conftest import write_tiny, write_tiny_classifier
from tests.inference.test_run import DarkIsLung, chest


def two_channels(pool: type) -> keras.Model:
    """Answer 3 * pool(x) - 1 * pool(1 - x) + 0.5: its features are the picture and its negative."""
    picture = keras.Input((None, None, 1))
    features = layers.Conv2D(2, 1, name="features")(picture)
    model = keras.Model(picture, layers.Dense(1, name="answer")(pool()(features)))
    model.get_layer("features").set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0])])
    model.get_layer("answer").set_weights([np.array([[3.0], [-1.0]]), np.array([0.5])])
    return model


def opened(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> Explained:
    monkeypatch.setattr(cam, "load_network", lambda info: model)
    return Explained(SimpleNamespace(name="tiny"))


def test_both_methods_give_the_known_map_of_a_mean_and_a_linear_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = two_channels(layers.GlobalAveragePooling2D)
    x = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    (features,), (gradient,) = opened(model, monkeypatch)(x)
    expected = (3 * x - (1 - x)) / 64
    for method in (gradcam, hirescam):
        found = method(features, gradient)
        assert np.allclose(found, expected, atol=1e-6)
        logit = np.asarray(model(x[..., None]))[:, 0]
        assert np.allclose(found.sum(axis=(1, 2)) + 0.5, logit, atol=1e-5)


def test_a_pooled_maximum_is_evidence_at_its_place_for_hirescam_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = two_channels(layers.GlobalMaxPooling2D)
    x = np.random.default_rng(1).random((1, 6, 6)).astype(np.float32)
    (features,), (gradient,) = opened(model, monkeypatch)(x)
    expected = np.zeros((1, 6, 6))
    expected.flat[x.argmax()] += 3 * x.max()
    expected.flat[x.argmin()] -= 1 - x.min()
    found = hirescam(features, gradient)
    assert np.allclose(found, expected, atol=1e-6)
    logit = float(np.asarray(model(x[..., None]))[0, 0])
    assert found.sum() + 0.5 == pytest.approx(logit, abs=1e-5)
    spread = gradcam(features, gradient)
    assert np.allclose(spread, (3 * x - (1 - x)) / 36, atol=1e-6)


def test_maps_of_several_resolutions_keep_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the parts of two networks that are added up add up to is the logit."""
    members = [
        {"architecture": "feature_classifier", "config": {}, "share": 0.5},
        {"architecture": "mobilenet_classifier", "config": {}, "share": 2.0},
    ]
    model = nets.build("ensemble", {"members": members})
    rng = np.random.default_rng(2)
    weights, bias = model.get_layer("member0_answer").get_weights()
    model.get_layer("member0_answer").set_weights([rng.normal(size=weights.shape), bias + 0.5])
    x = rng.random((2, 64, 64)).astype(np.float32)
    features, gradients = opened(model, monkeypatch)(x)
    assert len(features) == 3
    maps = [hirescam(f, g) for f, g in zip(features, gradients, strict=True)]
    logit = np.asarray(model(x[..., None], training=False))[:, 0]
    assert np.allclose(sum(m.sum(axis=(1, 2)) for m in maps) + 0.25, logit, atol=1e-3)
    positive = [np.maximum(m, 0) for m in maps]
    whole = combine(positive, 64)
    assert whole.shape == (2, 64, 64)
    assert np.allclose(whole.sum(axis=(1, 2)), sum(m.sum(axis=(1, 2)) for m in positive), rtol=1e-3)


def test_what_is_drawn_is_evidence_where_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much of the lungs is ill goes through a logarithm and needs the lungs themselves."""
    burden = {"architecture": "burden_classifier", "config": {"channels": 2}, "share": 1.0}
    model = nets.build("ensemble", {"members": [burden], "channels": 2})
    kernel, bias = model.get_layer("member0_answer").get_weights()
    model.get_layer("member0_answer").set_weights([np.ones_like(kernel), bias])
    x = np.random.default_rng(3).random((1, 64, 64, 2)).astype(np.float32)
    x[:, :, 32:, 1] = 0.0
    features, gradients = opened(model, monkeypatch)(x)
    evidence = combine([hirescam(*pair) for pair in zip(features, gradients, strict=True)], 64)
    assert evidence[:, :, :32].min() > 0 and not evidence[:, :, 32:].any()


def test_what_speaks_against_the_finding_is_left_out() -> None:
    found = combine([np.array([[[1.0, -1.0], [0.0, 2.0]]], np.float32)], 2)
    assert found.tolist() == [[[1.0, 0.0], [0.0, 2.0]]]


def test_every_classifier_says_what_it_pools_and_others_that_they_do_not() -> None:
    assert len(explained_features(nets.build("mobilenet_classifier", {}))) == 1
    drawn, either = explained_features(nets.build("burden_classifier", {"channels": 2}))
    assert drawn.shape[-1] == either.shape[-1] == 1
    with pytest.raises(ValueError, match="pools no features"):
        explained_features(nets.build("unet", {"base": 4, "depth": 2}))


# ---------------------------------------------------------------- Places


@dataclass
class Bright:
    """Stands for a classifier that goes by what is much brighter than tissue."""

    level: float = 0.97

    def __call__(self, pictures: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        picture = pictures[..., 0] if pictures.ndim == 4 else pictures
        small = picture.reshape(-1, 32, 2, 32, 2).mean((2, 4))
        features = (small > self.level).astype(np.float32)[..., None]
        return [features], [np.full_like(features, 1 / 1024)]


@pytest.fixture
def bright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path, "ct-lungs")
    shown = {"values": "ct", "frame": "lungs", "size": 64}
    write_tiny_classifier(tmp_path, "bright", input=shown)
    monkeypatch.setattr(job, "loaded", lambda *_: DarkIsLung())
    monkeypatch.setattr(cam, "opened", lambda *_: Bright())
    return tmp_path


def with_blob(study: Study, at: tuple[int, ...], half: int) -> Study:
    array = study.array.copy()
    rows, cols = (slice(c - half, c + half) for c in at[-2:])
    array[(*at[:-2], rows, cols)] = 2000
    return study.replace(array=array)


def centre(m: np.ndarray) -> list[float]:
    m = m.astype(float)
    grids = np.meshgrid(*map(np.arange, m.shape), indexing="ij")
    return [float((m * g).sum() / m.sum()) for g in grids]


@pytest.mark.parametrize("shape", [(90, 120), (200, 110), (5, 90, 120)])
def test_a_blob_is_found_where_it_lies_in_the_image(bright: Path, shape: tuple[int, ...]) -> None:
    """The lungs' frame cuts the image, reaches beyond it and has other pixels than it."""
    h, w = shape[-2:]
    at = (*(3,) * (len(shape) - 2), round(0.58 * h), round(0.66 * w))
    study = with_blob(chest(shape, spacing=(2.0, 1.8, 2.0)[-len(shape) :]), at, 6)
    found = explain(study, "bright", model_dirs=[bright])
    assert found.map.shape == study.array.shape
    assert found.map.dtype == (np.uint8 if len(shape) == 3 else np.float32)
    assert found.map.max() == (255 if len(shape) == 3 else 1)
    where = centre(found.map)
    assert all(abs(a - b) < 3 for a, b in zip(where[-2:], at[-2:], strict=True))
    if len(shape) == 3:
        assert set(np.flatnonzero(found.map.any(axis=(1, 2)))) == {3}


def test_what_every_picture_has_in_common_is_no_evidence_where_the_lungs_alone_are_shown(
    bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {"values": "ct", "frame": "lungs", "size": 64, "outside": "blank"}
    write_tiny_classifier(bright, "lungs-alone", input=shown)
    monkeypatch.setattr(cam, "opened", lambda *_: Bright(level=0.45))
    study = chest()
    study.array[3, 40:52, 74:86] = -500  # haze: darker than the tissue that is put round the lungs
    found = explain(study, "lungs-alone", model_dirs=[bright])
    assert set(np.flatnonzero(found.map.any(axis=(1, 2)))) == {3}
    assert all(abs(a - b) < 3 for a, b in zip(centre(found.map)[1:], (45.5, 79.5), strict=True))
    assert found.mass_in_lungs > 0.9
    everywhere = explain(study, "bright", model_dirs=[bright])
    assert everywhere.map.any(axis=(1, 2)).all() and everywhere.mass_in_lungs < 0.5


def test_where_no_lung_was_found_the_whole_picture_is_explained(bright: Path) -> None:
    shown = {"values": "ct", "frame": "lungs", "size": 64, "outside": "blank"}
    write_tiny_classifier(bright, "lungs-alone", input=shown)
    study = chest()
    study.array[:] = 40
    found = explain(with_blob(study, (3, 45, 60), 6), "lungs-alone", model_dirs=[bright])
    assert set(np.flatnonzero(found.map.any(axis=(1, 2)))) == {3}
    assert np.isnan(found.mass_in_lungs)


def test_only_the_slices_that_are_asked_for(bright: Path) -> None:
    study = with_blob(with_blob(chest(), (1, 50, 80), 6), (3, 50, 80), 6)
    found = explain(study, "bright", slices=[3], model_dirs=[bright])
    assert set(np.flatnonzero(found.map.any(axis=(1, 2)))) == {3}
    assert [z for z, _ in found.slices] == [3]
    with pytest.raises(ModelError, match="no slice 9: choose from 0 to 4"):
        explain(study, "bright", slices=[9], model_dirs=[bright])


def test_outside_the_frame_the_map_is_zero_and_its_mass_is_told(
    bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cam, "opened", lambda *_: Bright(level=0.9))
    study = chest((5, 90, 120))
    found = explain(study, "bright", model_dirs=[bright])
    # bright tissue is everywhere but in the lungs, and of it the frame alone is shown
    assert not found.map[:, :4].any() and not found.map[:, :, :4].any()
    assert 0.2 < found.lung_share < 0.8
    assert found.mass_in_lungs < 0.5 * found.lung_share
    monkeypatch.setattr(cam, "opened", lambda *_: Bright())
    only = explain(with_blob(study, (slice(None), 45, 80), 6), "bright", model_dirs=[bright])
    assert only.mass_in_lungs > 0.9


def test_a_frame_brings_a_map_back_to_every_pixel_that_it_showed() -> None:
    frame = Frame(-10, 20, 80, 80)
    part, rows, cols = frame.paste(np.ones((64, 64), np.float32), (50, 60))
    assert part.shape == (50, 40) and (rows, cols) == (slice(0, 50), slice(20, 60))
    assert np.allclose(part, 1)


# ---------------------------------------------------------------- Whole runs and bad input


def test_an_answer_and_its_map_look_for_the_lungs_once(
    bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def network(folder: Path, *_: str) -> Callable[[np.ndarray], np.ndarray]:
        lungs = folder.name == "ct-lungs"
        return DarkIsLung() if lungs else lambda pictures: np.zeros((len(pictures), 1), np.float32)

    monkeypatch.setattr(job, "loaded", network)
    study, phases = with_blob(chest(), (3, 50, 80), 6), []
    answer, made = classify_and_explain(
        study, "bright", model_dirs=[bright], progress=lambda now: phases.append(now.phase)
    )
    assert phases.count("Cleaning the lungs") == 1
    assert (answer,) == run(study, ["bright"], model_dirs=[bright]).classifications
    assert made.model == answer.model
    alone = explain(study, "bright", model_dirs=[bright])
    np.testing.assert_array_equal(made.map, alone.map)
    assert made.mass_in_lungs == alone.mass_in_lungs


def test_the_lungs_of_the_answer_are_those_of_its_map(
    bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def network(folder: Path, *_: str) -> Callable[[np.ndarray], np.ndarray]:
        asked.append(folder.name)
        lungs = folder.name != "bright"
        return DarkIsLung() if lungs else lambda pictures: np.zeros((len(pictures), 1), np.float32)

    asked: list[str] = []
    monkeypatch.setattr(job, "loaded", network)
    write_tiny(bright, "my-lungs")
    study = chest()
    (answer,) = run(study, ["my-lungs", "bright"], model_dirs=[bright]).classifications
    assert answer.lungs is not None and answer.lungs.name == "my-lungs"
    explain(study, "bright", lungs=answer.lungs.reference, model_dirs=[bright])
    assert "ct-lungs" not in asked
    (answer,) = run(study, ["bright"], model_dirs=[bright]).classifications
    assert answer.lungs is not None and answer.lungs.name == "ct-lungs"


def test_a_real_network_is_explained(tmp_path: Path) -> None:
    write_tiny_classifier(tmp_path, "guess", architecture="mobilenet_classifier", config={})
    study = chest()
    for method in ("gradcam", "hirescam"):
        found = explain(study, "guess", method=method, model_dirs=[tmp_path], slices=[1, 2])
        assert (found.method, found.model.name) == (method, "guess")
        assert found.map.shape == study.array.shape
        assert [z for z, _ in found.slices] == [1, 2]


def test_what_cannot_be_explained_is_said(models: Path) -> None:
    with pytest.raises(ModelError, match="gives no probability"):
        explain(chest(), "tiny-lungs", model_dirs=[models])
    with pytest.raises(ModelError, match="there are: gradcam, hirescam"):
        explain(chest(), "tiny-lungs", method="lime", model_dirs=[models])
    film = from_array(np.zeros((64, 64), np.uint8), modality=Modality.XR)
    with pytest.raises(ModelError, match="correct the modality"):
        explain(film, "ct-covid")
