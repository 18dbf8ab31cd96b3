"""What a model finds, case by case: overlaps, borders, sides, and two readers."""

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.labels import SCHEMES
from napari_covidseg.measure.agreement import Counts
from napari_covidseg.segmentation import Classification, ModelRef, Outcome, Segmentation, Shortcut
from napari_covidseg.training import evaluate
from napari_covidseg.training.answers import Wrong
from napari_covidseg.training.figures import Figure
from napari_covidseg.training.found import Found, Summary
from napari_covidseg.training.readers import Reading
from napari_covidseg.training.sources import NOT_TOLD, Item
from napari_covidseg.training.sources.item import display, display_spacing
from napari_covidseg.training.sources.own import label_values

MODEL = ModelRef("m", "1.0.0")
INFO = SimpleNamespace(reference="m@1.0.0", threshold=0.5)
RIGHT, LEFT = np.s_[4:16, 2:8], np.s_[4:16, 12:18]


def lungs(right: int = 1, left: int = 2) -> np.ndarray:
    labels = np.zeros((20, 20), np.uint8)
    labels[RIGHT], labels[LEFT] = right, left
    return labels


def item(labels: np.ndarray | int, **more: object) -> Item:
    shape = (20, 20)
    frame = whole_frame(shape)
    fields = {"set": "s", "group": "p", "name": "n", **more}
    return Item(
        picture=np.zeros(shape, np.uint8), labels=labels, window=Window(0, 1), body=frame, **fields
    )


def found(
    monkeypatch: pytest.MonkeyPatch, items: list[Item], answer: object, **recipe: object
) -> Found:
    """What is found if a model gives this answer for every case."""
    monkeypatch.setattr(evaluate, "run", lambda *_, **__: answer)
    fields = {"modality": "CT", "task": "segmentation", "scheme": "lungs", **recipe}
    return evaluate._find(items, SimpleNamespace(**fields), INFO, ())


def drawn(labels: np.ndarray, scheme: str = "lungs") -> Outcome:
    return Outcome((Segmentation(labels, SCHEMES[scheme], MODEL, 0.5, 1.0),))


def told(one: Found) -> dict[tuple[str, str], Figure]:
    return {(f.measure, f.label): f for f in one.figures()}


def test_swapped_sides_show_where_dice_of_both_together_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swapped = told(found(monkeypatch, [item(lungs())], drawn(lungs(2, 1))))
    assert swapped["Dice", "any"].mean == 1 and swapped["Dice", "left lung"].mean == 0
    assert swapped["right and left swapped", "any"].mean == 1
    right = told(found(monkeypatch, [item(lungs())], drawn(lungs())))
    assert right["right and left swapped", "any"].mean == 0
    one_side = found(monkeypatch, [item(lungs(left=0))], drawn(lungs()))
    assert ("right and left swapped", "any") not in told(one_side)


def test_a_border_on_a_picture_is_told_in_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = np.roll(lungs(), 3, axis=0)
    figure = told(found(monkeypatch, [item(lungs())], drawn(moved)))["HD95 in pixels", "any"]
    assert figure.mean == pytest.approx(3, abs=0.01)
    missed = told(found(monkeypatch, [item(lungs())], drawn(0 * lungs())))
    assert missed["HD95 in pixels", "any"].mean == pytest.approx(np.hypot(20, 20))


def test_a_border_of_a_volume_is_told_in_mm_where_they_are_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = np.stack([lungs()] * 4)
    moved = np.roll(truth, 2, axis=1)

    def figures(**more: object) -> set[str]:
        slices = [item(t, volume="v", name=f"v{k}", **more) for k, t in enumerate(truth)]
        return {m: f.mean for (m, _), f in told(found(monkeypatch, slices, drawn(moved))).items()}

    assert figures(spacing=(5.0, 3.0, 3.0))["HD95 in mm"] == pytest.approx(6)
    assert not any("HD95" in measure for measure in figures())


def test_a_truth_that_leaves_parts_open_has_no_border(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = lungs()
    labels[:2] = NOT_TOLD
    assert not any("HD95" in m for m, _ in told(found(monkeypatch, [item(labels)], drawn(lungs()))))


@pytest.mark.parametrize("scheme", ["lungs", "infection", "opacity", "any-opacity"])
def test_what_a_mask_leaves_open_counts_nowhere(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[:8] = 1
    truth[12:] = label_values(SCHEMES[scheme])["not told"]
    answer = drawn((truth == 1).astype(np.uint8), scheme)
    assert told(found(monkeypatch, [item(truth)], answer, scheme=scheme))["Dice", "any"].mean == 1


def test_the_spacing_is_that_of_the_axes_as_displayed(tmp_path: Path) -> None:
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = -5.0, 0.7, 0.8, 1  # axes I, R, A
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 6), np.uint8), affine), tmp_path / "a.nii.gz")
    assert display(tmp_path / "a.nii.gz").shape == (3, 6, 4)
    assert display_spacing(tmp_path / "a.nii.gz") == pytest.approx((5.0, 0.8, 0.7))


def test_two_readers_are_compared_on_the_coarser_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    first = np.zeros((2, 20, 20), np.uint8)
    first[0, :8, :8] = 3  # 16 pixels of the second reader
    second = np.zeros((2, 10, 10), np.uint8)
    second[0, :4, :2] = 1
    model = np.zeros_like(first)
    model[0, :8, :4] = 1
    model[0, 9, 9] = 1  # a quarter of a coarse pixel is none
    slices = [
        item(t, volume="v", name=f"v{k}", second=s)
        for k, (t, s) in enumerate(zip(first, second, strict=True))
    ]
    one = found(monkeypatch, slices, drawn(model, "infection"), scheme="infection")
    two_thirds = pytest.approx(2 * 8 / 24)
    assert one.readings == [Reading("v", two_thirds, 1.0, two_thirds, 16)]
    assert Summary.of([one]).readings == {"s": one.readings}


def test_an_answer_is_kept_with_its_shortcut_test(monkeypatch: pytest.MonkeyPatch) -> None:
    shortcut = Shortcut(0.7, 0.2, 0.6, 0.5)
    said = Classification(MODEL, "x", 0.7, 0.65, ((0, 0.7),), shortcut=shortcut)
    answer = Outcome((), (said,))
    items = [item(1), item(0, name="other")]
    one = found(monkeypatch, items, answer, task="classification", scheme=None)
    assert [(a.truth, a.probability, a.positive) for a in one.answers] == [
        (1, 0.7, True),
        (0, 0.7, True),
    ]
    assert one.answers[0].shortcut is shortcut
    summary = Summary.of([one])
    assert [b.n for b in summary.reliability["s"]] == [2]
    assert summary.wrong == {"s": [Wrong("other", 0, 0.7)]}
    assert any(f.measure == "AUC, lungs blanked" for f in summary.figures)


def test_cases_of_several_models_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (found(monkeypatch, [item(lungs())], drawn(d)) for d in (lungs(), lungs(2, 1)))
    one.add(other)
    figures = told(one)
    assert (figures["Dice", "right lung"].n, figures["Dice", "right lung"].mean) == (2, 0.5)
    assert figures["right and left swapped", "any"].mean == 0.5
    assert figures["HD95 in pixels", "any"].n == 2


def test_pooled_dice_counts_what_is_marked_on_pictures_without_any() -> None:
    pairs = [("p", Counts(60, 20, 20)), ("q", Counts(0, 40, 0)), ("r", Counts())]
    figures = told(Found("s", "picture", {"any": pairs}, small=True))
    assert figures["Dice, pixels pooled", "any"].mean == pytest.approx(120 / 200)
    assert figures["Dice, pixels pooled", "any"].n == 3
    assert figures["Dice", "any"].mean == pytest.approx((0.75 + 0) / 2)
    assert ("Dice, pixels pooled", "any") not in told(Found("s", "picture", {"any": pairs}))
    assert ("Dice, pixels pooled", "any") not in told(Found("s", "volume", {"any": pairs}))
