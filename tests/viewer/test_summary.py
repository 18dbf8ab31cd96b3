from dataclasses import replace

import numpy as np
import pytest

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.labels import INFECTION, LUNGS, OPACITY
from napari_covidseg.segmentation import Classification, ModelRef, Outcome, Segmentation
from napari_covidseg.study import Modality, from_array
from napari_covidseg.viewer.summary import (
    as_text,
    highest_slice,
    measured_again,
    probability_words,
    slice_words,
    summarise,
    sure_words,
    table,
)

MODEL = ModelRef("m", "1")


def made(labels, scheme, certainty=0.9):
    return Segmentation(labels.astype(np.uint8), scheme, MODEL, 0.5, certainty)


@pytest.fixture
def volume():
    return from_array(
        np.full((10, 10, 20), -800, np.int16),
        spacing=(10.0, 10.0, 10.0),
        modality=Modality.CT,
        is_hu=True,
    )


def test_volumes_and_shares_by_side(volume):
    lungs = np.ones(volume.array.shape)
    lungs[..., 10:] = 2
    infection = np.zeros(volume.array.shape)
    infection[0, :, :2], infection[0, :, 10:11] = 1, 2
    summary = summarise(volume, Outcome((made(lungs, LUNGS), made(infection, INFECTION))))
    assert table(summary.measurement) == [
        ("", "Right", "Left", "Both"),
        ("Lung, mL", "1,000", "1,000", "2,000"),
        ("Infection, mL", "20.0", "10.0", "30.0"),
        ("Infection, % of lung", "2.0", "1.0", "1.5"),
        ("Ground glass, %", "2.0", "0.0", "1.0"),
        ("Consolidation, %", "0.0", "1.0", "0.5"),
    ]
    text = as_text(summary)
    assert "Ground glass, mL\t20.0\t0.0\t20.0" in text
    assert text.endswith(RESEARCH_ONLY)


def test_without_spacing_nothing_is_in_ml(volume):
    study = volume.replace(spacing_known=False)
    summary = summarise(study, Outcome((made(np.ones(study.array.shape), LUNGS),)))
    assert table(summary.measurement)[1] == ("Lung, px", "2,000", "0", "2,000")
    assert any("how large a pixel is" in note for note in summary.notes)


def test_a_film_with_one_kind_of_opacity_and_no_lungs():
    film = from_array(np.zeros((10, 10), np.uint8), spacing=(10.0, 10.0), modality=Modality.XR)
    summary = summarise(film, Outcome((made(np.ones((10, 10)), OPACITY),)))
    assert table(summary.measurement) == [("", "Image"), ("Ground glass, cm²", "100")]


def test_nothing_marked_has_no_number_of_how_sure(volume):
    empty = made(np.zeros(volume.array.shape), LUNGS, float("nan"))
    assert sure_words(summarise(volume, Outcome((empty,)))) == ""


def test_measuring_again_keeps_what_speaks_against_a_probability(volume):
    warning = "Do not trust this answer: it does not come from the lungs (0.90 as shown)."
    answer = Classification(MODEL, "COVID-19", 0.9, 0.5, ((0, 0.9),), (warning,))
    lungs = made(np.ones(volume.array.shape), LUNGS)
    outcome = Outcome((replace(lungs, notes=("Said of a mask that was changed.",)),), (answer,))
    old = summarise(volume.replace(spacing_known=False), outcome)
    new = measured_again(old, old.measurement, ["lungs - scan", "infection - scan"])
    assert new.classifications == (answer,)
    assert new.notes == (
        warning,
        "Measured as they are now: lungs - scan, infection - scan.",
        *old.measurement.notes,
    )
    assert warning in as_text(new) and old.measurement.notes


def test_probabilities_of_scan_and_slice():
    result = Classification(MODEL, "COVID-19", 0.3, 0.6, ((2, 0.1), (5, 0.7)))
    assert probability_words(result) == (
        "COVID-19: probability 0.30 for the scan, below the threshold 0.60."
    )
    assert slice_words(result, 5) == "This slice (5): 0.70."
    assert slice_words(result, 3) == "This slice (3): too little lung to tell."
    assert highest_slice(result) == 5
    single = Classification(MODEL, "COVID-19", 0.3, 0.6, ((0, 0.3),))
    assert probability_words(single).startswith("COVID-19: probability 0.30 for the image, ")
    assert slice_words(single, 0) == "" and highest_slice(single) is None
