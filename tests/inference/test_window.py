import numpy as np
import pytest

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import ct_window, xray_window


def test_hounsfield_windows_are_fixed_and_pictures_find_the_same_levels() -> None:
    rng = np.random.default_rng(0)
    hu = np.where(rng.random((64, 64)) < 0.5, -860, 20) + rng.normal(0, 20, (64, 64))
    picture = np.clip((hu + 1400) / 1900 * 255, 0, 255).astype(np.uint8)
    by_hu, by_look = ct_window(hu, True), ct_window(picture, False)
    shown = (hu - by_hu.low) / (by_hu.high - by_hu.low)
    looked = (picture - by_look.low) / (by_look.high - by_look.low)
    assert np.abs(shown - looked).mean() < 0.05


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_picture_has_a_window(value: int) -> None:
    flat = np.full((32, 32), value, np.uint8)
    for window in (ct_window(flat, False), xray_window(flat)):
        assert window.high > window.low
        assert np.isfinite(whole_frame(flat.shape).cut(flat, window, 32)).all()
