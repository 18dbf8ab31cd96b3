"""Where results go, so that none overwrites an image or another result of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_covidseg.study import CovidsegError


class Targets:
    """Files that a run over several images writes.

    Parameters
    ----------
    images : sequence of Path
        What the run reads.
    """

    def __init__(self, images: Sequence[Path]) -> None:
        self._inputs = {path.resolve() for path in images}
        self._taken: dict[Path, Path] = {}

    def claim(self, path: Path, targets: Iterable[Path], what: str) -> None:
        """Reserve the files of an image; `what` they hold is named in errors.

        Raises
        ------
        CovidsegError
            If a target is one of the images, or was claimed by an image before.
        """
        targets = list(targets)
        for target in targets:
            resolved = target.resolve()
            if resolved in self._inputs:
                raise CovidsegError(
                    f"the {what} would overwrite the image {target}: choose another --out."
                )
            if resolved in self._taken:
                raise CovidsegError(
                    f"its {what} {target} would overwrite that of {self._taken[resolved]}: "
                    "put images of one name into different --out folders."
                )
        self._taken |= {target.resolve(): path for target in targets}
