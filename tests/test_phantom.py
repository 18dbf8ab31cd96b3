"""The phantom has the known truth and the looks that it promises."""

import numpy as np
import pytest

from napari_covidseg import phantom
from napari_covidseg.study import Modality

SMALL = (48, 128, 128)


@pytest.fixture(scope="module")
def ct():
    return phantom.ct(SMALL, seed=3)


@pytest.fixture(scope="module")
def films():
    """With and without lesions, shone through a coarse chest: fine rays take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "_XR_BASE", (128, 64, 128))
        return [phantom.xray((256, 256), seed=3, healthy=h) for h in (False, True)]


@pytest.fixture
def film(films):
    return films[0]


def test_ct_is_a_scan_in_hounsfield_units(ct):
    study = ct.study
    assert study.array.dtype == np.int16
    assert study.array.shape == ct.lungs.shape == ct.infection.shape == SMALL
    assert study.modality is Modality.CT
    assert study.is_hu
    assert study.spacing_known
    assert study.orientation_known
    assert study.spacing == pytest.approx((6.25, 2.96875, 2.96875))
    assert -1024 <= study.array.min() < -900
    assert study.array.max() > 300


def test_right_lung_lies_on_the_right_of_the_patient(ct):
    for value, sign in ((1, 1), (2, -1)):
        middle = np.argwhere(ct.lungs == value).mean(axis=0)
        right = (ct.study.affine @ (*middle, 1))[0]
        assert np.sign(right) == sign


def test_lungs_have_the_size_and_density_of_lungs(ct):
    litres = [(ct.lungs == v).sum() * ct.study.voxel_ml / 1000 for v in (1, 2)]
    assert all(1.5 < v < 3.5 for v in litres)
    assert litres[0] > litres[1]
    healthy = (ct.lungs > 0) & (ct.infection == 0)
    assert -870 < np.median(ct.study.array[healthy]) < -780


def test_the_back_of_the_lung_is_denser_than_the_front():
    healthy = phantom.ct(SMALL, seed=3, healthy=True)
    _, y, _ = np.nonzero(healthy.lungs)
    values = healthy.study.array[healthy.lungs > 0]
    front, back = np.quantile(y, (0.2, 0.8))
    assert np.median(values[y > back]) > np.median(values[y < front]) + 20


def test_lesions_lie_in_both_lungs_at_their_densities(ct):
    assert not (ct.infection[ct.lungs == 0]).any()
    assert {*np.unique(ct.lungs[ct.infection > 0])} == {1, 2}
    assert -650 < np.median(ct.study.array[ct.infection == 1]) < -450
    assert -100 < np.median(ct.study.array[ct.infection == 2]) < 50
    share = (ct.infection > 0).sum() / (ct.lungs > 0).sum()
    assert 0.02 < share < 0.3


def test_the_same_seed_gives_the_same_scan():
    one, two = (phantom.ct((24, 64, 64), seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.study.array, two.study.array)
    np.testing.assert_array_equal(one.infection, two.infection)
    other = phantom.ct((24, 64, 64), seed=6)
    assert (other.infection != one.infection).any()


def test_a_healthy_chest_has_no_lesion():
    assert not phantom.ct((24, 64, 64), healthy=True).infection.any()


def test_a_finer_grid_has_the_same_chest(monkeypatch, ct):
    monkeypatch.setattr(phantom, "_CT_BASE", SMALL)
    fine = phantom.ct((60, 192, 192), seed=3)
    for value in (1, 2):
        ml = [(p.lungs == value).sum() * p.study.voxel_ml for p in (ct, fine)]
        assert ml[0] == pytest.approx(ml[1], rel=0.05)


def test_film_shows_dark_lungs_in_the_right_halves(film):
    image = film.study.array
    assert image.dtype == np.uint8
    assert film.study.modality is Modality.XR
    right, left = (np.argwhere(film.lungs == v).mean(axis=0) for v in (1, 2))
    assert right[1] < 128 < left[1]
    body = image[100:200, 30:226]
    assert np.median(image[film.lungs > 0]) < np.median(body)


def test_opacities_are_brighter_than_the_lung_around(films):
    film, clean = films
    assert set(np.unique(film.infection)) == {0, 1}
    there = film.infection > 0
    brighter = film.study.array[there].astype(int) - clean.study.array[there]
    assert np.median(brighter) > 8
    assert not film.infection[film.lungs == 0].any()
