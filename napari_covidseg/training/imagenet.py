"""ImageNet weights to start a backbone from: a file at hand, or Keras's own download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from napari_covidseg.nets.applications_classifier import backbone
from napari_covidseg.nets.mobilenet import convolutions
from napari_covidseg.study import CovidsegError

NAME = "imagenet"
"""What a recipe says in ``start_from`` for a MobileNetV2: of `nets.mobilenet`, or frozen of
``keras.applications``."""

KERAS = "keras-imagenet"
"""What it says there for a backbone of ``keras.applications``, frozen or not: Keras downloads
its weights, with the statistics that its batch normalisation learnt."""

TFLITE = Path("imagenet_mobilenet") / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
"""MobileNetV2 of google-coral/test_data, Apache-2.0, below the data folder."""

COLOURS = 3
"""Channels of ImageNet's pictures."""

CLASSES = 1001
"""ImageNet's classes and "background"."""


def fill(model: Any, data: Path) -> int:
    """Fill the MobileNetV2 of a model with ImageNet weights.

    The file below the data folder is taken when it is there. Otherwise Keras downloads
    its own weights, which is the only network access of a training run. Either has batch
    normalisation folded in, so that a backbone with layers for it must stay frozen.

    Returns
    -------
    int
        Convolutions filled.

    Raises
    ------
    CovidsegError
        If the model has no such backbone, or the weights can be had from neither place.
    """
    places = convolutions(model)
    unfolded = [] if places else _with_norms(model)
    path = data / TFLITE
    pairs = list(from_tflite(path) if path.exists() else from_keras(_download(path)))
    # A network that looks at finer levels only ends before the backbone's last convolution.
    if len(pairs) - len(places or unfolded) not in (0, 1):
        raise CovidsegError(f"ImageNet weights fit MobileNetV2 only, not {model.name}.")
    for (layer, norm), (kernel, bias) in zip(unfolded, pairs, strict=False):
        layer.set_weights([kernel])
        _fold_into(norm, bias)
    for layer, (kernel, bias) in zip(places, pairs, strict=False):
        layer.set_weights([for_channels(kernel, layer.kernel.shape[2]), bias])
    return len(places or unfolded)


def _with_norms(model: Any) -> list[tuple[Any, Any]]:
    """Pair the convolutions of an `applications_classifier` with their batch normalisations."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.BatchNormalization)
    found = [layer for layer in backbone(model) if isinstance(layer, kinds)]
    return list(zip(found[::2], found[1::2], strict=False))


def _fold_into(norm: Any, bias: np.ndarray) -> None:
    """Let a batch normalisation add a bias and do nothing else.

    That is right only while it is frozen: one that learns takes the statistics of each batch,
    and the ones that these weights were made with are no longer known.
    """
    one, none = np.ones_like(bias), np.zeros_like(bias)
    norm.set_weights([one, bias, none, one - norm.epsilon])


def fill_backbone(model: Any) -> int:
    """Fill the backbone of an `applications_classifier` with Keras's ImageNet weights.

    Keras downloads them once and keeps them (in ``~/.keras/models``).

    Returns
    -------
    int
        Arrays filled.

    Raises
    ------
    CovidsegError
        If they can neither be found there nor downloaded.
    """
    try:
        theirs = getattr(keras.applications, model.name)(include_top=False, weights="imagenet")
    except Exception as error:  # a download fails in many ways; each means the same
        raise CovidsegError(
            f"Keras's ImageNet weights of {model.name} cannot be downloaded ({error}): go online "
            f'once, or take start_from = "{KERAS}" out of the recipe to start from nothing.'
        ) from error
    variables = [variable for layer in backbone(model) for variable in layer.weights]
    for variable, values in zip(variables, theirs.get_weights(), strict=True):
        variable.assign(values)
    return len(variables)


def for_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Fit the first kernel (h, w, 3, n) to another number of input channels.

    A grey picture is the same in three colours, so that their kernels add up; what other
    channels mean is still to be learnt.
    """
    if kernel.shape[2] == channels or kernel.shape[2] != COLOURS:
        return kernel
    out = np.zeros((*kernel.shape[:2], channels, kernel.shape[3]), kernel.dtype)
    out[:, :, 0] = kernel.sum(2)
    return out


def _download(path: Path) -> Any:
    try:
        return keras.applications.MobileNetV2(include_top=False, weights="imagenet")
    except Exception as error:  # a download fails in many ways; each means the same
        raise CovidsegError(
            f"ImageNet weights are neither in {path} nor to be downloaded ({error}): put the "
            "file there, or go online once."
        ) from error


def from_tflite(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernels and biases of a quantised TFLite file, in the order of the data.

    Weights are stored as integers: value = (integer - zero point) x scale, channel by
    channel (tensorflow.org/lite/performance/quantization_spec).
    """
    import tensorflow as tf

    reader = tf.lite.Interpreter(str(path), experimental_preserve_all_tensors=False)
    reader.allocate_tensors()
    details = {d["index"]: d for d in reader.get_tensor_details()}

    def value(index: int, axis: int) -> np.ndarray:
        quantised = details[index]["quantization_parameters"]
        shape = [1] * len(details[index]["shape"])
        shape[axis] = -1
        scale = quantised["scales"].reshape(shape)
        zero = quantised["zero_points"].reshape(shape)
        return ((reader.get_tensor(index).astype(np.float64) - zero) * scale).astype(np.float32)

    for op in reader._get_ops_details():
        if op["op_name"] not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            continue
        _, kernel, bias = (int(i) for i in op["inputs"])
        if details[bias]["shape"][0] == CLASSES:
            return  # what follows tells ImageNet's classes apart
        if op["op_name"] == "CONV_2D":
            yield value(kernel, 0).transpose(1, 2, 3, 0), value(bias, 0)
        else:
            yield value(kernel, 3).transpose(1, 2, 3, 0), value(bias, 0)


def from_keras(model: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernels and biases of a Keras MobileNetV2, batch normalisation folded in."""
    kernel: np.ndarray | None = None
    depthwise = False
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            kernel = np.asarray(layer.get_weights()[0])
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        elif isinstance(layer, keras.layers.BatchNormalization) and kernel is not None:
            gamma, beta, mean, variance = layer.get_weights()
            factor = gamma / np.sqrt(variance + layer.epsilon)
            yield kernel * (factor[:, np.newaxis] if depthwise else factor), beta - mean * factor
            kernel = None
