import math

import keras
import pytest

from napari_covidseg.training import schedule
from napari_covidseg.training.train_spec import TrainSpec

NAN = math.nan


def spec(**values: object) -> TrainSpec:
    return TrainSpec.model_validate({"steps": 200, "warmup_steps": 20, **values})


def test_the_cosine_is_that_of_keras() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(
        1e-3 / 20, decay_steps=180, alpha=0.01, warmup_target=1e-3, warmup_steps=20
    )
    for step in (0, 7, 19, 20, 21, 100, 199, 200, 300):
        ours = schedule.learning_rate(spec(), step, [])
        assert ours == pytest.approx(float(theirs(step)), rel=1e-4)


def test_the_rate_falls_each_time_the_monitor_has_rested() -> None:
    plateau = spec(schedule="plateau", plateau={"factor": 0.1, "patience": 2, "least": 5e-5})
    rests = [0.3, 0.5, 0.5, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6]
    rates = [schedule.learning_rate(plateau, 150, rests[:n]) for n in range(len(rests) + 1)]
    assert rates == pytest.approx([1e-3] * 4 + [1e-4] * 3 + [5e-5] * 3)
    assert schedule.learning_rate(plateau, 10, rests) == pytest.approx(5.25e-4)  # still warming up


def test_the_best_is_the_first_of_the_highest_and_never_undefined() -> None:
    assert schedule.best([]) is None
    assert schedule.best([NAN, 0.1, 0.7, 0.7, NAN, 0.2]) == 2
    assert schedule.best([NAN, NAN]) == 0


def test_training_is_over_when_patience_is() -> None:
    patient = spec(early_stopping={"patience": 2})
    assert not schedule.is_over([], patient)
    assert not schedule.is_over([0.5, 0.4], patient)
    assert schedule.is_over([0.5, 0.4, 0.5], patient)
    assert not schedule.is_over([0.5, 0.4, 0.6], patient)
    assert not schedule.is_over([0.5] * 50, spec())


@pytest.mark.parametrize(
    ("steps", "epoch_steps", "epochs"), [(200, 100, 2), (30, 55, 1), (7, 3, 3)]
)
def test_steps_are_never_rounded_to_whole_epochs(steps: int, epoch_steps: int, epochs: int) -> None:
    assert spec(steps=steps, epoch_steps=epoch_steps, warmup_steps=0).epochs == epochs
