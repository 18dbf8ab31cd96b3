import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import head
from napari_covidseg.training.recipe import HeadSpec

SPEC = HeadSpec(strengths=(1e-2, 1.0))


def cases(n: int = 240, width: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pictures a patient, of which three features tell the class, with noise."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 2, n // 2), 2)
    seen = rng.normal(5, 3, (2, n, width)).astype(np.float32)
    seen[..., :3] += 3.0 * truth[:, np.newaxis]
    return seen, truth, np.repeat(np.arange(n // 2), 2).astype(str)


def test_it_tells_new_patients_apart_and_says_how_well() -> None:
    seen, truth, groups = cases()
    new = np.arange(len(truth)) >= 160
    fitted = head.fit(seen[:, ~new], truth[~new], groups[~new], SPEC)
    right = (fitted.logits(seen[0, new]) > 0) == truth[new]
    assert right.mean() > 0.8
    assert 0.8 < fitted.auc < 1
    assert fitted.strength in SPEC.strengths
    assert 0.2 < fitted.calibration.threshold < 0.8


def test_probabilities_mean_what_they_say() -> None:
    seen, truth, groups = cases(1200)
    fitted = head.fit(seen, truth, groups, HeadSpec(strengths=(100.0,)))
    p = 1 / (1 + np.exp(-fitted.logits(seen[0]) / fitted.calibration.temperature))
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        here = (p >= low) & (p <= high)
        assert abs(p[here].mean() - truth[here].mean()) < 0.1


def test_labels_without_meaning_give_no_better_than_chance() -> None:
    seen, truth, groups = cases()
    rng = np.random.default_rng(1)
    fitted = head.fit(rng.normal(size=seen.shape), truth, groups, SPEC)
    assert fitted.auc < 0.65


def test_the_network_answers_as_the_fit_does() -> None:
    model = nets.build("feature_classifier", {})
    width = model.get_layer(head.POOLED).output.shape[-1]
    seen, truth, groups = cases(60, width)
    fitted = head.fit(seen, truth, groups, SPEC)
    fitted.put_into(model)
    import keras

    pictures = np.random.default_rng(0).random((2, 32, 32, 1)).astype(np.float32)
    pooled = keras.Model(model.input, model.get_layer(head.POOLED).output)(pictures).numpy()
    assert np.allclose(model(pictures).numpy()[:, 0], fitted.logits(pooled), atol=1e-3)


def test_pictures_that_count_for_nothing_change_nothing() -> None:
    seen, truth, groups = cases()
    odd = np.arange(len(truth)) < 40
    wrong = np.where(odd, 1 - truth, truth)
    spec = HeadSpec(strengths=(1e-2,))
    counted = head.fit(seen, wrong, groups, spec, np.where(odd, 1e-9, 1.0))
    misled = head.fit(seen, wrong, groups, spec)
    right = head.fit(seen, truth, groups, spec)
    off, far_off = (np.abs(h.weights - right.weights).max() for h in (counted, misled))
    assert off < 0.5 * far_off
    assert counted.auc > misled.auc


def test_one_class_alone_is_refused() -> None:
    seen, truth, groups = cases()
    with pytest.raises(CovidsegError, match="one class"):
        head.fit(seen, np.ones_like(truth), groups, SPEC)
