"""What a training in a child process and its parent say: one JSON line a message.

The pictures of a preview are small (one network input), so they travel in the line, as
bytes in base64. Nothing that can run code crosses, and no identity of a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Base64Bytes, ConfigDict, Field, TypeAdapter

from napari_covidseg.training.watch import EpochReport, Preview

# Requests ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One training of a user's own.

    Attributes
    ----------
    recipe : Path
        TOML file, see ``training.recipe``.
    data : Path
        Folder to which the recipe's data are relative.
    out : Path
        Folder of the run.
    base : str
        Model that the new one starts from and is compared with, as ``name@version``.
    model_dirs : tuple of Path
        Further folders of models.
    threads : int or None
        CPU threads; None leaves them to the backend.
    device : {"auto", "cpu", "gpu"}
        Where to compute.
    resume : bool
        Go on from the last checkpoint in `out`.
    """

    recipe: Path
    data: Path
    out: Path
    base: str
    model_dirs: tuple[Path, ...] = ()
    threads: int | None = None
    device: Literal["auto", "cpu", "gpu"] = "auto"
    resume: bool = False
    kind: Literal["job"] = "job"


@dataclass(frozen=True)
class Stop:
    """End after the present step."""

    kind: Literal["stop"] = "stop"


# Replies ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What is being done, in words."""

    text: str
    kind: Literal["said"] = "said"


@dataclass(frozen=True)
class Stepped:
    """`done` of `total` steps of an epoch, which counts from 1."""

    epoch: int
    done: int
    total: int
    kind: Literal["stepped"] = "stepped"


@dataclass(frozen=True)
class Shown:
    """A `Preview` without its truth, 8 bits a pixel."""

    name: str
    side: int
    picture: Base64Bytes
    labels: Base64Bytes

    @classmethod
    def of(cls, preview: Preview) -> Shown:
        """Pack a preview."""
        picture = np.round(np.clip(preview.picture, 0, 1) * 255).astype(np.uint8)
        labels = preview.labels.astype(np.uint8)
        return cls(preview.name, len(picture), picture.tobytes(), labels.tobytes())

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Picture and labels, uint8, shape (side, side)."""
        shape = (self.side, self.side)
        picture = np.frombuffer(self.picture, np.uint8).reshape(shape)
        return picture, np.frombuffer(self.labels, np.uint8).reshape(shape)


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: an `EpochReport` with the preview on which most is drawn."""

    epoch: int
    epochs: int
    row: dict[str, float]
    best: bool
    seconds: float
    preview: Shown | None = None
    kind: Literal["epoch"] = "epoch"

    @classmethod
    def of(cls, report: EpochReport) -> Epoch:
        """Pack a report."""
        most = max(report.preview, key=lambda p: np.count_nonzero(p.truth), default=None)
        shown = Shown.of(most) if most is not None else None
        return cls(
            report.epoch, report.epochs, report.row, report.best, float(report.seconds), shown
        )


@dataclass(frozen=True)
class Trained:
    """A new version is installed, and was compared with the model that it started from.

    Attributes
    ----------
    name, version : str
        The new model.
    base : str
        What it was compared with, as ``name@version``.
    base_dice, dice : float
        Mean Dice of each on the held-out cases; NaN where none could tell.
    cases : int
        Held-out cases behind the two means.
    default : bool
        Whether it answers for its name already, there being no other of that name.
    caveat : str
        What to know of the two means; empty where they can be taken as they are.
    """

    name: str
    version: str
    base: str
    base_dice: float
    dice: float
    cases: int
    default: bool
    caveat: str = ""
    kind: Literal["trained"] = "trained"

    @property
    def worse(self) -> bool:
        """Whether it did not prove at least as good as the model that it started from."""
        return not self.dice >= self.base_dice


@dataclass(frozen=True)
class Halted:
    """The training stopped, as it was asked to."""

    finished: int
    kind: Literal["halted"] = "halted"


@dataclass(frozen=True)
class Failed:
    """The training ended with an error: `message` for the user, `detail` for the log."""

    message: str
    detail: str
    kind: Literal["failed"] = "failed"


Reply = Said | Stepped | Epoch | Trained | Halted | Failed
_config = ConfigDict(ser_json_inf_nan="constants")  # a figure may be NaN
requests: TypeAdapter[Job | Stop] = TypeAdapter(
    Annotated[Job | Stop, Field(discriminator="kind")], config=_config
)
replies: TypeAdapter[Reply] = TypeAdapter(
    Annotated[Reply, Field(discriminator="kind")], config=_config
)
