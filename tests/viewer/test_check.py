import numpy as np
import pytest

from napari_covidseg.labels import LUNGS
from napari_covidseg.segmentation import Classification, ModelRef, Outcome, Segmentation
from napari_covidseg.study import Grid, Modality, Note, from_array
from napari_covidseg.viewer.check import Answers, Check, onto_layer, with_answers

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


def test_a_given_spacing_is_that_of_the_study(study):
    unknown = study.replace(spacing_known=False, notes=(Note("spacing-unknown"),))
    given = with_answers(unknown, Answers(spacing=(5.0, 0.5, 0.5)))
    assert given.spacing == pytest.approx((5.0, 0.5, 0.5))
    assert given.spacing_known and given.notes == ()
    flat = from_array(np.zeros((8, 8)))
    assert with_answers(flat, Answers(spacing=(0.4, 0.3))).spacing == pytest.approx((0.4, 0.3))
