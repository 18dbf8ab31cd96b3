"""What pixels alone tell."""

from __future__ import annotations

import numpy as np
import pytest

from napari_covidseg import io, values
from napari_covidseg.study import Modality


def test_hu_are_told_from_stored_values_and_from_pictures(chest):
    assert values.looks_like_hu(chest)
    assert values.looks_like_hu(chest.astype(np.float32))
    assert not values.looks_like_hu((chest + 1024).astype(np.uint16))
    assert values.looks_like_stored_ct((chest + 1024).astype(np.uint16))
    assert not values.looks_like_stored_ct(chest)
    picture = np.clip((chest + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
    assert not values.looks_like_hu(picture)
    assert not values.looks_like_stored_ct(picture)


def test_no_contrast_no_guess():
    assert values.guess_modality(np.zeros((64, 64), np.uint8), False) is None
    assert values.guess_modality(np.ones((1, 1), np.uint8), False) is None


def test_the_guess_does_not_depend_on_the_scale_of_values(chest):
    picture = np.clip((chest[5].astype(float) + 1350) / 1500, 0, 1)
    first = values.ct_likelihood((picture * 255).astype(np.uint8))
    second = values.ct_likelihood((picture * 60000).astype(np.uint16))
    assert first == pytest.approx(second, abs=0.02)


def test_finite_range_passes_over_what_is_no_number():
    array = np.array([[np.nan, 3], [-np.inf, 5]], np.float32)
    assert values.finite_range(array) == (3, 5)
    assert values.nonfinite_share(array) == 0.5


SETS = {
    "ct_classification/sarscov2_ctscan_soares/*/*": Modality.CT,
    "ct_classification/covid_ct_ucsd/*/*.[pj]*": Modality.CT,
    "ct_infection/images/*": Modality.CT,
    "ct_lungs_slices/*/images/*": Modality.CT,
    "ct_covid_mosmed/images/*": Modality.CT,
    "xray_shenzhen/images/*": Modality.XR,
    "xray_ggo/images/*": Modality.XR,
    "xray_lungs_covid/images/*": Modality.XR,
    "xray_infection_covid/images/*": Modality.XR,
}


@pytest.mark.shared
@pytest.mark.parametrize("pattern", SETS)
def test_real_pictures_are_told_apart(shared_data, pattern):
    files = sorted(shared_data.glob(pattern))
    if not files:
        pytest.skip("this set is not there")
    files = files[:: max(1, len(files) // 25)]
    right = [io.read(f).modality is SETS[pattern] for f in files]
    assert np.mean(right) > 0.9
