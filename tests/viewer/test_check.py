import numpy as np
import pytest

from napari_covidseg.labels import LUNGS
from napari_covidseg.phantom import ct
from napari_covidseg.segmentation import Classification, ModelRef, Outcome, Segmentation
from napari_covidseg.study import Grid, Modality, Note, from_array
from napari_covidseg.viewer.check import (
    Answers,
    Check,
    look,
    onto_layer,
    same_image,
    with_answers,
)

MODEL = ModelRef("m", "1")


@pytest.fixture
def study():
    """A study whose display order is not the file's, slices unevenly far apart."""
    native = np.random.default_rng(0).integers(-1000, 100, (4, 40, 48)).astype(np.int16)
    affine = np.diag([0.8, 0.7, -2.0, 1.0])
    grid = Grid.from_affine(native.shape, affine)
    made = from_array(
        np.ascontiguousarray(grid.to_display(native)),
        affine=grid.display_affine(),
        modality=Modality.CT,
        is_hu=True,
        notes=(Note("uneven-slices", {"gaps": (2.0, 2.0, 4.0)}),),
    )
    return made.replace(grid=grid)


def outcome(study):
    labels = (study.array > -300).astype(np.uint8)
    slices = tuple((z, float(study.array[z, 0, 0])) for z in range(len(study.array)))
    return Outcome(
        (Segmentation(labels, LUNGS, MODEL, 0.5, 0.9),),
        (Classification(MODEL, "COVID-19", 0.5, 0.5, slices),),
    )


@pytest.mark.parametrize(
    "fixes",
    [
        (),
        ("flip-horizontal",),
        ("rotate-90",),
        ("rotate-270", "flip-vertical"),
        ("even-slices",),
        ("even-slices", "flip-horizontal"),
    ],
)
def test_a_mask_of_the_fixed_image_lands_on_the_pixels_it_was_made_of(study, fixes):
    fixed = with_answers(study, Answers(fixes=fixes))
    made = onto_layer(outcome(fixed), Check(study, fixed, ()))
    expected = study.array > -300
    np.testing.assert_array_equal(made.segmentations[0].labels, expected)


def test_slice_probabilities_go_with_their_slices(study):
    fixed = with_answers(study, Answers(fixes=("flip-feet-head",)))
    made = onto_layer(outcome(fixed), Check(study, fixed, ()))
    assert made.classifications[0].slices == outcome(study).classifications[0].slices


def test_a_fix_that_no_longer_fits_is_left_out_and_the_others_are_done(viewer, add_scan):
    checked = look(add_scan(viewer), Answers(fixes=("rescale", "flip-horizontal")))
    assert list(checked.skipped) == ["rescale"]
    assert "nothing to rescale" in checked.skipped["rescale"]
    np.testing.assert_array_equal(checked.study.array, checked.detected.array[..., ::-1])
    assert checked.stop is None


def test_trouble_with_an_answer_stops_a_run_and_leaves_a_way_back(viewer, add_scan, monkeypatch):
    def broken(study):
        raise ValueError("secret PATIENT NAME")

    monkeypatch.setattr("napari_covidseg.doctor.examine", broken)
    checked = look(add_scan(viewer), Answers(fixes=("invert",)))
    assert "fault of ours (ValueError)" in checked.stop.what
    assert "Take back" in checked.stop.fix
    assert checked.study is checked.detected and list(checked.skipped) == ["invert"]


def test_stored_numbers_with_nan_are_rescaled(study):
    stored = study.array.astype(np.float32) + 1024
    stored[0, 0, :2] = np.nan, np.inf
    fixed = with_answers(study.replace(array=stored, is_hu=False), Answers(fixes=("rescale",)))
    assert fixed.is_hu
    np.testing.assert_array_equal(fixed.array[1:], study.array[1:])
    assert np.isnan(fixed.array[0, 0, 0]) and np.isinf(fixed.array[0, 0, 1])


def test_a_spacing_of_another_number_of_axes_is_left_out(study):
    given = with_answers(study.replace(spacing_known=False), Answers(spacing=(0.4, 0.3)))
    assert given.spacing == study.spacing and not given.spacing_known


def test_two_studies_show_a_model_the_same_or_not(study):
    again = study.replace(array=study.array.copy(), affine=study.affine.copy())
    assert same_image(study, again)
    for answers in (
        Answers(modality=Modality.XR),
        Answers(is_hu=False),
        Answers(spacing=(5.0, 0.5, 0.5)),
        Answers(fixes=("flip-horizontal",)),
        Answers(fixes=("even-slices",)),
    ):
        assert not same_image(study, with_answers(study, answers))
    nan = study.replace(array=np.full(study.array.shape, np.nan, np.float32))
    assert same_image(nan, nan.replace(array=nan.array.copy()))


def test_a_given_spacing_is_that_of_the_study(study):
    unknown = study.replace(spacing_known=False, notes=(Note("spacing-unknown"),))
    given = with_answers(unknown, Answers(spacing=(5.0, 0.5, 0.5)))
    assert given.spacing == pytest.approx((5.0, 0.5, 0.5))
    assert given.spacing_known and given.notes == ()
    flat = from_array(np.zeros((8, 8)))
    assert with_answers(flat, Answers(spacing=(0.4, 0.3))).spacing == pytest.approx((0.4, 0.3))


def test_a_finding_that_was_answered_is_not_asked_again(viewer):
    chest = ct((3, 64, 64)).study.array[1]
    picture = np.clip((chest.astype(int) + 1350) // 6, 0, 255).astype(np.uint8)
    layer = viewer.add_image(picture)

    def codes(**answers):
        return {f.code for f in look(layer, Answers(**answers)).findings}

    asked = {"orientation-unknown", "modality-guessed"}
    assert asked <= codes()
    assert codes(modality=Modality.CT) & asked == {"orientation-unknown"}
    assert codes(fixes=("flip-horizontal",)) & asked == {"modality-guessed"}
    assert "modality-guessed" in codes(modality=Modality.XR)  # what the pixels doubt


def test_it_is_xray_is_the_answer_that_the_choice_of_modality_gives(viewer, add_scan):
    answers = Answers().fixed("set-xray")
    assert answers == Answers(modality=Modality.XR)
    study = look(add_scan(viewer), answers).study
    assert study.modality is Modality.XR and not study.is_hu
