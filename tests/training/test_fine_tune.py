"""From saved cases to an installed version, measured beside the model it started from."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.annotation import cases
from napari_covidseg.engine import EngineSettings
from napari_covidseg.inference import install, registry
from napari_covidseg.labels import LUNGS, SCHEMES
from napari_covidseg.phantom import ct, xray
from napari_covidseg.study import CovidsegError, Modality
from napari_covidseg.training import checks, evaluate, fine_tune, held_out, runs, steering, train
from napari_covidseg.training.compare import Scores, paired_means
from napari_covidseg.training.dataset import Batches, cache
from napari_covidseg.training.own_recipe import next_version, to_toml, write_recipe
from napari_covidseg.training.recipe import RecipeError, load_recipe
from napari_covidseg.training.sources import load_data
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
    return runs.begin(base, saved, "tiny-lungs", "0.2.0", short(tmp_path), EngineSettings())


def short(folder):
    return tiny_recipe.write_recipe(folder, 32, "steps = 4\nepoch_steps = 2\nbatch = 2")


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


def test_a_second_round_holds_out_what_no_round_has_learnt_from(job, tmp_path):
    fine_tune.run(job, Watching(), lambda _: None)
    first = registry.find("tiny-lungs@0.2.0")
    held, learnt = (held_out.read(first.folder / f) for f in (held_out.FILE, held_out.LEARNT))
    (name,) = held
    assert (len(held[name]), len(learnt[name])) == (1, 2)
    # It can be measured again from what is installed of the run.
    assert evaluate.evaluate_model(first, job.data, log=lambda _: None).figures
    data = shutil.copytree(job.data, tmp_path / "more")
    for seed in range(3, 8):
        phantom = ct((4, 48, 48), seed=seed)
        cases.save_case(next(data.glob("Dataset*")), phantom.study, phantom.lungs, LUNGS)
    again = tmp_path / "again.toml"
    again.write_text(job.recipe.read_text().replace("tiny-lungs@0.1.0", first.reference))
    found = checks.gather(load_recipe(again), data)
    assert len(found.split[name]) == 2
    assert held[name] < found.split[name]
    assert not found.split[name] & learnt[name]


def test_held_out_cases_that_steered_the_training_are_told(job, tmp_path, monkeypatch):
    made = write_tiny(tmp_path / "new", version="0.2.0", steered=True)
    monkeypatch.setattr(fine_tune, "run_recipe", lambda *_, **__: made)
    monkeypatch.setattr(fine_tune, "compare", lambda *_, **__: Scores(0.5, 0.6, 1))
    assert fine_tune.run(job, Watching(), lambda _: None).caveat == steering.STEERED


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("tiny-lungs", "0.1.0", "installed already"),
        ("ct-infection", "0.1.0", "another name, or a higher version"),
    ],
)
def test_what_could_not_be_installed_is_said_before_the_training(
    job, saved, tmp_path, monkeypatch, name, version, words
):
    monkeypatch.setattr(fine_tune, "run_recipe", lambda *_, **__: pytest.fail("it was trained"))
    base = registry.find("tiny-lungs")
    asked = runs.begin(base, saved, name, version, short(tmp_path), EngineSettings())
    with pytest.raises(CovidsegError, match=words):
        fine_tune.run(asked, Watching(), lambda _: None)


def test_the_base_may_lie_in_a_folder_of_the_preferences(saved, tmp_path, own_models, monkeypatch):
    monkeypatch.setattr(runs, "folder", lambda: tmp_path / "trainings")
    base = registry.read_model(write_tiny(tmp_path / "preferred"))
    settings = EngineSettings(model_dirs=(tmp_path / "preferred",))
    job = runs.begin(base, saved, "mine", "1.0.0", short(tmp_path), settings)
    made = fine_tune.run(job, Watching(), lambda _: None)
    assert (made.base, made.cases) == ("tiny-lungs@0.1.0", 1)
    assert registry.find("mine").folder == own_models / "mine-1.0.0"


def test_lungs_are_found_by_the_model_in_such_a_folder(job, tmp_path, monkeypatch):
    lungs = write_tiny(tmp_path / "preferred", "ct-lungs")
    job.recipe.write_text(job.recipe.read_text().replace('"body"', '"lungs"'))
    used = []
    monkeypatch.setattr(
        train, "with_lung_frames", lambda items, info, mask: used.append(info.folder) or items
    )
    train.load_items(
        load_recipe(job.recipe),
        job.data,
        job.out,
        lambda _: None,
        model_dirs=(tmp_path / "preferred",),
    )
    assert used == [lungs]


def test_a_stopped_run_installs_nothing_and_goes_on(job, saved, own_models):
    with pytest.raises(StoppedError) as stopped:
        fine_tune.run(job, Watching(stop_in=2), lambda _: None)
    assert stopped.value.finished == 1
    assert [p.name for p in own_models.iterdir()] == ["tiny-lungs-0.1.0"]
    (waiting,) = runs.unfinished()
    assert next_version("tiny-lungs", runs.taken()) == "0.3.0"
    before = {p: p.read_bytes() for p in job.out.rglob("*") if p.is_file()}
    with pytest.raises(CovidsegError, match=r"0\.2\.0 is not finished: press Go on or Drop"):
        runs.begin(
            registry.find("tiny-lungs"), saved, "tiny-lungs", "0.2.0", "quick", EngineSettings()
        )
    assert {p: p.read_bytes() for p in job.out.rglob("*") if p.is_file()} == before
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
    dataset = save_phantom(tmp_path, base)
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        base,
        dataset,
        name="mine",
        version="1.0.0",
        schedule=preset,
    )
    assert recipe.network.start_from == (base.reference,)
    assert recipe.network.architecture == base.spec.architecture
    assert recipe.input == base.spec.input
    assert recipe.scheme == base.scheme
    assert [spec.path for spec in recipe.own_data] == [dataset.name]
    assert recipe.training.epochs == {"quick": 10, "thorough": 30}[preset]
    items = load_data(recipe.data[0], tmp_path, recipe.scheme, base.modality).items
    if recipe.input.needs_lungs:
        items = [replace(i, found=np.full(i.picture.shape, 255, np.uint8)) for i in items]
    cached = [cache(item, recipe.input, recipe.augment.cut > 0) for item in items]
    pictures, masks = Batches(cached, recipe).batch(0, 0)
    side = recipe.input.size
    assert pictures.shape == (recipe.training.batch, side, side, recipe.input.channels)
    assert masks.any()


def save_phantom(folder, base):
    """Save one phantom with what the model draws, as a dataset."""
    is_ct, scheme = base.modality is Modality.CT, SCHEMES[base.scheme]
    phantom = ct((12, 64, 64)) if is_ct else xray((64, 64))
    dataset = cases.dataset_for(folder, phantom.study, scheme)
    drawn = phantom.lungs if base.role == "lungs" else phantom.infection
    cases.save_case(dataset, phantom.study, drawn, scheme)
    return dataset


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
    assert next_version("mine", [info.ref for info in registry.available()]) == "1.0.0"
    for version in ("0.9.0", "0.10.0"):
        write_tiny(tmp_path / version, version=version)
        install.install(tmp_path / version / "tiny-lungs")
    assert next_version("tiny-lungs", [info.ref for info in registry.available()]) == "0.11.0"


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
