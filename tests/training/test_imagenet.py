from pathlib import Path

import keras
import numpy as np
import pytest

from napari_covidseg import nets
from napari_covidseg.nets.mobilenet import convolutions, mobilenet
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import imagenet


def backbone() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    return keras.Model(inputs, mobilenet(inputs).last)


def test_folded_weights_compute_what_keras_computes() -> None:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    ours = backbone()
    for layer, pair in zip(convolutions(ours), imagenet.from_keras(theirs), strict=True):
        layer.set_weights(list(pair))
    pictures = rng.uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    expected = theirs(pictures, training=False).numpy()
    assert np.abs(ours(pictures).numpy() - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_quantised_file_computes_what_its_own_reader_computes(shared_data: Path) -> None:
    import tensorflow as tf

    path = shared_data / imagenet.TFLITE
    inputs = keras.Input((224, 224, 3))
    ours = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(mobilenet(inputs).last))
    for layer, pair in zip(convolutions(ours), imagenet.from_tflite(path), strict=True):
        layer.set_weights(list(pair))
    reader = tf.lite.Interpreter(str(path), experimental_preserve_all_tensors=True)
    reader.allocate_tensors()
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (1, 7, 7, 3)).astype(np.uint8)
    picture = coarse.repeat(32, 1).repeat(32, 2)
    reader.set_tensor(reader.get_input_details()[0]["index"], picture)
    reader.invoke()
    mean = next(op for op in reader._get_ops_details() if op["op_name"] == "MEAN")["outputs"][0]
    detail = next(d for d in reader.get_tensor_details() if d["index"] == mean)
    scale, zero = detail["quantization"]
    expected = (reader.get_tensor(mean).ravel().astype(float) - zero) * scale
    found = ours(picture.astype(np.float32) / 127.5 - 1).numpy().ravel()
    # Activations are bytes there and floats here, so the two agree closely, not exactly.
    assert np.corrcoef(found, expected)[0, 1] > 0.95


def test_a_grey_picture_meets_the_sum_of_the_colours(shared_data: Path) -> None:
    grey = nets.build("mobilenet_unet", {"channels": 2})
    inputs = keras.Input((64, 64, 3))
    colour = keras.Model(inputs, mobilenet(inputs).levels[0])
    for layer, pair in zip(
        convolutions(colour), imagenet.from_tflite(shared_data / imagenet.TFLITE), strict=False
    ):
        layer.set_weights(list(pair))
    assert imagenet.fill(grey, shared_data) == 51
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    expected = colour(np.repeat(picture * 2 - 1, 3, -1)).numpy()
    seen = keras.Model(grey.input, grey.get_layer("mobilenet_block0_project").output)
    found = seen(np.concatenate([picture, np.ones_like(picture)], -1)).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_another_network_is_refused(shared_data: Path) -> None:
    with pytest.raises(CovidsegError, match="MobileNetV2 only"):
        imagenet.fill(nets.build("unet", {"base": 4, "depth": 1}), shared_data)


def test_without_file_and_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(**_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(CovidsegError, match="go online once"):
        imagenet.fill(nets.build("feature_classifier", {}), tmp_path)
