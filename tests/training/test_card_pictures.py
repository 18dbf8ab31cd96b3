"""Pictures of cards: reliability, and a segmentation at its worst on the phantom."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from napari_covidseg import phantom
from napari_covidseg.inference.registry import read_model
from napari_covidseg.labels import INFECTION, LUNGS, OPACITY
from napari_covidseg.segmentation import ModelRef, Outcome, Segmentation
from napari_covidseg.study import Modality, from_array
from napari_covidseg.training import card_pictures, phantom_strip, reliability_plot
from napari_covidseg.training.card_pictures import Pictures
from napari_covidseg.training.phantom_strip import SIDE, PhantomCase, Worst
from napari_covidseg.training.strips import GAP
from tests.inference.conftest import write_tiny

BINS = [{"predicted": 0.1, "observed": 0.2, "n": 30}, {"predicted": 0.9, "observed": 0.7, "n": 31}]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny lung model."""
    return write_tiny(tmp_path_factory.mktemp("tiny"))


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def square(low: int, high: int) -> np.ndarray:
    mask = np.zeros((40, 40), np.uint8)
    mask[low:high, low:high] = 1
    return mask


def cases() -> list[PhantomCase]:
    study = from_array(np.full((40, 40), -800, np.int16), modality=Modality.CT, is_hu=True)
    return [
        PhantomCase(f"case {k}", study, square(10, 30), 2 * square(10, 20 - 4 * k))
        for k in range(2)
    ]


def test_a_plot_is_light_small_and_the_same_again() -> None:
    png = reliability_plot.png({"films": BINS, "others": BINS[:1]})
    assert png == reliability_plot.png({"films": BINS, "others": BINS[:1]}) and len(png) < 40_000
    picture = decoded(png)
    assert (picture[0, 0] == 255).all() and picture.mean() > 200


def test_the_panels_are_picture_truth_answer_and_differences() -> None:
    truth, labels = square(0, 20), square(10, 30)
    study = from_array(np.full((40, 40), -1000, np.int16), modality=Modality.CT, is_hu=True)
    picture = decoded(phantom_strip.png(study, truth, labels, LUNGS))
    assert picture.shape == (SIDE, 4 * SIDE + 3 * GAP, 3)
    grey, first, second, off = (
        picture[:, k * (SIDE + GAP) : k * (SIDE + GAP) + SIDE].astype(int) for k in range(4)
    )
    at = [SIDE // 8, 3 * SIDE // 8, 5 * SIDE // 8, 7 * SIDE // 8]  # missed, right, too much, none
    marked = lambda panel: [(panel[y, y] != grey[y, y]).any() for y in at]  # noqa: E731
    assert marked(first) == [True, True, False, False]
    assert marked(second) == [False, True, True, False]
    assert marked(off) == [True, False, True, False]
    missed, much = off[at[0], at[0]], off[at[2], at[2]]
    assert missed[0] > missed[2] and much[2] > much[0]


@pytest.mark.parametrize(
    ("role", "scheme", "dice", "name"),
    [("lungs", LUNGS, 2 * 100 / 500, "case 0"), ("infection", INFECTION, 72 / 136, "case 1")],
)
def test_the_case_with_the_lowest_dice_is_drawn(
    monkeypatch: pytest.MonkeyPatch, tiny: Path, role: str, scheme: object, dice: float,
    name: str,
) -> None:  # fmt: skip
    answer = Outcome((Segmentation(square(10, 20), scheme, ModelRef("m", "1"), 0.5, 1.0),))
    monkeypatch.setattr(phantom_strip, "run", lambda *_, **__: answer)
    monkeypatch.setattr(phantom_strip, "phantom_cases", lambda _: cases())
    info = read_model(tiny)
    changed = info.spec.model_copy(update={"role": role, "scheme": scheme.key})
    worst = phantom_strip.worst(type(info)(changed, info.folder))
    assert (worst.name, worst.of) == (name, 2)
    assert worst.dice == pytest.approx(dice)


def test_all_lesions_are_one_label_where_the_scheme_has_one(
    monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    drawn = []
    answer = Outcome((Segmentation(square(0, 4), OPACITY, ModelRef("m", "1"), 0.5, 1.0),))
    monkeypatch.setattr(phantom_strip, "run", lambda *_, **__: answer)
    monkeypatch.setattr(phantom_strip, "phantom_cases", lambda _: cases())
    monkeypatch.setattr(phantom_strip, "png", lambda *given: drawn.append(given) or b"")
    info = read_model(tiny)
    changed = info.spec.model_copy(update={"role": "infection", "scheme": "opacity"})
    phantom_strip.worst(type(info)(changed, info.folder))
    assert drawn[0][1].max() == 1


def test_a_model_is_run_on_the_phantom(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    small = phantom.ct((8, 64, 64))
    monkeypatch.setattr(phantom, "ct", lambda seed: small)
    phantom_strip.phantom_cases.cache_clear()
    try:
        pictures = Pictures.of(read_model(tiny), {"figures": []})
    finally:
        phantom_strip.phantom_cases.cache_clear()
    assert pictures.plot is None and pictures.worst is not None
    assert pictures.worst.name in [f"phantom.ct(seed=0), slice {z}" for z in (2, 3, 4, 5, 6)]
    said = " ".join(pictures.on_the_phantom())
    assert f"Dice {pictures.worst.dice:.3f}: of 5 pictures" in said


def test_a_picture_that_is_no_longer_shown_goes(tmp_path: Path) -> None:
    Pictures(b"plot", Worst("case", 0.5, 3, b"strip")).write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(card_pictures.FILES)
    Pictures(b"plot").write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["reliability.png"]


def test_without_matplotlib_there_is_no_plot(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    def missing(_: object) -> bytes:
        raise ImportError("No module named 'matplotlib'")

    monkeypatch.setattr(reliability_plot, "png", missing)
    info = read_model(tiny)
    classifier = type(info)(info.spec.model_copy(update={"task": "classification"}), info.folder)
    pictures = Pictures.of(classifier, {"figures": [], "reliability": {"films": BINS}})
    assert pictures.plot is None and pictures.reliability() == []
