from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.train import network_config

RECIPES = Path(str(resources.files("napari_covidseg"))) / "training" / "recipes"


def test_unet_gives_logits_for_every_pixel() -> None:
    model = nets.build("unet", {"classes": 3, "base": 4, "depth": 2})
    assert model(np.zeros((2, 32, 48, 1), np.float32)).shape == (2, 32, 48, 3)


def test_resunet_gives_logits_for_every_pixel() -> None:
    config = {"classes": 3, "channels": 2, "base": 4, "depth": 3, "dropout": 0.1}
    model = nets.build("resunet", config)
    assert model(np.zeros((2, 32, 48, 2), np.float32)).shape == (2, 32, 48, 3)


@pytest.mark.parametrize(
    ("name", "millions"), [("xray-lungs-unet", 7.76), ("xray-lungs-resunet", 4.72)]
)
def test_the_networks_for_lungs_on_films_have_their_known_size(name: str, millions: float) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml")
    model = nets.build(recipe.network.architecture, network_config(recipe))
    assert model.count_params() / 1e6 == pytest.approx(millions, abs=0.01)


def test_depth_to_space_undoes_space_to_depth() -> None:
    from napari_covidseg.nets.unet import DepthToSpace, SpaceToDepth

    x = np.random.default_rng(0).random((2, 8, 12, 3)).astype(np.float32)
    back = DepthToSpace(2)(SpaceToDepth(2)(x))
    assert np.array_equal(np.asarray(back), x)


def test_a_refined_unet_sees_single_pixels_of_the_picture() -> None:
    model = nets.build("unet", {"classes": 3, "base": 4, "depth": 2, "refine": 6, "channels": 2})
    picture = np.zeros((1, 32, 48, 2), np.float32)
    before = np.asarray(model(picture))
    assert before.shape == (1, 32, 48, 3)
    picture[0, 10, 20] = 1.0
    changed = np.abs(np.asarray(model(picture)) - before).max(-1)[0]
    assert changed[10, 20] > 0


def test_a_mobilenet_unet_sees_single_pixels_of_the_picture() -> None:
    model = nets.build("mobilenet_unet", {"classes": 3, "channels": 2})
    picture = np.zeros((1, 64, 96, 2), np.float32)
    before = np.asarray(model(picture))
    assert before.shape == (1, 64, 96, 3)
    picture[0, 10, 20] = 1.0
    changed = np.abs(np.asarray(model(picture)) - before).max(-1)[0]
    assert changed[10, 20] > 0


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("feature_classifier", {}),
        ("mobilenet_classifier", {}),
        ("applications_classifier", {"backbone": "MobileNetV2", "hidden": [8, 4]}),
    ],
)
def test_a_classifier_gives_one_logit_a_picture(name: str, config: dict) -> None:
    model = nets.build(name, config)
    assert model(np.zeros((3, 32, 32, 1), np.float32)).shape == (3, 1)


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("vgg", {}, "known are"),
        ("unet", {"width": 3}, "does not fit"),
        ("burden_classifier", {"channels": 1}, "channels must be 2"),
        ("unet", {"base": -3}, "base: Input should be greater than or equal to 1"),
        ("ensemble", {"members": []}, "at least"),
        ("ensemble", {"members": [{"architecture": "unet"}]}, "does not fit ensemble"),
        ("mobilenet_unet", {"widths": [8, 8]}, r"does not fit mobilenet_unet: widths\.2"),
        (
            "applications_classifier",
            {"backbone": "LeNet"},
            "Input should be 'DenseNet121'",
        ),
    ],
)
def test_what_is_not_an_architecture_is_said(name: str, config: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        nets.build(name, config)


def test_every_part_of_a_unet_can_be_named() -> None:
    config = {"filters": [6, 10, 12], "kernel": 5, "convolutions": 3, "dilation": 2, "stem": 1}
    assert nets.checked("unet", config).stride == 4
    model = nets.build("unet", {**config, "classes": 5})
    assert model(np.zeros((1, 16, 20, 1), np.float32)).shape == (1, 16, 20, 5)
    deepest = [model.get_layer(f"enc2_conv{k}") for k in (1, 2, 3)]
    assert [(c.filters, c.kernel_size, c.dilation_rate) for c in deepest] == [
        (12, (5, 5), (2, 2))
    ] * 3
    assert model.get_layer("dec1_conv3").dilation_rate == (1, 1)
    assert "enc0_conv4" not in {layer.name for layer in model.layers}


def test_batch_normalisation_in_bfloat16_is_that_of_keras() -> None:
    """Answers, gradients and what is kept for use; running variance is the unbiased one."""
    import keras
    import tensorflow as tf

    from napari_covidseg.nets.norm import EPSILON, MOMENTUM, FusedBatchNormalization

    x = np.random.default_rng(0).normal(3, 2, (4, 16, 16, 4)).astype(np.float32)

    def learn(layer: Any) -> tuple[Any, ...]:
        layer.build(x.shape)
        with tf.GradientTape() as tape:
            out = keras.ops.cast(layer(tf.cast(x, "bfloat16"), training=True), "float32")
            loss = keras.ops.sum(out**3)
        gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
        used = keras.ops.cast(layer(tf.cast(x, "bfloat16"), training=False), "float32")
        kept = [np.asarray(v) for v in layer.non_trainable_variables]
        return np.asarray(out), [np.asarray(g) for g in gradients], kept, np.asarray(used)

    asked = {"momentum": MOMENTUM, "epsilon": EPSILON, "dtype": "mixed_bfloat16"}
    mine = learn(FusedBatchNormalization(**asked))
    theirs = learn(keras.layers.BatchNormalization(**asked))
    np.testing.assert_allclose(mine[0], theirs[0], atol=0.05)
    np.testing.assert_allclose(mine[1][1], theirs[1][1], rtol=1e-3)  # the bias's gradient
    np.testing.assert_allclose(mine[2], theirs[2], rtol=2e-3)
    np.testing.assert_allclose(mine[3], theirs[3], atol=0.05)


def test_a_frozen_batch_normalisation_does_not_learn() -> None:
    from napari_covidseg.nets.norm import FusedBatchNormalization

    layer = FusedBatchNormalization(dtype="mixed_bfloat16", name="n")
    layer.trainable = False
    layer(np.ones((2, 4, 4, 3), np.float32), training=True)
    assert np.asarray(layer.moving_mean).tolist() == [0, 0, 0]
