"""One loaded network: from weights on disk to a fast function on the CPU or GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from napari_covidseg import nets
from napari_covidseg.inference.cpu import use_onednn
from napari_covidseg.inference.registry import ModelError, ModelInfo, verify
from napari_covidseg.inference.weights import load_weights

BATCH = 8
"""Slices at once; more gains nothing on two cores (and costs memory)."""


def load_network(info: ModelInfo) -> Any:
    """Build a model's Keras network and fill it with its verified weights.

    Raises
    ------
    ModelError
        If the weights are damaged or do not fit the architecture.
    """
    verify(info)
    try:
        model = nets.build(info.spec.architecture, info.spec.config)
        load_weights(model, info.weights)
    except (ValueError, OSError) as error:
        raise ModelError(
            f"The weights of {info.name} {info.version} do not fit ({error}): "
            "install the model again."
        ) from error
    return model


class Network:
    """A verified model, ready to run.

    Parameters
    ----------
    info : ModelInfo
        Which model. Its weights are checked against their checksum first.
    device : str
        ``"CPU"`` or ``"GPU"``.

    Raises
    ------
    ModelError
        If the weights are damaged or do not fit the architecture; when it is called, if its
        answer is no number.
    """

    def __init__(self, info: ModelInfo, device: str = "CPU") -> None:
        self.info = info
        self.device = device
        self._call = _freeze(load_network(info), info, device)
        self._threads = ThreadPoolExecutor(2)

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Answer for pictures.

        Parameters
        ----------
        pictures : ndarray of float32, shape (n, size, size) or (n, size, size, channels)
            From ``Frame.cut``.

        Returns
        -------
        ndarray
            For a segmentation uint8, shape (n, size, size, classes - 1): probability of
            each foreground class, 0 to 255. For a classification float32, shape (n, 1):
            logits.
        """
        if pictures.ndim == 3:
            pictures = pictures[..., np.newaxis]
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        # Two batches at once keep the cores busy where a layer is too small to be shared.
        batches = list(self._threads.map(self._answer, parts))
        return np.concatenate(batches)

    def _answer(self, part: np.ndarray) -> np.ndarray:
        count = len(part)
        if 1 < count < BATCH:
            # One shape, one compiled graph: a last short batch is filled up.
            part = np.concatenate([part, np.zeros((BATCH - count, *part.shape[1:]), part.dtype)])
        return self._call(part)[:count]


def both_ways(network: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray) -> np.ndarray:
    """Give the mean of a network's answers for pictures and for mirrored ones, as one for pictures.

    Parameters
    ----------
    network : callable
        As `Network`; logits or maps in bytes.
    pictures : ndarray of float32, shape (n, size, size) or (n, size, size, channels)
    """
    answer, mirrored = network(pictures), network(np.ascontiguousarray(pictures[:, :, ::-1]))
    if answer.ndim == 2:
        return (answer + mirrored) / 2
    back = mirrored[:, :, ::-1]
    return (answer // 2 + back // 2 + ((answer | back) & 1)).astype(np.uint8)


def _freeze(model: Any, info: ModelInfo, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Turn a Keras model into a graph whose batch normalisation is folded away.

    On a CPU this runs about 1.6 times as fast as calling the model. The graph also turns
    logits into bytes, which costs NumPy as much as the network costs TensorFlow.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    size, channels = info.spec.input.size, info.spec.input.channels
    segments = info.task == "segmentation"

    def answer(pictures: Any) -> tuple[Any, Any]:
        logits = model(pictures, training=False)
        finite = tf.reduce_all(tf.math.is_finite(logits))
        if not segments:
            return logits, finite
        foreground = tf.nn.softmax(logits)[..., 1:]
        return tf.cast(tf.round(foreground * 255.0), tf.uint8), finite

    with tf.device(f"/{device}:0"):
        traced = tf.function(answer, jit_compile=False)
        concrete = traced.get_concrete_function(
            tf.TensorSpec((None, size, size, channels), tf.float32)
        )
        frozen = convert_variables_to_constants_v2(concrete)

        def call(pictures: np.ndarray) -> np.ndarray:
            found, finite = frozen(tf.constant(pictures))
            if not finite:
                raise ModelError(
                    f"{info.name} {info.version} gave no number for an answer: its weights are "
                    "damaged; install the model again, or choose another."
                )
            return np.asarray(found)

    return call


def configure(threads: int | None, device: str) -> tuple[str, str]:
    """Set TensorFlow up once a process and choose where to run.

    Parameters
    ----------
    threads : int or None
        CPU threads; None leaves the choice to TensorFlow.
    device : str
        ``"auto"``, ``"cpu"`` or ``"gpu"``.

    Returns
    -------
    device : str
        ``"CPU"`` or ``"GPU"``.
    words : str
        The choice in words, a fall-back with its reason included.

    Raises
    ------
    ModelError
        If TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    use_onednn()
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ModelError(
            f"TensorFlow cannot be loaded ({error}): install it with "
            "`pip install tensorflow`, then start again."
        ) from error
    # Threads and devices can be set before TensorFlow's first use only.
    try:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        gpus = tf.config.list_physical_devices("GPU") if device != "cpu" else []
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except (RuntimeError, ValueError):
        gpus = tf.config.list_logical_devices("GPU") if device != "cpu" else []
    if not gpus:
        words = "CPU (no GPU that TensorFlow can use was found)" if device == "gpu" else "CPU"
        return "CPU", words
    try:
        with tf.device("/GPU:0"):
            tf.linalg.matmul(tf.ones((8, 8)), tf.ones((8, 8))).numpy()
    except Exception as error:  # drivers fail in many ways; each means the same to the user
        return "CPU", f"CPU (the GPU did not work: {type(error).__name__})"
    return "GPU", "GPU"
