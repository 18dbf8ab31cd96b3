"""covidseg train: make a model's weights again from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_covidseg.cli.options import ModelDirs
from napari_covidseg.cli.progress import native_words_muted, progress_bar
from napari_covidseg.segmentation import Progress, ProgressCallback
from napari_covidseg.study import CovidsegError

if TYPE_CHECKING:
    from napari_covidseg.training.watch import EpochReport


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The model's TOML file.")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder with the data sets.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the new model goes.")],
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    model_dir: ModelDirs = None,
) -> None:
    """Train a model from a recipe."""
    for path, what in ((recipe, "recipe"), (data, "data folder")):
        if not path.exists():
            raise CovidsegError(f"there is no {what} at {path}: check the path.")
    from napari_covidseg.inference.cpu import use_onednn

    use_onednn()  # before TensorFlow is imported
    with native_words_muted():
        from napari_covidseg.training.train import run_recipe

    try:
        with progress_bar(recipe.stem) as show:
            run_recipe(
                recipe,
                data,
                out,
                resume=resume,
                watcher=_Watcher(show),
                model_dirs=model_dir or (),
            )
    except KeyboardInterrupt as ending:
        raise KeyboardInterrupt(_left(recipe, out)) from ending


def _left(recipe: Path, out: Path) -> str:
    """Say what is left of a training that was stopped, and how it goes on."""
    from napari_covidseg.training.recipe import load_recipe
    from napari_covidseg.training.run_state import finished_epochs
    from napari_covidseg.training.wording import counted

    kept = finished_epochs(out, load_recipe(recipe).name)
    if not kept:
        return "Stopped. No epoch was finished: the next training begins anew."
    return f"Stopped. The work of {counted(kept, 'epoch')} is kept; go on with --resume."


class _Watcher:
    """Shows the steps of an epoch as a bar."""

    def __init__(self, show: ProgressCallback) -> None:
        self._show = show

    def step(self, epoch: int, done: int, total: int) -> None:
        self._show(Progress(f"epoch {epoch}", done, total))

    def epoch(self, report: EpochReport) -> None:
        """Leave its line to the log."""

    def should_stop(self) -> bool:
        """Ctrl-C ends a training on the command line."""
        return False
