"""A network that learns against a critic: same words, same figures, same way back after a kill."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest
from own_data import films, recipe

from napari_covidseg import nets
from napari_covidseg.cli.app import execute
from napari_covidseg.inference import find
from napari_covidseg.inference.network import load_network
from napari_covidseg.nets.critic import CriticConfig, critic
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import train
from napari_covidseg.training.adversary import Adversary
from napari_covidseg.training.losses import MaskLoss
from napari_covidseg.training.optimizer import optimizer
from napari_covidseg.training.recipe import RecipeError, load_recipe
from napari_covidseg.training.watch import Unwatched

DATA = """
[[data]]
kind = "pairs"
path = "films"
labels = { 255 = "ground glass" }
"""
ADVERSARY = "[adversary]\nweight = 5.0\nwidth = 4\ndepth = 2\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recipe of six films with a critic, two epochs of two steps."""
    films(tmp_path / "films", list("abcdef"))
    return recipe(tmp_path, ADVERSARY + DATA)


def learner(path: Path) -> Adversary:
    chosen = load_recipe(path)
    keras.utils.set_random_seed(0)
    model = nets.build("unet", {"base": 4, "depth": 2, "classes": chosen.classes})
    assert chosen.loss is not None and chosen.training is not None
    made = Adversary(model, MaskLoss(chosen.loss, chosen.classes), chosen)
    made.compile(optimizer(chosen.training))
    return made


def batch() -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((4, 32, 32), np.uint8)
    truth[:, 8:20, 8:20] = 1
    noise = np.random.default_rng(0).random((4, 32, 32, 1), np.float32)
    return 0.8 * truth[..., np.newaxis] + 0.2 * noise, truth


def values(model: object) -> list[np.ndarray]:
    return [np.asarray(v) for v in model.trainable_variables]  # type: ignore[attr-defined]


def test_a_critic_answers_part_by_part() -> None:
    model = critic(CriticConfig(channels=2, labels=3, width=4, depth=3))
    answer = model([np.zeros((2, 32, 48, 2)), np.zeros((2, 32, 48, 3))])
    assert answer.shape == (2, 4, 6, 1)


def test_a_step_teaches_both_and_each_by_its_own_loss(path: Path) -> None:
    one = learner(path)
    x, y = one.prepared(*batch())
    generator, judged = values(one.trained.get_layer("unet")), values(one.critic)
    losses = one.step(x, y)
    assert list(losses) == ["loss", "adversarial_loss", "critic_loss"]
    assert all(np.isfinite(value) for value in losses.values())
    for before, model in ((generator, one.trained.get_layer("unet")), (judged, one.critic)):
        changed = [not np.array_equal(a, b) for a, b in zip(before, values(model), strict=True)]
        assert np.mean(changed) > 0.8


def test_the_generator_is_judged_by_the_critic_as_it_is(path: Path) -> None:
    one = learner(path)
    x, y = one.prepared(*batch())
    one.step(x, y)
    learnt = values(one.critic)
    one.step(x, y)
    judge = one.trained.get_layer("judge")
    assert not judge.trainable_variables
    for theirs, ours in zip(learnt, judge.variables, strict=True):
        np.testing.assert_array_equal(theirs, np.asarray(ours))


def test_a_critic_learns_to_tell_masks_apart_and_the_generator_to_draw(path: Path) -> None:
    one = learner(path)
    one.trained.optimizer.learning_rate = 1e-2
    x, y = one.prepared(*batch())
    losses = [one.step(x, y) for _ in range(90)]
    assert min(step["critic_loss"] for step in losses) < 0.2 < losses[0]["critic_loss"]
    assert losses[-1]["loss"] < 0.3 * losses[0]["loss"]


def test_the_critic_sees_nothing_where_a_mask_does_not_tell(path: Path) -> None:
    one = learner(path)
    pictures, truth = batch()
    truth[:, :4], truth[:, 28:] = 2, 3  # label not told, nothing known
    x, _ = one.prepared(pictures, truth)
    assert x["drawn"].sum() == (truth == 1).sum()
    np.testing.assert_array_equal(x["told"][..., 0], truth < 2)
    shown = keras.Model(one.trained.input, one.trained.get_layer("shown").output)(x)
    assert not np.asarray(shown)[:, :4].any() and not np.asarray(shown)[:, 28:].any()
    assert np.asarray(shown)[:, 4:28].all()


class _Killed(Unwatched):
    """Kills a run in its second epoch."""

    def step(self, epoch: int, done: int, total: int) -> None:
        if (epoch, done) == (2, 1):
            raise KeyboardInterrupt


def test_a_run_is_the_same_again_and_after_a_kill(path: Path, tmp_path: Path) -> None:
    whole, again, broken = (tmp_path / name for name in "abc")
    for out in (whole, again):
        train.run_recipe(path, tmp_path, out, log=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        train.run_recipe(path, tmp_path, broken, log=lambda _: None, watcher=_Killed())
    train.run_recipe(path, tmp_path, broken, resume=True, log=lambda _: None)
    history = (whole / "own" / "history.csv").read_text()
    with np.load(whole / "own" / "checkpoint.npz") as file:
        state = dict(file)
    for out in (again, broken):
        assert (out / "own" / "history.csv").read_text() == history
        with np.load(out / "own" / "checkpoint.npz") as file:
            assert file.keys() == state.keys()
            for name, array in state.items():  # critic and optimiser among them
                np.testing.assert_array_equal(file[name], array, err_msg=name)


def test_the_command_trains_it_and_what_ships_is_the_generator_alone(
    path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    assert execute(["train", str(path), "--data", str(tmp_path), "--out", str(out)]) == 0
    with (out / "own" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and float(rows[-1]["critic_loss"]) > 0
    assert "critic_loss" in (out / "own" / "report.html").read_text()
    model = load_network(find("own", [out]))
    assert model.count_params() < 20_000
    assert model(np.zeros((1, 32, 32, 1))).shape == (1, 32, 32, 2)


def test_a_critic_that_diverges_says_so(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Adversary.step

    def diverged(self: Adversary, x: object, y: object) -> dict[str, float]:
        return real(self, x, y) | {"critic_loss": float("nan")}

    monkeypatch.setattr(Adversary, "step", diverged)
    with pytest.raises(CovidsegError, match=r"The critic loss became nan .* lower learning_rate"):
        train.run_recipe(path, tmp_path, tmp_path / "runs", log=lambda _: None)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[adversary]\nweight = 0\n", "adversary.weight"),
        ("[adversary]\nlambda = 5\n", "adversary.lambda"),
        ("[adversary]\ndepth = 9\n", "adversary.depth"),
    ],
)
def test_a_wrong_table_names_the_fault(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(recipe(tmp_path, table + DATA))


def test_a_classification_has_no_critic(tmp_path: Path) -> None:
    text = recipe(tmp_path, ADVERSARY + '[[data]]\nset = "shenzhen_tb"\n').read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(
        text.replace('"segmentation"', '"classification"\nfinding = "TB"')
        .replace('"infection"', '"classification"')
        .replace('scheme = "opacity"\n', "")
    )
    with pytest.raises(RecipeError, match=r"\[adversary\] is for a segmentation"):
        load_recipe(path)
