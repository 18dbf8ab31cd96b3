"""The same picture as another file is found; another slice or film is not taken for it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from napari_covidseg import phantom
from napari_covidseg.inference.window import Window, ct_window, xray_window
from napari_covidseg.training.near_duplicates import LIMIT, alike, fingerprint
from napari_covidseg.training.sources.item import grey, pictures

FILM = phantom.xray((256, 256), seed=0).study.array


def apart(a: np.ndarray, b: np.ndarray) -> int:
    (pair,) = alike([fingerprint(a, xray_window(a))], [fingerprint(b, xray_window(b))], limit=512)
    return pair[2]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 0),
        lambda p: cv2.resize(p, (180, 180), interpolation=cv2.INTER_AREA),
        lambda p: (255 * (p / 255.0) ** 0.7).astype(np.uint8),
        lambda p: p.astype(np.int16) * 5 - 1000,
        lambda p: p[1:-1, 1:-1],
    ],
    ids=["jpeg", "size", "gamma", "values", "cut"],
)
def test_the_same_picture_in_another_guise_is_found(change) -> None:
    assert apart(FILM, change(FILM)) <= LIMIT


def test_another_film_is_not_taken_for_it() -> None:
    others = [phantom.xray((256, 256), seed=seed).study.array for seed in (1, 2, 3)]
    assert min(apart(FILM, other) for other in others) > LIMIT


def test_pictures_without_anything_in_them_are_like_no_other() -> None:
    empty = np.zeros((64, 64), np.uint8)
    assert fingerprint(empty, Window(0, 255)) is None
    film = fingerprint(FILM, xray_window(FILM))
    assert alike([None, film], [None]) == []
    assert alike([None, film], [None, film]) == [(1, 1, 0)]


def test_pairs_are_found_in_many_the_closest_first() -> None:
    rng = np.random.default_rng(0)
    many = list(rng.integers(0, 2**63, (2500, 8)).astype(np.uint64))
    near = many[2400].copy()
    near[0] ^= np.uint64(0b111)
    assert alike(many, [near, many[3]]) == [(3, 1, 0), (2400, 0, 3)]


@pytest.mark.shared
def test_real_slices_find_their_other_file_and_nothing_else(shared_data: Path) -> None:
    """The same 31 slices lie in two sets, as PNG and as JPEG of another size; the second set
    has one slice each of 745 patients, taken at the same height."""

    def prints(folder: Path) -> list[np.ndarray | None]:
        read = (grey(path) for path in pictures(folder))
        return [fingerprint(picture, ct_window(picture, False)) for picture in read]

    few = prints(shared_data / "ct_covid_mosmed" / "images")
    source = shared_data / "ct_classification" / "mosmed_midslice"
    many = prints(source / "COVID") + prints(source / "NonCOVID")
    found = alike(few, many)
    assert sorted(i for i, _, _ in found) == list(range(len(few)))
    assert len({j for _, j, _ in found}) == len(few)
    assert [pair for pair in alike(many, many) if pair[0] < pair[1]] == []
