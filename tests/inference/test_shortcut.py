"""Where an answer comes from: pictures with a part blanked, and the verdict."""

from pathlib import Path

import numpy as np
import pytest

from napari_covidseg.inference import job, run
from napari_covidseg.inference.shortcut import Blanked, blank, spread
from napari_covidseg.inference.window import AIR_LEVEL, TISSUE_LEVEL
from napari_covidseg.segmentation import Shortcut
from napari_covidseg.study import Modality
from tests.inference.conftest import write_tiny
from tests.inference.test_run import DarkIsLung, chest


def test_what_is_blanked_is_gone_and_the_rest_is_untouched() -> None:
    picture = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    lungs = np.zeros((8, 8), np.float32)
    lungs[2:6, 1:4], lungs[2:6, 4] = 1, 0.25
    without = blank(picture, lungs, Blanked.LUNGS, Modality.CT)
    alone = blank(picture, lungs, Blanked.REST, Modality.CT)
    assert np.allclose(without[lungs == 1], AIR_LEVEL)
    assert np.array_equal(without[lungs == 0], picture[lungs == 0])
    assert np.allclose(alone[lungs == 0], TISSUE_LEVEL)
    assert np.allclose(alone[lungs == 1], picture[lungs == 1])
    # an edge that is a quarter lung keeps three quarters, or one
    edge = picture[2:6, 4]
    assert np.allclose(without[2:6, 4], 0.75 * edge + 0.25 * AIR_LEVEL)
    assert np.allclose(alone[2:6, 4], 0.25 * edge + 0.75 * TISSUE_LEVEL)
    assert without.dtype == alone.dtype == np.float32


@pytest.mark.parametrize(
    ("shown", "lungs_blanked", "lungs_only", "expected"),
    [
        (0.9, 0.1, 0.8, True),  # goes with the lungs, stays with them
        (0.9, 0.7, 0.8, False),  # needs no lungs
        (0.9, 0.1, 0.2, False),  # the lungs alone say no
        (0.1, 0.1, 0.2, True),  # nothing ill, with or without lungs
        (0.1, 0.1, 0.8, False),  # ill lungs, overruled by what lies round them
        (0.47, 0.2, 0.52, True),  # nearly the same answer, on both sides of the threshold
        (0.5, 0.4, 0.5, True),  # the threshold itself is positive
    ],
)
def test_the_verdict(shown: float, lungs_blanked: float, lungs_only: float, expected: bool) -> None:
    result = Shortcut(shown, lungs_blanked, lungs_only, threshold=0.5)
    assert result.from_lungs is expected
    assert ("Do not trust" in result.words) is not expected
    assert f"{lungs_blanked:.2f} with the lungs blanked" in result.words


def test_slices_are_spread_over_the_whole_scan() -> None:
    assert spread(5).tolist() == [0, 1, 2, 3, 4]
    assert spread(1).tolist() == [0]
    some = spread(100, 5)
    assert some.tolist() == [0, 25, 50, 74, 99]


def _classifier(folder: Path) -> None:
    write_tiny(folder, "ct-lungs")
    write_tiny(
        folder,
        "guess",
        task="classification",
        role="classification",
        scheme=None,
        finding="COVID-19",
        input={"values": "ct", "frame": "lungs", "size": 64, "lungs": True},
        architecture="feature_classifier",
        config={"channels": 2},
    )


def _run_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: object) -> object:
    """Classify a chest with lungs as `DarkIsLung` sees them, by a made-up network."""
    _classifier(tmp_path)
    monkeypatch.setattr(
        job,
        "loaded",
        lambda folder, *_: answer if folder.name == "guess" else DarkIsLung(),
    )
    return run(chest(), ["guess"], model_dirs=[tmp_path]).classifications[0]


def test_an_answer_from_the_lungs_is_told_from_one_from_their_surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_lungs(pictures: np.ndarray) -> np.ndarray:
        lungs = pictures[..., 1] == 1  # with a bright edge, where they are drawn too large
        inside = np.where(lungs, pictures[..., 0], 0.0)
        return np.where(inside.max(axis=(1, 2)) > 0.3, 4.0, -4.0)[:, None]

    def from_rest(pictures: np.ndarray) -> np.ndarray:
        outside = np.where(pictures[..., 1] == 0, pictures[..., 0], 1.0)
        return np.where(outside.min(axis=(1, 2)) < 0.1, 4.0, -4.0)[:, None]

    honest = _run_with(monkeypatch, tmp_path / "a", from_lungs)
    assert honest.positive and honest.shortcut.from_lungs
    assert honest.shortcut.lungs_only > 0.9 > 0.1 > honest.shortcut.lungs_blanked
    cheated = _run_with(monkeypatch, tmp_path / "b", from_rest)
    assert cheated.positive and not cheated.shortcut.from_lungs
    assert cheated.shortcut.lungs_blanked > 0.9 > 0.1 > cheated.shortcut.lungs_only
    assert any("does not come from the lungs" in note for note in cheated.notes)
    assert not any("does not come from the lungs" in note for note in honest.notes)


def test_without_lungs_there_is_nothing_to_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _classifier(tmp_path)
    nothing = lambda pictures: np.zeros((*pictures.shape[:3], 2), np.uint8)  # noqa: E731
    certain = lambda pictures: np.full((len(pictures), 1), 3.0)  # noqa: E731
    monkeypatch.setattr(
        job, "loaded", lambda folder, *_: certain if folder.name == "guess" else nothing
    )
    (answer,) = run(chest(), ["guess"], model_dirs=[tmp_path]).classifications
    assert answer.shortcut is None
    assert "No lung was found" in answer.notes[0]
