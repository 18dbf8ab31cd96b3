"""A study's two grids: the file's and the one people see."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_covidseg.study import (
    CovidsegError,
    Grid,
    Source,
    check_affine,
    from_array,
    pseudonym,
)

ORDERS = [
    "".join(signs[i] for i in order)
    for order in itertools.permutations(range(3))
    for signs in itertools.product("LR", "AP", "IS")
]


@pytest.mark.parametrize("axcodes", ORDERS)
def test_every_order_and_flip_comes_back(axcodes):
    ornt = nib.orientations.axcodes2ornt(axcodes)
    affine = nib.orientations.inv_ornt_aff(ornt, (5, 6, 7)) @ np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] += (10, -20, 30)
    native = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    grid = Grid.from_affine(native.shape, affine)
    display = grid.to_display(native)
    assert np.shares_memory(display, native)
    np.testing.assert_array_equal(grid.to_native(display), native)
    shown = grid.display_affine()
    assert nib.aff2axcodes(shown) == ("S", "P", "L")
    for k, j, i in [(0, 0, 0), (4, 0, 6), (1, 5, 3)]:
        world = affine @ (i, j, k, 1)
        z, y, x = np.rint(np.linalg.inv(shown) @ world)[:3].astype(int)
        assert display[z, y, x] == native[k, j, i]


def test_an_array_with_spacing_is_axial_feet_first():
    study = from_array(np.zeros((4, 5, 6), np.int16), spacing=(5.0, 0.8, 0.7))
    assert study.spacing == pytest.approx((5.0, 0.8, 0.7))
    assert study.voxel_ml == pytest.approx(5 * 0.8 * 0.7 / 1000)
    assert nib.aff2axcodes(study.affine) == ("S", "P", "L")
    assert not study.orientation_known
    assert not study.is_oblique


def test_unknown_spacing_gives_no_volume():
    assert from_array(np.zeros((4, 5, 6))).voxel_ml is None
    assert from_array(np.zeros((5, 6)), spacing=(1, 1)).voxel_ml is None


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((2, 3, 4, 5))])
def test_other_than_2_or_3_axes_are_refused(array):
    with pytest.raises(CovidsegError, match="axes"):
        from_array(array)


@pytest.mark.parametrize(
    "affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3), np.diag([1.0, 0, 1, 1])]
)
def test_an_affine_that_places_nothing_is_refused(affine):
    with pytest.raises(CovidsegError, match="affine"):
        check_affine(affine)


def test_a_pseudonym_tells_studies_apart_and_names_nobody():
    assert pseudonym("Secret^Person") == pseudonym("Secret^Person")
    assert pseudonym("Secret^Person") != pseudonym("Other^Person")
    assert "Secret" not in pseudonym("Secret^Person")
    assert pseudonym("sc\udcffan").startswith("case-")  # a file name that is not UTF-8


def test_a_printed_study_does_not_name_its_file():
    named = from_array(np.zeros((4, 4), np.uint8), stem="DOE^JOHN").replace(
        source=Source("dicom", "DOE^JOHN", Path("/secret/DOE"), header="DOE")
    )
    assert "DOE" not in repr(named)
    assert "dicom" in repr(named)
