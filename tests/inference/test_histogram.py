from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.histogram import is_extreme, normal_window
from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.inference.job import Job
from napari_covidseg.inference.registry import find
from napari_covidseg.inference.window import Window, xray_window
from napari_covidseg.study import Modality, from_array
from napari_covidseg.training import dataset
from napari_covidseg.training.sources import Item
from tests.inference.conftest import write_tiny


def film() -> np.ndarray:
    """Grey values 40 to 200, evenly spread."""
    return np.random.default_rng(0).integers(40, 201, (200, 200)).astype(np.uint8)


def normal(array: np.ndarray) -> Window:
    return normal_window(array, xray_window(array))


def bordered() -> np.ndarray:
    """A film in a wide black border."""
    framed = np.zeros((400, 400), np.uint8)
    framed[100:300, 100:300] = film() // 4
    return framed


def test_an_ordinary_film_keeps_its_window() -> None:
    assert not is_extreme(film(), xray_window(film()))
    assert normal(film()) == xray_window(film())


def test_a_film_in_a_wide_black_border_is_shown_by_its_own_values() -> None:
    assert is_extreme(bordered(), xray_window(bordered()))
    window = normal(bordered())
    assert (window.low, window.high) == (10.0, 47.0)


def test_a_dark_film_with_a_bright_corner_is_stretched() -> None:
    dark = (film() // 8).astype(np.uint16)
    dark[:40, :40] = 255
    assert is_extreme(dark, xray_window(dark))
    window = normal(dark)
    assert window.high < 30


def test_a_film_of_one_value_has_a_window() -> None:
    window = normal(np.full((50, 50), 7, np.uint8))
    assert window.high > window.low


@pytest.mark.parametrize("asked", ["usual", "extremes"])
def test_training_and_use_show_a_film_in_the_window_that_the_model_asks_for(
    asked: str, tmp_path: Path
) -> None:
    shown = {"values": "xray", "frame": "whole", "size": 64, "window": asked}
    write_tiny(tmp_path, "films", modality="XR", input=shown)
    info = find("films", [tmp_path])
    job = Job(from_array(bordered(), modality=Modality.XR), (tmp_path,), "CPU", lambda _: None)
    in_use = job.shown(info, job.frame(info), 0)
    usual = xray_window(bordered())
    item = Item("films", "p", "f", bordered(), bordered() * 0, usual, whole_frame((400, 400)))
    spec = InputSpec.model_validate(shown)
    pictures, _ = dataset.stack_still([dataset.cache(item, spec, False)], spec)
    middle = slice(24, 40), slice(24, 40)  # of the film, inside the border
    assert pictures[0, ..., 0][middle].mean() == pytest.approx(in_use[middle].mean(), abs=0.02)
    window = normal(bordered()) if asked == "extremes" else usual
    direct = whole_frame((400, 400)).cut(bordered(), window, 64)
    np.testing.assert_array_equal(in_use, direct)
    assert (window == usual) == (asked == "usual")


def test_a_ct_has_no_such_window() -> None:
    with pytest.raises(ValueError, match="is for values"):
        InputSpec(values="ct", frame="body", size=64, window="extremes")
