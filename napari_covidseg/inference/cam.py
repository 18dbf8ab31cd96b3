"""Class activation maps: from what a network pools to where its answer comes from.

A map is made of the features that the network pools, and of the gradient of its logit
with respect to them. Where a network pools several feature maps their maps are summed,
each as evidence in units of the logit a pixel, so that a coarse map counts for no more
than a fine one. What speaks against the finding is left out.

References
----------
Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017, arXiv:1610.02391.
Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", 2020, arXiv:2011.08891.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from napari_covidseg.inference.network import load_network
from napari_covidseg.inference.registry import ModelError, ModelInfo, read_model
from napari_covidseg.segmentation import CamMethod


def gradcam(features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM: channels weighted by their mean gradient, before the ReLU.

    Parameters
    ----------
    features, gradient : ndarray of float32, shape (n, h, w, channels)
        Feature maps, and the gradient of the logit with respect to them.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
    """
    weights = gradient.mean(axis=(1, 2))
    return np.einsum("nhwc,nc->nhw", features, weights)


def hirescam(features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """HiResCAM: features times gradient, place by place, before the ReLU.

    Where pooled features go through a linear layer, the sum over all places is exactly
    what the features add to the logit. Grad-CAM's is not where the maximum is pooled.

    Parameters
    ----------
    features, gradient : ndarray of float32, shape (n, h, w, channels)
        Feature maps, and the gradient of the logit with respect to them.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
    """
    return np.einsum("nhwc,nhwc->nhw", features, gradient)


METHODS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = MappingProxyType(
    {CamMethod.GRADCAM: gradcam, CamMethod.HIRESCAM: hirescam}
)


def combine(maps: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Sum maps of different resolution at that of the picture, and leave out what is negative.

    Parameters
    ----------
    maps : iterable of ndarray of float32, shape (n, h, w)
        h and w divide `size`.
    size : int
        Side of the result.

    Returns
    -------
    ndarray of float32, shape (n, size, size)
        At least 0. Before the negative is cut off its sum is that of all maps.
    """
    total: Any = 0.0
    for each in maps:
        # Linear enlarging by a whole factor multiplies the sum by the factor's square.
        share = each.shape[1] * each.shape[2] / size**2
        total = total + share * np.stack(
            [cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR) for m in each]
        )
    return np.maximum(total, 0.0).astype(np.float32)


class Explained:
    """A classifier opened at the features that it pools.

    Parameters
    ----------
    info : ModelInfo
        Which model.
    device : str
        ``"CPU"`` or ``"GPU"``.

    Raises
    ------
    ModelError
        As ``network.load_network``, and if the architecture pools no features.
    """

    def __init__(self, info: ModelInfo, device: str = "CPU") -> None:
        import keras
        import tensorflow as tf

        from napari_covidseg.nets.explained import explained_features

        loaded = load_network(info)
        # Layers of an ensemble were called in their member before; those of a copy stand in one
        # place, so that it is known what they are given here.
        model = keras.models.clone_model(loaded)
        model.set_weights(loaded.get_weights())
        try:
            pooled = explained_features(model)
        except ValueError as error:
            raise ModelError(f"{info.name} cannot be explained: {error}.") from error
        below = keras.Model(model.input, pooled)
        # A network of its own from the features on: the gradient counts what is pooled
        # there, and not also what deeper features make of it.
        above = keras.Model([model.input, *pooled], model.output)

        def open_up(pictures: Any) -> tuple[list[Any], list[Any]]:
            features = tf.nest.flatten(below(pictures, training=False))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(features)
                logit = above([pictures, *features], training=False)
            return features, tape.gradient(logit, features)

        self._open_up, self._place = tf.function(open_up, reduce_retracing=True), f"/{device}:0"
        self._tf = tf

    def __call__(self, pictures: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Give features and gradients, one pair of (n, h, w, channels) each feature map.

        Parameters
        ----------
        pictures : ndarray of float32, shape (n, size, size) or (n, size, size, channels)
            From ``Frame.cut``.
        """
        if pictures.ndim == 3:
            pictures = pictures[..., np.newaxis]
        with self._tf.device(self._place):
            features, gradients = self._open_up(self._tf.constant(pictures))
        return [f.numpy() for f in features], [g.numpy() for g in gradients]


@lru_cache(maxsize=2)
def opened(folder: Path, sha256: str, device: str) -> Explained:
    """Open each model once a process; new weights have another checksum."""
    return Explained(read_model(folder), device)
