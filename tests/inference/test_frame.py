import numpy as np
import pytest

from napari_covidseg.inference.frame import Frame, body_frame, lung_frame, whole_frame
from napari_covidseg.inference.window import Window, ct_window

UNIT = Window(0.0, 1.0)


@pytest.mark.parametrize("shape", [(100, 100), (83, 141), (315, 257), (40, 512)])
@pytest.mark.parametrize("size", [64, 192])
def test_a_mask_comes_back_where_it_was(shape: tuple[int, int], size: int) -> None:
    picture = np.zeros(shape, np.float32)
    h, w = shape
    picture[h // 4 : h // 2, w // 3 : 3 * w // 4] = 1.0
    frame = whole_frame(shape)
    part, rows, cols = frame.paste((frame.cut(picture, UNIT, size) * 255).astype(np.uint8), shape)
    back = np.zeros(shape, bool)
    back[rows, cols] = part >= 128
    assert back.shape == shape
    overlap = 2 * (back & (picture > 0)).sum() / (back.sum() + (picture > 0).sum())
    assert overlap > 0.93
    # Half a network pixel at most: a mask that is shifted would show here.
    pixel = max(shape) / size
    for axis in (0, 1):
        centre = [np.flatnonzero(m.any(axis=1 - axis)).mean() for m in (back, picture > 0)]
        assert abs(centre[0] - centre[1]) <= max(0.5, pixel / 2)


def test_a_frame_beyond_the_picture_shows_air_there() -> None:
    cut = Frame(-10, -10, 40, 40).cut(np.ones((20, 20)), UNIT, 40)
    assert cut[:10].max() == 0
    assert cut[12:28, 12:28].min() == pytest.approx(1.0)


def test_a_frame_off_the_picture_pastes_nothing() -> None:
    part, rows, cols = Frame(100, 100, 10, 10).paste(np.ones((8, 8), np.uint8), (50, 50))
    assert part.size == 0
    assert np.zeros((50, 50))[rows, cols].size == 0


def test_frames_are_square_in_millimetres() -> None:
    frame = Frame.around((0, 100, 0, 100), margin=0.0, aspect=2.0)
    assert frame.height * 2.0 == pytest.approx(frame.width, abs=1)


def test_a_picture_of_one_pixel_is_prepared() -> None:
    dot = np.zeros((1, 1), np.uint8)
    assert whole_frame((1, 1)).cut(dot, ct_window(dot, False), 64).shape == (64, 64)


def test_a_huge_picture_is_thinned_before_it_becomes_floating_point() -> None:
    wide = np.zeros((6000, 6000), np.uint8)
    wide[1500:3000, 3000:4500] = 1
    cut = whole_frame(wide.shape).cut(wide, UNIT, 64)
    assert cut[16:32, 32:48].mean() > 0.9
    assert cut.sum() == pytest.approx(16 * 16, rel=0.15)


def test_the_body_is_found_without_the_table() -> None:
    hu = np.full((8, 256, 256), -1000, np.int16)
    y, x = np.ogrid[:256, :256]
    hu[:, ((y - 110) / 60) ** 2 + ((x - 128) / 90) ** 2 < 1] = 40
    hu[:, 200:202, 20:236] = 200
    frame = body_frame(hu, ct_window(hu, True))
    assert frame.width == pytest.approx(180 * 1.06, abs=8)
    assert frame.top + frame.height / 2 == pytest.approx(110, abs=4)


@pytest.mark.parametrize("border", [0, 7])
def test_a_picture_that_is_cut_to_the_lungs_is_shown_whole(border: int) -> None:
    """Its edge parts the chest wall at the sides from the middle."""
    picture = np.full((120, 160), 0.1, np.float32)
    picture[:, 60:90] = picture[:, :6] = picture[:, -6:] = 1.0
    picture[0] = 0.0
    frame = body_frame(np.pad(picture, border)[np.newaxis], UNIT)
    assert frame.left <= border and frame.left + frame.width >= border + 160
    assert frame.top <= border and frame.top + frame.height >= border + 120


def test_without_lung_there_is_no_frame() -> None:
    assert lung_frame(np.zeros((2, 8, 8), np.uint8)) is None
