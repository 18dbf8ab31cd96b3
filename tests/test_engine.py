"""The promises of the engine, with a fake for the models: no TensorFlow, no weights."""

import os
import queue
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.engine import (
    Engine,
    EngineError,
    EngineSettings,
    EngineState,
    RunCancelledError,
)
from napari_covidseg.engine.memory import Blocks
from napari_covidseg.segmentation import Outcome
from napari_covidseg.study import CovidsegError, Modality, Note, Source, from_array

on_linux = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory has no folder")


class Listener:
    """Collects what the engine says."""

    def __init__(self):
        self.progress, self.ends = queue.Queue(), queue.Queue()

    def submit(self, engine, study, *models):
        engine.submit(
            study,
            models,
            on_progress=self.progress.put,
            on_outcome=self.ends.put,
            on_error=self.ends.put,
        )

    def end(self, timeout=20):
        return self.ends.get(timeout=timeout)

    def until(self, phase, timeout=20):
        while self.progress.get(timeout=timeout).phase != phase:
            pass


@pytest.fixture(scope="module")
def one_engine(fake_inference):
    """One for all tests: each shows on the way that the one before left it clean."""
    engine = Engine(work=fake_inference)
    yield engine
    engine.close()


@pytest.fixture
def engine(one_engine):
    one_engine.configure(EngineSettings())
    yield one_engine
    one_engine.cancel()


@pytest.fixture
def heard():
    return Listener()


@pytest.fixture
def study():
    array = np.full((4, 6, 8), 40, np.int16)
    array[:, 2:4, 1:7] = -800
    return from_array(array, spacing=(5.0, 1.0, 1.0), modality=Modality.CT, is_hu=True)


def blocks():
    return {p.name for p in Path("/dev/shm").iterdir() if p.name.startswith("psm_")}


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_masks_come_back_as_the_child_made_them(engine, heard, study):
    heard.submit(engine, study, "ct-lungs", "ct-infection", "ct-covid")
    outcome = heard.end()
    assert isinstance(outcome, Outcome)
    lungs, infection = outcome.segmentations
    expected = np.zeros(study.array.shape, np.uint8)
    expected[:, 2:4, 1:4], expected[:, 2:4, 4:7] = 1, 2
    np.testing.assert_array_equal(lungs.labels, expected)
    assert lungs.labels.dtype == np.uint8
    assert lungs.scheme.names == {1: "right lung", 2: "left lung"}
    assert (lungs.model.name, lungs.certainty, lungs.notes) == ("ct-lungs", 0.9, ("Made up.",))
    assert not infection.labels.any()
    assert np.isnan(infection.certainty)
    assert outcome.classifications[0].slices[0] == (0, 0.1)


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "float32", "bool"])
def test_any_pixel_type_and_memory_order_crosses(engine, heard, dtype):
    array = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)[:, ::-1].transpose(0, 2, 1)
    heard.submit(engine, from_array(array), "ct-lungs")
    assert heard.end().segmentations[0].labels.shape == (3, 5, 4)


@pytest.mark.parametrize(("shape", "top"), [((4, 6, 8), np.uint8(255)), ((6, 8), np.float32(1))])
def test_an_explanation_comes_back_as_the_child_made_it(engine, heard, shape, top):
    array = np.full(shape, 40, np.int16)
    array[..., 2:4, 1:7] = -500
    callbacks = {"on_progress": heard.progress.put, "on_error": heard.ends.put}
    engine.explain(
        from_array(array), "ct-covid", "hirescam", on_outcome=heard.ends.put, **callbacks
    )
    heard.until("Explaining ct-covid")
    made = heard.end()
    assert (made.model.name, made.method, made.mass_in_lungs) == ("ct-covid", "hirescam", 0.75)
    assert made.map.dtype == top.dtype
    np.testing.assert_array_equal(made.map, np.where(array == -500, top, 0))


def test_an_explanation_is_cancelled_and_refused_as_a_run_is(engine, heard, study):
    callbacks = {
        "on_progress": heard.progress.put,
        "on_outcome": heard.ends.put,
        "on_error": heard.ends.put,
    }
    engine.explain(study, "bad-input", "gradcam", **callbacks)
    assert "The image is empty" in str(heard.end())
    engine.explain(study, "sleep", "gradcam", **callbacks)
    heard.until("Explaining sleep")
    with pytest.raises(EngineError, match="under way"):
        heard.submit(engine, study, "ct-lungs")
    engine.cancel()
    assert isinstance(heard.end(timeout=0.5), RunCancelledError)


def test_progress_starts_within_a_second_and_names_phases(engine, heard, study):
    start = time.monotonic()
    heard.submit(engine, study, "ct-lungs")
    assert heard.progress.get(timeout=1).phase == "Starting"
    assert time.monotonic() - start < 1
    heard.until("Running ct-lungs")
    heard.end()


def test_nothing_that_names_the_patient_reaches_the_child(engine, heard, study):
    named = study.replace(
        source=Source("dicom", "DOE^JOHN", Path("/secret/DOE")),
        notes=(Note("missing-slices", {"count": 2, "series": "DOE^JOHN"}),),
    )
    heard.submit(engine, named, "identity")
    said = heard.end().classifications[0].finding
    assert "DOE" not in said
    assert "missing-slices" in said and "2.0" in said
    assert "CT" in said


def test_cancel_ends_the_process_within_half_a_second(engine, heard, study):
    heard.submit(engine, study, "sleep")
    heard.until("Running sleep")
    pid = engine.pid
    start = time.monotonic()
    engine.cancel()
    assert isinstance(heard.end(timeout=0.5), RunCancelledError)
    assert time.monotonic() - start < 0.5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    heard.submit(engine, study, "ct-lungs")
    assert heard.end().segmentations[0].labels.any()


def test_cancel_before_the_child_is_up(engine, heard, study):
    heard.submit(engine, study, "sleep")
    engine.cancel()
    assert isinstance(heard.end(timeout=0.5), RunCancelledError)
    heard.submit(engine, study, "ct-lungs")
    assert isinstance(heard.end(), Outcome)


def test_cancel_with_nothing_under_way_does_nothing(engine):
    before = engine.pid
    assert not engine.cancel()
    assert engine.pid == before
    assert engine.state is not EngineState.RUNNING


def test_a_second_run_is_refused_while_one_is_under_way(engine, heard, study):
    heard.submit(engine, study, "sleep")
    with pytest.raises(EngineError, match="under way"):
        heard.submit(engine, study, "ct-lungs")


@pytest.mark.parametrize(
    ("model", "words"),
    [("killed", "memory ran out"), ("exits", r"stopped unexpectedly \(code 3\)")],
)
def test_a_child_that_dies_is_said_plainly_and_the_next_run_works(
    engine, heard, study, model, words
):
    heard.submit(engine, study, model)
    error = heard.end()
    assert isinstance(error, EngineError)
    with pytest.raises(EngineError, match=words):
        raise error
    heard.submit(engine, study, "ct-lungs")
    assert isinstance(heard.end(), Outcome)


def test_a_child_killed_while_idle_is_replaced_without_a_word(engine, heard, study):
    heard.submit(engine, study, "ct-lungs")
    heard.end()
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: engine.state is EngineState.STOPPED, 5)
    heard.submit(engine, study, "ct-lungs")
    assert isinstance(heard.end(), Outcome)


def test_an_input_error_passes_as_it_is(engine, heard, study):
    heard.submit(engine, study, "bad-input")
    assert str(heard.end()) == "The image is empty: choose another one."


def test_our_own_fault_shows_neither_traceback_nor_values(engine, heard, study):
    heard.submit(engine, study, "bug")
    message = str(heard.end())
    assert "fault of ours" in message
    assert "PATIENT" not in message and "\n" not in message


def test_memory_that_runs_out_inside_python_is_said(engine, heard, study):
    heard.submit(engine, study, "no-memory")
    assert "close other programs" in str(heard.end())


def test_what_a_library_prints_does_not_break_the_line(engine, heard, study):
    heard.submit(engine, study, "noisy")
    assert isinstance(heard.end(), Outcome)


@on_linux
def test_shared_memory_is_removed_however_a_run_ends(engine, heard, study):
    before = blocks()
    for model in ("ct-lungs", "bad-input", "killed"):
        heard.submit(engine, study, model)
        heard.end()
    heard.submit(engine, study, "sleep")
    heard.until("Running sleep")
    assert blocks() - before
    engine.cancel()
    heard.end()
    assert blocks() <= before


@on_linux
def test_too_little_shared_memory_is_an_error_not_a_crash(engine, heard, study, monkeypatch):
    usage = type("usage", (), {"free": 10})
    monkeypatch.setattr("napari_covidseg.engine.memory.shutil.disk_usage", lambda path: usage)
    heard.submit(engine, study, "ct-lungs")
    error = heard.end()
    assert isinstance(error, CovidsegError)
    assert "shared memory" in str(error)


def test_warming_is_told_and_so_is_why_it_failed(fake_inference):
    states = queue.Queue()
    engine = Engine(
        work=fake_inference, on_state=lambda state, trouble: states.put((state, trouble))
    )
    try:
        engine.warm(["ct-lungs"])
        assert states.get(timeout=5) == (EngineState.WARMING, "")
        assert states.get(timeout=20) == (EngineState.READY, "")
        engine.warm(["cannot-warm"])
        assert states.get(timeout=5)[0] is EngineState.WARMING
        assert "pip install tensorflow" in states.get(timeout=20)[1]
    finally:
        engine.close()


def test_new_settings_reach_the_next_run(engine, heard, study):
    heard.submit(engine, study, "device")
    assert heard.end().device == "auto None"
    engine.configure(EngineSettings(threads=3, device="cpu"))
    heard.submit(engine, study, "device")
    assert heard.end().device == "cpu 3"


def test_settings_changed_during_a_run_reach_the_next_in_a_new_process(engine, heard, study):
    """TensorFlow takes its threads only once a process."""
    heard.submit(engine, study, "nap")
    heard.until("Running nap")
    pid = engine.pid
    engine.configure(EngineSettings(threads=3))
    assert isinstance(heard.end(), Outcome)
    heard.submit(engine, study, "device")
    assert heard.end().device == "auto 3"
    assert engine.pid != pid


def test_memory_that_runs_out_while_the_result_is_copied_is_said(engine, heard, study, monkeypatch):
    def no_memory(self, labels):
        raise MemoryError

    monkeypatch.setattr("napari_covidseg.engine.messages.Finished.outcome", no_memory)
    heard.submit(engine, study, "ct-lungs")
    assert "close other programs" in str(heard.end())


@on_linux
def test_memory_that_is_already_gone_does_not_stop_the_rest_from_being_freed():
    before, held = blocks(), Blocks()
    for _ in range(2):
        pixels, _ = held.room((4, 4), np.dtype(np.uint8))
    Path("/dev/shm", pixels.block).unlink()
    held.free()
    assert blocks() <= before


def test_a_bare_script_can_use_it_and_its_child_dies_with_it(tmp_path):
    """No ``__main__`` guard; the parent is killed while the child computes."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import time
        import numpy as np
        from napari_covidseg.engine import Engine
        from napari_covidseg.study import from_array
        engine = Engine(work="fake_inference")
        say = lambda p: print(engine.pid, flush=True) if p.phase == "Running sleep" else None
        engine.submit(from_array(np.zeros((4, 4), "u1")), ["sleep"],
                      on_progress=say, on_outcome=print, on_error=print)
        time.sleep(60)
        """)
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    try:
        pid = int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()

    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_for(gone, 5)


def test_importing_the_engine_imports_neither_tensorflow_nor_qt():
    code = (
        "import sys, napari_covidseg.engine.child;"
        "print([m for m in ('tensorflow', 'keras', 'napari', 'qtpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
