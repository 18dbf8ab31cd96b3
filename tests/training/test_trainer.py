"""A training in a process of its own: what comes back, and how it ends."""

import queue
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_covidseg.io import WriteError
from napari_covidseg.segmentation import ModelRef
from napari_covidseg.study import CovidsegError
from napari_covidseg.training import messages, run_state, runs
from napari_covidseg.training.messages import Epoch, Job, Said, Stepped, Trained
from napari_covidseg.training.trainer import Trainer, TrainingError
from napari_covidseg.training.watch import EpochReport, Preview, StoppedError

TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def trainer(monkeypatch):
    monkeypatch.syspath_prepend(TESTS)  # the child gets the same path
    trainer = Trainer(work="fake_training", patience=1.0)
    yield trainer
    trainer.close()


class Listener:
    """Collects what a trainer says."""

    def __init__(self):
        self.reports, self.ends = queue.Queue(), queue.Queue()

    def start(self, trainer, how, tmp_path):
        job = Job(Path(f"{how}.toml"), tmp_path, tmp_path, "ct-lungs@1.0.0")
        trainer.start(job, on_report=self.reports.put, on_end=self.ends.put)

    def end(self):
        return self.ends.get(timeout=60)

    def until(self, kind):
        while not isinstance(report := self.reports.get(timeout=60), kind):
            pass
        return report


@pytest.fixture
def heard():
    return Listener()


def write_checkpoint(out, epochs):
    folder = out / "my-lungs"
    folder.mkdir(parents=True)
    np.savez(folder / "checkpoint.npz", rows=np.zeros((epochs, 2)))


def test_epochs_steps_and_previews_come_and_then_the_new_model(trainer, heard, tmp_path):
    heard.start(trainer, "good", tmp_path)
    end = heard.end()
    assert end == Trained("ct-lungs", "1.1.0", "ct-lungs@1.0.0", 0.7, 0.9, 5, False)
    assert not end.worse
    reports = list(heard.reports.queue)
    assert reports[0] == Said("Reading the cases")
    assert Stepped(1, 4, 4) in reports
    epochs = [r for r in reports if isinstance(r, Epoch)]
    assert [(e.epoch, e.epochs, e.row["loss"]) for e in epochs] == [
        (1, 3, 1),
        (2, 3, 0.5),
        (3, 3, 1 / 3),
    ]
    assert np.isnan(epochs[0].row["val_loss"])
    picture, labels = epochs[2].preview.arrays()
    assert (picture.min(), picture.max()) == (0, 255)
    assert labels.shape == (32, 32)
    assert (labels[8:16, 8:20] == 2).all()
    assert trainer.pid is None


def test_stop_ends_after_the_step_and_says_how_far_it_came(trainer, heard, tmp_path):
    heard.start(trainer, "slow", tmp_path)
    heard.until(Epoch)
    trainer.stop()
    end = heard.end()
    assert isinstance(end, StoppedError)
    assert end.finished == 1


def test_a_training_that_does_not_listen_is_ended(trainer, heard, tmp_path):
    heard.start(trainer, "deaf", tmp_path)
    heard.until(Stepped)
    started = time.monotonic()
    trainer.stop()
    trainer.stop()
    assert isinstance(heard.end(), StoppedError)
    assert time.monotonic() - started < 10
    assert trainer.pid is None


def test_a_run_that_went_on_and_is_ended_before_its_first_step_keeps_its_epochs(
    trainer, heard, tmp_path
):
    write_checkpoint(tmp_path, 3)
    heard.start(trainer, "deaf", tmp_path)
    heard.until(Said)
    trainer.stop()
    assert heard.end().finished == 3


def test_a_killed_child_says_what_to_do_and_the_next_training_runs(trainer, heard, tmp_path):
    heard.start(trainer, "killed", tmp_path)
    end = heard.end()
    assert isinstance(end, TrainingError)
    assert "memory ran out" in str(end)
    assert "last finished epoch is kept" in str(end)
    heard.start(trainer, "good", tmp_path)
    assert isinstance(heard.end(), Trained)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("bad-data", "too few cases: save more"),
        ("bug", "a fault of ours (ValueError)"),
        ("no-memory", "lower `batch`"),
    ],
)
def test_errors_come_in_one_line_and_name_nobody(trainer, heard, tmp_path, how, words):
    heard.start(trainer, how, tmp_path)
    end = heard.end()
    assert isinstance(end, CovidsegError)
    assert words in str(end)
    assert "PATIENT" not in str(end)
    assert "\n" not in str(end)


def test_one_training_at_a_time(trainer, heard, tmp_path):
    heard.start(trainer, "slow", tmp_path)
    with pytest.raises(TrainingError, match="under way"):
        heard.start(trainer, "good", tmp_path)


def test_close_ends_it_and_nothing_is_called_any_more(trainer, heard, tmp_path):
    heard.start(trainer, "deaf", tmp_path)
    heard.until(Stepped)
    pid = trainer.pid
    trainer.close()
    assert not psutil.pid_exists(pid)
    time.sleep(0.3)
    assert heard.ends.empty()


def test_the_child_goes_with_a_parent_that_is_killed(tmp_path):
    code = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        sys.path.append({TESTS!r})
        from napari_covidseg.training.messages import Job
        from napari_covidseg.training.trainer import Trainer
        trainer = Trainer(work="fake_training")
        job = Job(Path("deaf.toml"), Path("."), Path({str(tmp_path)!r}), "ct-lungs@1.0.0")
        trainer.start(job, on_report=lambda r: None, on_end=lambda e: None)
        print(trainer.pid, flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the child lives on"
        time.sleep(0.1)


def test_a_run_with_a_checkpoint_waits_to_go_on_until_it_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "folder", lambda: tmp_path)
    out = runs.folder_of("my-lungs", "1.0.0")
    job = Job(out / runs.RECIPE, tmp_path, out, "ct-lungs@1.0.0", threads=2)
    runs.keep(job)
    assert runs.unfinished() == ()
    assert runs.taken() == {}
    write_checkpoint(out, 3)
    assert run_state.finished_epochs(out) == 3
    assert "press Go on or Drop" in runs.taken()[ModelRef("my-lungs", "1.0.0")]
    (waiting,) = runs.unfinished()
    assert waiting.resume
    assert (waiting.recipe, waiting.threads) == (job.recipe, 2)
    runs.forget(job)
    assert runs.unfinished() == ()
    assert "trained before" in runs.taken()[ModelRef("my-lungs", "1.0.0")]
    runs.drop(job)
    assert not out.exists()


def test_what_trains_in_one_window_is_left_alone_by_the_others(
    trainer, heard, tmp_path, monkeypatch
):
    monkeypatch.setattr(runs, "folder", lambda: tmp_path)
    out = runs.folder_of("my-lungs", "1.0.0")
    runs.keep(Job(out / runs.RECIPE, tmp_path, out, "ct-lungs@1.0.0"))
    write_checkpoint(out, 1)
    (waiting,) = runs.unfinished()
    heard.start(trainer, "deaf", out)
    assert runs.unfinished() == ()
    assert "another window" in runs.taken()[ModelRef("my-lungs", "1.0.0")]
    with pytest.raises(CovidsegError, match=r"1\.0\.0 is being trained in another window"):
        runs.drop(waiting)
    other = Trainer(work="fake_training")
    with pytest.raises(CovidsegError, match="stop it there"):
        Listener().start(other, "good", out)
    assert other.pid is None
    other.close()
    trainer.close()
    assert runs.unfinished() == (waiting,)
    runs.drop(waiting)
    assert not out.exists()


def test_a_training_that_cannot_be_claimed_does_not_begin(trainer, heard, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError):
        heard.start(trainer, "good", tmp_path / "file" / "run")
    assert trainer.pid is None
    heard.start(trainer, "good", tmp_path)
    assert isinstance(heard.end(), Trained)
    assert heard.ends.empty()


def test_the_picture_on_which_most_is_drawn_is_shown():
    blank, drawn = (np.full((4, 4), value, np.uint8) for value in (0, 1))
    pictures = tuple(
        Preview(name, np.zeros((4, 4), np.float32), truth, blank)
        for name, truth in (("empty", blank), ("full", drawn))
    )
    assert Epoch.of(EpochReport(1, 2, {}, True, 1.0, pictures)).preview.name == "full"
    assert Epoch.of(EpochReport(1, 2, {}, True, 1.0)).preview is None


def test_what_cannot_be_told_counts_as_worse():
    nan = float("nan")
    assert messages.Trained("m", "1.1.0", "m@1.0.0", nan, nan, 0, False).worse
