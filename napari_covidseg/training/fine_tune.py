"""From a model and a user's own cases to a new version, measured beside the old one."""

from __future__ import annotations

from collections.abc import Callable

from napari_covidseg.inference.install import check_name, install
from napari_covidseg.inference.network import configure
from napari_covidseg.inference.registry import available, check_folders, find, read_model
from napari_covidseg.training import runs, steering
from napari_covidseg.training.compare import compare
from napari_covidseg.training.messages import Job, Trained
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.train import run_recipe
from napari_covidseg.training.watch import Watcher


def run(job: Job, watcher: Watcher, say: Callable[[str], None]) -> Trained:
    """Train, compare with the base model on the held-out cases, install.

    The new model answers for its name at once only where no other model has that name;
    else a person decides, who has seen both figures (``install.make_default``).

    Parameters
    ----------
    job : Job
        What to do.
    watcher : Watcher
        Follows the training and may stop it.
    say : callable
        Takes one line at a time on what is being done.

    Raises
    ------
    StoppedError
        If the watcher asked for it.
    CovidsegError
        If the recipe, the data or a model does not fit, a model of that name and version
        cannot be installed, or a file cannot be written.
    """
    recipe = load_recipe(job.recipe)
    # What cannot be installed in the end is not worth the hours until then.
    check_name(recipe.name, recipe.version, replace=True)
    check_folders(job.model_dirs)
    base = find(job.base, job.model_dirs)
    say("Starting TensorFlow")
    configure(job.threads, job.device)
    say("Reading the cases")
    folder = run_recipe(
        job.recipe,
        job.data,
        job.out,
        resume=job.resume,
        log=say,
        watcher=watcher,
        model_dirs=job.model_dirs,
    )
    new = read_model(folder)
    say("Comparing with the base model on the held-out cases")
    scores = compare(base, new, job.data, model_dirs=job.model_dirs)
    alone = not any(other.name == new.name for other in available())
    say("Installing")
    install(folder, replace=True, default=alone)
    runs.forget(job)
    return Trained(
        new.name,
        new.version,
        base.reference,
        scores.base,
        scores.new,
        scores.cases,
        alone,
        steering.STEERED if steering.was_steered(new) else "",
    )
