"""From saved cases to an installed version, measured beside the model it started from."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.annotation import cases
from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference import install, registry
from napari_covidseg.labels import LUNGS
from napari_covidseg.phantom import ct
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import fine_tune, held_out, runs
from napari_covidseg.training.compare import Scores, paired_means
from napari_covidseg.training.own_recipe import next_version, to_toml, write_recipe
from napari_covidseg.training.recipe import RecipeError
from napari_covidseg.training.watch import StoppedError, Unwatched
from tests import tiny_recipe
from tests.inference.conftest import write_tiny


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A dataset of three small phantoms with their lungs."""
    folder = tmp_path_factory.mktemp("cases")
    for seed in range(3):
        phantom = ct((4, 48, 48), seed=seed)
        dataset = cases.dataset_for(folder, phantom.study, LUNGS)
        cases.save_case(dataset, phantom.study, phantom.lungs, LUNGS)
    return dataset


@pytest.fixture
def job(saved, tmp_path, own_models, monkeypatch):
    """Two epochs of two steps, from a tiny model that is installed."""
    monkeypatch.setattr(runs, "folder", lambda: tmp_path / "trainings")
    base = install.install(write_tiny(tmp_path / "made"))
    recipe = tiny_recipe.write_recipe(tmp_path, 32, "steps = 4\nepoch_steps = 2\nbatch = 2")
    return runs.begin(base, saved, "tiny-lungs", "0.2.0", recipe, EngineSettings())


class Watching(Unwatched):
    def __init__(self, stop_in=99):
        self.reports, self.epochs_begun, self.stop_in = [], 0, stop_in

    def step(self, epoch, done, total):
        self.epochs_begun = epoch

    def epoch(self, report):
        self.reports.append(report)

    def should_stop(self):
        return self.epochs_begun >= self.stop_in


def test_a_new_version_is_installed_beside_the_base_and_both_are_measured(job, own_models):
    watching, said = Watching(), []
    made = fine_tune.run(job, watching, said.append)
    assert (made.name, made.version, made.base) == ("tiny-lungs", "0.2.0", "tiny-lungs@0.1.0")
    assert made.cases == 1
    assert 0 <= made.base_dice <= 1
    assert 0 <= made.dice <= 1
    assert [r.epoch for r in watching.reports] == [1, 2]
    assert watching.reports[0].preview[0].labels.shape == (32, 32)
    # It waits for a person's word: till then the base model answers for the name.
    assert not made.default
    assert registry.find("tiny-lungs").version == "0.1.0"
    registry.verify(registry.find("tiny-lungs@0.2.0"))
    assert not runs.unfinished()
    assert any("Comparing" in line for line in said)
    assert not made.caveat


def test_held_out_cases_that_steered_the_training_are_told(job, tmp_path, monkeypatch):
    made = write_tiny(tmp_path / "new", version="0.2.0", steered=True)
    monkeypatch.setattr(fine_tune, "run_recipe", lambda *_, **__: made)
    monkeypatch.setattr(fine_tune, "compare", lambda *_, **__: Scores(0.5, 0.6, 1))
    assert fine_tune.run(job, Watching(), lambda _: None).caveat == held_out.STEERED


def test_a_stopped_run_installs_nothing_and_goes_on(job, own_models):
    with pytest.raises(StoppedError) as stopped:
        fine_tune.run(job, Watching(stop_in=2), lambda _: None)
    assert stopped.value.finished == 1
    assert [p.name for p in own_models.iterdir()] == ["tiny-lungs-0.1.0"]
    (waiting,) = runs.unfinished()
    watching = Watching()
    fine_tune.run(waiting, watching, lambda _: None)
    assert [r.epoch for r in watching.reports] == [2]
    assert (own_models / "tiny-lungs-0.2.0").is_dir()


def test_a_case_that_was_changed_on_disk_stops_the_run(job, tmp_path, own_models):
    copy = shutil.copytree(job.data, tmp_path / "copy")
    mask = next(copy.glob("*/labelsTr/*"))
    mask.write_bytes(mask.read_bytes()[:-5])
    with pytest.raises(CovidsegError, match="changed since it was saved"):
        fine_tune.run(runs.Job(job.recipe, copy, job.out, job.base), Watching(), lambda _: None)
    assert [p.name for p in own_models.iterdir()] == ["tiny-lungs-0.1.0"]


@pytest.mark.parametrize("preset", ["quick", "thorough"])
@pytest.mark.parametrize("name", ["ct-lungs", "ct-infection", "xray-lungs", "xray-ggo"])
def test_presets_go_on_from_every_shipped_model(tmp_path, name, preset):
    base = registry.find(name)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        base,
        Path("/data/Dataset701"),
        name="mine",
        version="1.0.0",
        schedule=preset,
    )
    assert recipe.network.start_from == (base.reference,)
    assert recipe.network.architecture == base.spec.architecture
    assert recipe.input == base.spec.input
    assert recipe.scheme == base.scheme
    assert [spec.path for spec in recipe.own_data] == ["Dataset701"]
    assert recipe.training.epochs == {"quick": 10, "thorough": 30}[preset]


def test_a_recipe_file_that_is_none_says_so(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("name = 3")
    with pytest.raises(RecipeError, match="does not fit"):
        write_recipe(
            tmp_path / "r.toml",
            registry.find("ct-lungs"),
            Path("/d"),
            name="m",
            version="1.0.0",
            schedule=file,
        )


def test_the_next_version_is_above_all_known(own_models, tmp_path):
    assert next_version("mine", registry.available()) == "1.0.0"
    for version in ("0.9.0", "0.10.0"):
        write_tiny(tmp_path / version, version=version)
        install.install(tmp_path / version / "tiny-lungs")
    assert next_version("tiny-lungs", registry.available()) == "0.11.0"


def test_toml_comes_back_as_it_was_written():
    import tomllib

    values = {
        "text": 'a "b" \\ ü',
        "flag": True,
        "numbers": [1, 2.5, 1e-4],
        "table": {"inner": {"x": 1}, "odd key": "y"},
        "tables": [{"a": 1}, {"a": 2}],
    }
    assert tomllib.loads(to_toml({**values, "nothing": None})) == values


def test_a_model_that_marks_what_is_not_there_is_not_spared():
    nan = np.nan
    base = np.array([[nan, 0.5, nan], [1.0, nan, nan]])
    new = np.array([[0.0, 0.7, nan], [0.8, nan, nan]])
    np.testing.assert_allclose(paired_means(base, new), [(1.0, 0.4), (0.5, 0.7)])
