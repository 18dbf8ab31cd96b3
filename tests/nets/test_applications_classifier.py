"""Backbones of Keras by name: their own answer, names that stay, ImageNet only when asked for."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras.applications import imagenet_utils

from napari_covidseg import nets
from napari_covidseg.inference.network import load_network
from napari_covidseg.inference.registry import find
from napari_covidseg.inference.weights import load_weights, save_weights
from napari_covidseg.nets.applications_classifier import BACKBONES, backbone
from napari_covidseg.nets.explained import explained_features
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import imagenet, train
from napari_covidseg.training.recipe import load_recipe
from tests.inference.conftest import write_tiny

MODES = {"DenseNet121": "torch", "VGG16": "caffe", "ResNet50": "caffe", "MobileNetV2": "tf"}
RECIPE = """
name = "toy"
version = "0.0.1"
title = "Toy"
summary = "Toy."
task = "classification"
role = "classification"
modality = "XR"
finding = "squares"
[input]
values = "xray"
frame = "whole"
size = 32
[network]
architecture = "applications_classifier"
config = { backbone = "MobileNetV2", hidden = [4] }
start_from = "keras-imagenet"
freeze = true
[[data]]
set = "shenzhen_tb"
[training]
steps = 2
"""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> keras.Model:
    """Stands for the weights that Keras would download: a MobileNetV2 that nobody trained."""
    keras.utils.set_random_seed(1)
    real = keras.applications.MobileNetV2
    theirs = real(include_top=False, weights=None)
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(len(layer.name))
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])

    def downloaded(**asked: object) -> keras.Model:
        return theirs if asked.get("weights") == "imagenet" else real(**asked)

    monkeypatch.setattr(keras.applications, "MobileNetV2", downloaded)
    return theirs


def start(folder: Path, log: list[str], text: str = RECIPE) -> keras.Model:
    path = folder / "recipe.toml"
    path.write_text(text)
    return train.start_model(load_recipe(path), folder, (folder,), log.append)


def test_a_recipe_starts_from_the_backbone_of_keras_and_learns_the_rest(
    published: keras.Model, tmp_path: Path
) -> None:
    lines: list[str] = []
    model = start(tmp_path, lines)
    assert any("ImageNet weights of MobileNetV2 from Keras" in line for line in lines)
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    colours = imagenet_utils.preprocess_input(picture.repeat(3, -1) * 255, mode="tf")
    expected = np.asarray(published(colours, training=False))
    seen = keras.Model(model.input, explained_features(model)[0])
    found = np.asarray(seen(picture, training=False))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert [v.path.split("/")[0] for v in model.trainable_variables] == ["hidden1"] * 2 + [
        "answer"
    ] * 2
    whole = start(tmp_path, lines, RECIPE.replace("freeze = true", ""))
    assert whole.trainable_variables[0].path.startswith("backbone_")


@pytest.mark.parametrize("name", MODES)
def test_pixels_are_what_the_backbone_expects(name: str) -> None:
    picture = np.random.default_rng(0).random((1, 4, 4, 1))
    expected = imagenet_utils.preprocess_input(picture.repeat(3, -1) * 255, mode=MODES[name])
    scale, offset = BACKBONES[name]
    np.testing.assert_allclose(picture * scale + offset, expected, atol=1e-4)


def test_layers_are_called_the_same_in_every_process_and_model(tmp_path: Path) -> None:
    config = {"backbone": "InceptionResNetV2", "hidden": []}  # Keras counts its names up
    one, other = (nets.build("applications_classifier", config) for _ in range(2))
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    names = {f"{layer.name}/{v.name}" for layer in backbone(one) for v in layer.weights}
    assert len(names) == sum(len(layer.weights) for layer in backbone(one))


def test_its_weights_are_found_and_load(tmp_path: Path) -> None:
    write_tiny(
        tmp_path,
        "films",
        task="classification",
        role="classification",
        modality="XR",
        scheme=None,
        finding="squares",
        architecture="applications_classifier",
        config={"backbone": "MobileNetV2", "hidden": [4]},
        input={"values": "xray", "frame": "whole", "size": 64},
    )
    info = find("films", [tmp_path])
    model = load_network(info)
    picture = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    answer = np.asarray(model(picture))
    assert answer.shape == (2, 1)
    save_weights(model, tmp_path / "again.h5")
    again = nets.build(info.spec.architecture, info.spec.config)
    load_weights(again, tmp_path / "again.h5")
    np.testing.assert_array_equal(np.asarray(again(picture)), answer)


def test_offline_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = keras.applications.MobileNetV2

    def offline(**asked: object) -> keras.Model:
        if asked.get("weights") == "imagenet":
            raise OSError("no network")
        return real(**asked)

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(
        CovidsegError, match=r"MobileNetV2 cannot be downloaded \(no network\): go on"
    ):
        start(tmp_path, [])


def test_weights_in_the_data_folder_do_as_well_as_those_of_keras(
    published: keras.Model, tmp_path: Path
) -> None:
    """Their batch normalisation is folded in; here it is a layer again that adds the bias."""
    model = nets.build("applications_classifier", {"backbone": "MobileNetV2", "hidden": []})
    assert imagenet.fill(model, tmp_path) == 52
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    colours = imagenet_utils.preprocess_input(picture.repeat(3, -1) * 255, mode="tf")
    expected = np.asarray(published(colours, training=False))
    seen = keras.Model(model.input, explained_features(model)[0])
    found = np.asarray(seen(picture, training=False))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_a_model_of_which_nothing_fits_is_no_start(tmp_path: Path) -> None:
    write_tiny(tmp_path, "drawer")
    text = RECIPE.replace('"keras-imagenet"', '"drawer"').replace("freeze = true\n", "")
    with pytest.raises(CovidsegError, match=r"Nothing of drawer fits the network of toy: give"):
        start(tmp_path, [], text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"applications_classifier"', '"mobilenet_classifier"', "are for the architecture appl"),
        ('"MobileNetV2"', '"LeNet"', "network: .*backbone: Input should be"),
        (
            'backbone = "MobileNetV2", hidden = [4] }\nstart_from = "keras-imagenet"',
            'hidden = [4] }\nstart_from = "imagenet"',
            "begin with MobileNetV2",
        ),
        (
            'start_from = "keras-imagenet"\nfreeze = true',
            'start_from = "imagenet"',
            "set freeze = true, or start_from = .keras-imagenet., which keeps them",
        ),
        ("hidden", "hiden", "hiden is not one of backbone, hidden, dropout"),
    ],
)
def test_a_wrong_network_names_the_fault(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CovidsegError, match=said):
        start(tmp_path, [], RECIPE.replace(old, new))
