"""Classifiers added up to one network, and the one that goes by how much is drawn."""

import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.nets import ensemble

MEMBERS = (
    ("mobilenet_classifier", {}, 0.5),
    ("burden_classifier", {"channels": 2, "classes": 3}, 2.0),
    ("feature_classifier", {}, 1.0),
)


def pictures(n: int = 2) -> np.ndarray:
    """Noise, and lungs in its middle."""
    shown = np.zeros((n, 64, 64, 2), np.float32)
    shown[..., 0] = np.random.default_rng(0).random((n, 64, 64))
    shown[:, 16:48, 8:56, 1] = 1.0
    return shown


def test_its_logit_is_the_sum_of_those_of_its_members() -> None:
    members = [nets.build(name, config) for name, config, _ in MEMBERS]
    described = [{"architecture": a, "config": c, "share": s} for a, c, s in MEMBERS]
    model = nets.build("ensemble", {"members": described, "channels": 2})
    before = np.asarray(model(pictures()))
    for k, member in enumerate(members):
        assert ensemble.fill(model, k, member) == len(member.weights) - _seeds(member)
    shown = pictures()
    expected = sum(
        share * np.asarray(member(shown[..., : member.input.shape[-1]]))
        for member, (*_, share) in zip(members, MEMBERS, strict=True)
    )
    found = np.asarray(model(shown))
    assert np.allclose(found, expected, atol=1e-4) and not np.allclose(found, before, atol=1e-4)
    assert model.count_params() == sum(member.count_params() for member in members)


def _seeds(model: object) -> int:
    """Count the states of dropout, which are no weights."""
    return sum("seed_generator" in weight.path for weight in model.weights)


def test_a_member_that_asks_for_more_is_refused() -> None:
    described = [{"architecture": a, "config": c, "share": s} for a, c, s in MEMBERS]
    with pytest.raises(ValueError, match="member 1 takes 2 channels, not 1"):
        nets.build("ensemble", {"members": described})


def test_the_burden_is_the_part_of_the_lungs_and_nothing_beside_them() -> None:
    import keras

    model = nets.build("burden_classifier", {"channels": 2, "classes": 3})
    kernel, bias = model.get_layer("logits").get_weights()
    # Draws both classes everywhere, each at a third.
    model.get_layer("logits").set_weights([0 * kernel, 0 * bias])
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    shown = pictures(3)
    shown[1, ..., 1] *= np.arange(64) < 30  # half of the lungs
    shown[2, ..., 1] = 0.0  # none found
    third = np.log(1 / 3 + 1e-3)
    found = np.asarray(pooled(shown))
    both = np.log(2 / 3 + 1e-3)
    assert np.allclose(found[:2], [third, third, both, 2 / 3], atol=1e-4)
    assert np.allclose(found[2], [np.log(1e-3)] * 3 + [0.0], atol=1e-4)
