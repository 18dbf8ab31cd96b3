"""AdamW or SGD with clipped gradients and averaged weights; a backbone may learn slower."""

from __future__ import annotations

from typing import Any

import keras

from napari_covidseg.nets import applications_classifier, mobilenet
from napari_covidseg.training.train_spec import TrainSpec

BACKBONES = (f"/{mobilenet.PREFIX}", f"/{applications_classifier.PREFIX}")
"""What names of layers that are a backbone's begin with, as parts of a path."""


def optimizer(spec: TrainSpec) -> Any:
    """Make what changes the weights; ``loop.fit`` sets its rate at every step."""
    common: dict[str, Any] = {
        "backbone_rate": spec.backbone_rate,
        "weight_decay": spec.weight_decay,
        "clipnorm": 1.0,
        "use_ema": spec.ema > 0,
        "ema_momentum": spec.ema or 0.99,
        "ema_overwrite_frequency": None,
    }
    if spec.optimizer == "sgd":
        return BackboneSGD(spec.learning_rate, momentum=0.9, nesterov=True, **common)
    return BackboneAdamW(spec.learning_rate, **common)


class _SlowerBackbone:
    """Changes the weights of a backbone by a part of the learning rate.

    That of `nets.mobilenet` has its batch normalisation folded in. At the rate that new layers
    need, its deepest units leave the range of their ReLU6 within a few hundred steps and do not
    come back. One of `nets.applications_classifier` would forget what it starts from.

    Parameters
    ----------
    backbone_rate : float
        The part, over 0 to 1.

    References
    ----------
    Howard, Ruder, "Universal language model fine-tuning for text classification", ACL 2018,
    arXiv:1801.06146 (discriminative learning rates).
    """

    def __init__(self, *args: Any, backbone_rate: float = 1.0, **more: Any) -> None:
        super().__init__(*args, **more)
        self._backbone_rate = backbone_rate
        self._parts: list[float] = []

    def build(self, variables: Any) -> None:
        """Note which weights are the backbone's."""
        super().build(variables)  # type: ignore[misc]
        self._parts = [
            self._backbone_rate if any(b in f"/{variable.path}" for b in BACKBONES) else 1.0
            for variable in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one weight."""
        part = self._parts[self._get_variable_index(variable)]  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate * part)  # type: ignore[misc]


class BackboneAdamW(_SlowerBackbone, keras.optimizers.AdamW):
    """AdamW with a slower backbone."""


class BackboneSGD(_SlowerBackbone, keras.optimizers.SGD):
    """Stochastic gradient descent with a slower backbone."""
