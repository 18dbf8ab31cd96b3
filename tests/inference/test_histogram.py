import numpy as np

from napari_covidseg.inference.histogram import is_extreme, normal_window
from napari_covidseg.inference.window import xray_window


def film() -> np.ndarray:
    """Grey values 40 to 200, evenly spread."""
    return np.random.default_rng(0).integers(40, 201, (200, 200)).astype(np.uint8)


def test_an_ordinary_film_keeps_its_window() -> None:
    assert not is_extreme(film(), xray_window(film()))
    assert normal_window(film()) == xray_window(film())


def test_a_film_in_a_wide_black_border_is_shown_by_its_own_values() -> None:
    bordered = np.zeros((400, 400), np.uint8)
    bordered[100:300, 100:300] = film() // 4
    assert is_extreme(bordered, xray_window(bordered))
    window = normal_window(bordered)
    assert (window.low, window.high) == (10.0, 47.0)


def test_a_dark_film_with_a_bright_corner_is_stretched() -> None:
    dark = (film() // 8).astype(np.uint16)
    dark[:40, :40] = 255
    assert is_extreme(dark, xray_window(dark))
    window = normal_window(dark)
    assert window.high < 30


def test_a_film_of_one_value_has_a_window() -> None:
    window = normal_window(np.full((50, 50), 7, np.uint8))
    assert window.high > window.low
