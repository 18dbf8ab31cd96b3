from typing import Any

import keras
import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.training.optimizer import optimizer
from napari_covidseg.training.train_spec import TrainSpec

NETWORKS: dict[str, dict[str, Any]] = {
    "mobilenet_unet": {"widths": [4, 4, 4, 4], "refine": 4},
    "applications_classifier": {"backbone": "VGG16", "hidden": []},
}


def changes(
    backbone_rate: float, architecture: str = "mobilenet_unet", **more: Any
) -> dict[str, float]:
    """How far the first step moves the weights that it moves most, of backbone and the rest."""
    keras.utils.set_random_seed(0)
    model = nets.build(architecture, NETWORKS[architecture])
    given = {"learning_rate": 1e-3, "weight_decay": 0, **more}
    spec = TrainSpec(steps=1, backbone_rate=backbone_rate, **given)
    model.compile(optimizer=optimizer(spec), loss="mse")
    model.optimizer.build(model.trainable_variables)
    before = [np.array(v) for v in model.trainable_variables]
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 64, 64, 1), np.float32)
    model.train_on_batch(pictures, rng.random(model(pictures).shape, np.float32))
    moved: dict[str, float] = {}
    for variable, was in zip(model.trainable_variables, before, strict=True):
        part = "backbone" if variable.path.startswith(("mobilenet_", "backbone_")) else "rest"
        moved[part] = max(moved.get(part, 0.0), float(np.abs(np.array(variable) - was).max()))
    return moved


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_backbone_learns_by_its_part_of_the_rate_and_the_rest_by_all_of_it(
    architecture: str,
) -> None:
    # Adam's first step is the learning rate, whatever the gradient.
    slow, whole = (changes(part, architecture) for part in (0.1, 1.0))
    np.testing.assert_allclose(slow["backbone"], 1e-4, rtol=0.02)
    np.testing.assert_allclose(slow["rest"], 1e-3, rtol=0.02)
    np.testing.assert_allclose(whole["backbone"], 1e-3, rtol=0.02)


def test_sgd_slows_the_backbone_too() -> None:
    slow, whole = (changes(part, optimizer="sgd") for part in (0.1, 1.0))
    np.testing.assert_allclose(slow["backbone"], whole["backbone"] / 10, rtol=0.05)
    np.testing.assert_allclose(slow["rest"], whole["rest"], rtol=0.05)
