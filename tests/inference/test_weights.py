from pathlib import Path

import h5py
import keras
import numpy as np

from napari_covidseg.inference.weights import load_weights, save_weights


def small() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(inputs))


def test_weights_are_halved_but_for_those_that_half_precision_cannot_hold(tmp_path: Path) -> None:
    model = small()
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    model.get_layer("norm").set_weights([gamma, beta, mean, variance * 1e5])
    save_weights(model, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert file["norm/gamma"].dtype == np.float16
        assert file["norm/moving_variance"].dtype == np.float32
    read = small()
    assert load_weights(read, tmp_path / "w.h5") == 4
    assert np.array_equal(read.get_layer("norm").get_weights()[3], variance * 1e5)
