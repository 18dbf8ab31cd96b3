"""Geometry is neither lost nor made up between a study and a layer."""

import dask.array as da
import nibabel as nib
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_covidseg import values
from napari_covidseg.study import Grid, Modality, Source, Study, from_array
from napari_covidseg.viewer.geometry import (
    LayerError,
    _composed,
    layer_kwargs,
    like,
    study_from_layer,
    study_of,
)


@pytest.fixture(autouse=True)
def _plain_values(monkeypatch):
    monkeypatch.setattr(values, "looks_like_hu", lambda a: a.dtype == np.int16)
    monkeypatch.setattr(values, "guess_modality", lambda a, is_hu: Modality.CT if is_hu else None)


def nifti_study(affine, shape=(5, 6, 7)) -> Study:
    native = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    grid = Grid.from_affine(shape, affine)
    return Study(
        array=grid.to_display(native),
        affine=grid.display_affine(),
        grid=grid,
        modality=Modality.CT,
        is_hu=True,
        spacing_known=True,
        orientation_known=True,
        pseudonym="case-0",
        source=Source("nifti", "scan"),
    )


def oblique(degrees=20.0):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return nib.affines.from_matvec(turn @ np.diag([0.8, 0.8, 2.0]), [-100, -80, -300])


AFFINES = {
    "RAS": np.array([[0.7, 0, 0, -90], [0, 0.8, 0, -110], [0, 0, 2.5, -300], [0, 0, 0, 1.0]]),
    "LPS": np.array([[-0.7, 0, 0, 90], [0, -0.8, 0, 110], [0, 0, 2.5, -300], [0, 0, 0, 1.0]]),
    "LAI": np.array([[-0.7, 0, 0, 90], [0, 0.8, 0, -110], [0, 0, -2.5, 300], [0, 0, 0, 1.0]]),
    "PSR": np.array([[0, 0, 0.7, -90], [-0.8, 0, 0, 110], [0, 2.5, 0, -300], [0, 0, 0, 1.0]]),
}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_voxel_is_shown_at_its_place_in_the_patient(affine):
    study = nifti_study(affine)
    layer = Image(study.array, **layer_kwargs(study))
    r, a, s, _ = study.affine @ (2, 3, 4, 1)
    np.testing.assert_allclose(layer.data_to_world((2, 3, 4)), (s, -a, -r))
    assert [str(u) for u in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("z", "y", "x")


def test_an_oblique_volume_is_shown_straight_about_its_middle():
    study = nifti_study(oblique())
    layer = Image(study.array, **layer_kwargs(study))
    np.testing.assert_allclose(layer.scale, study.spacing)
    middle = (np.array(study.array.shape) - 1) / 2
    r, a, s, _ = study.affine @ (*middle, 1)
    np.testing.assert_allclose(layer.data_to_world(middle), (s, -a, -r))
    matrix = _composed(layer)[:3, :3]
    np.testing.assert_allclose(matrix, np.diag(np.diag(matrix)))


@pytest.mark.parametrize("affine", [*AFFINES.values(), oblique()], ids=[*AFFINES, "oblique"])
def test_a_layer_of_ours_gives_back_its_study(affine):
    study = nifti_study(affine)
    layer = Image(study.array, **layer_kwargs(study))
    back = study_from_layer(layer)
    assert back is study
    np.testing.assert_array_equal(back.grid.affine, affine)
    assert study_from_layer(layer, modality=Modality.XR).modality is Modality.XR


def test_a_spacing_set_by_hand_counts_and_the_files_geometry_stays():
    study = nifti_study(AFFINES["LPS"])
    layer = Image(study.array, **layer_kwargs(study))
    layer.scale = (5, 1, 1)
    back = study_from_layer(layer)
    assert back.spacing == pytest.approx((5, 1, 1))
    assert back.grid is study.grid


def test_an_image_stays_of_its_examination_and_its_layer_tells_nobody():
    scan = Source("dicom", "DOE^JANE", group="ab12")
    study = nifti_study(AFFINES["LPS"]).replace(source=scan)
    layer = Image(study.array, **layer_kwargs(study))
    assert study_from_layer(layer).source is scan
    layer.data = study.array + np.int16(1)
    assert study_from_layer(layer).source.group == "ab12"
    assert "ab12" not in repr(layer.metadata)


def test_metadata_name_no_file_and_no_person():
    study = nifti_study(AFFINES["RAS"]).replace(source=Source("dicom", "DOE^JANE"))
    facts = layer_kwargs(study)["metadata"]["covidseg"]
    assert "DOE" not in repr(facts)
    assert facts["modality"] == "CT"


def test_result_layer_lies_exactly_on_its_source():
    source = Image(
        np.zeros((4, 5, 6)),
        scale=(3, 1, 2),
        translate=(9, 8, 7),
        rotate=(10, 5, 0),
        shear=(0.1, 0, 0),
        affine=np.diag([2, 1, 1, 1.0]),
        units=("mm", "mm", "um"),
        axis_labels=("z", "y", "x"),
    )
    result = Labels(np.zeros((4, 5, 6), np.uint8), **like(source))
    np.testing.assert_allclose(_composed(result), _composed(source))
    assert result.units == source.units
    assert result.axis_labels == source.axis_labels


def test_result_of_one_time_point_lies_on_its_source():
    source = Image(np.zeros((2, 4, 5, 6)), scale=(1, 3, 1, 2), translate=(0, 9, 8, 7))
    result = Labels(np.zeros((4, 5, 6), np.uint8), **like(source, ndim=3))
    np.testing.assert_allclose(
        result.data_to_world((1, 2, 3)), source.data_to_world((0, 1, 2, 3))[1:]
    )


def test_spacing_comes_from_scale_and_affine_together():
    layer = Image(
        np.zeros((4, 5, 6), np.int16),
        scale=(2, 0.5, 0.5),
        affine=np.diag([1.5, 2, 2, 1]),
        units=("mm",) * 3,
    )
    assert study_from_layer(layer).spacing == pytest.approx((3, 1, 1))


def test_units_of_length_become_millimetres():
    layer = Image(np.zeros((4, 5, 6), np.int16), scale=(3000, 700, 700), units=("um",) * 3)
    study = study_from_layer(layer)
    assert study.spacing == pytest.approx((3, 0.7, 0.7))
    assert study.spacing_known


def test_a_bare_layer_claims_neither_spacing_nor_orientation():
    study = study_from_layer(Image(np.zeros((4, 5, 6), np.int16)))
    assert not study.spacing_known
    assert not study.orientation_known
    assert {note.code for note in study.notes} == {"spacing-unknown", "orientation-unknown"}


def test_two_dimensional_layer():
    study = study_from_layer(Image(np.zeros((5, 6), np.uint8), scale=(0.2, 0.3), units=("mm",) * 2))
    assert study.array.shape == (5, 6)
    assert study.spacing == pytest.approx((0.2, 0.3))


def test_grey_saved_as_rgb_keeps_its_values():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    study = study_from_layer(Image(np.dstack([grey] * 3), rgb=True))
    np.testing.assert_array_equal(study.array, grey)
    assert study.array.dtype == np.uint8
    assert "colour" not in {note.code for note in study.notes}


def test_colour_becomes_luminance_and_is_noted():
    rgb = np.zeros((8, 8, 4), np.uint8)
    rgb[..., 1] = 100
    study = study_from_layer(Image(rgb, rgb=True))
    assert (study.array == 59).all()
    assert "colour" in {note.code for note in study.notes}


def test_stack_of_rgb_slices():
    study = study_from_layer(Image(np.zeros((3, 8, 9, 3), np.uint8), rgb=True))
    assert study.array.shape == (3, 8, 9)


def test_full_resolution_of_a_pyramid_is_taken():
    full = np.random.default_rng(0).integers(-1000, 500, (4, 8, 8)).astype(np.int16)
    layer = Image([full, full[:, ::2, ::2]], multiscale=True)
    np.testing.assert_array_equal(study_from_layer(layer).array, full)


def test_dask_is_computed_slab_by_slab(monkeypatch):
    monkeypatch.setattr("napari_covidseg.viewer.geometry._SLAB_BYTES", 8 * 8 * 2)
    computed = []

    def load(block, block_info=None):
        computed.append(block.shape)
        return block

    lazy = da.zeros((6, 8, 8), dtype=np.int16, chunks=(1, 8, 8)).map_blocks(load, dtype=np.int16)
    layer = Image(lazy, contrast_limits=(0, 1))
    computed.clear()
    study = study_from_layer(layer)
    assert isinstance(study.array, np.ndarray)
    assert study.array.dtype == np.int16
    assert len(computed) == 6


@pytest.mark.parametrize(
    ("given", "kept"),
    [("int16", "int16"), ("uint8", "uint8"), ("float64", "float32"), ("int64", "int32")],
)
def test_no_volume_in_64_bits(given, kept):
    layer = Image(np.ones((2, 3, 4), given), contrast_limits=(0, 1))
    assert study_from_layer(layer).array.dtype == kept


def test_several_time_points_ask_for_one():
    data = np.zeros((2, 4, 5, 6), np.int16)
    data[1] = 7
    layer = Image(data)
    with pytest.raises(LayerError, match="Split Stack"):
        study_from_layer(layer)
    assert (study_from_layer(layer, at=(1,)).array == 7).all()
    with pytest.raises(LayerError, match="outside"):
        study_from_layer(layer, at=(2,))


def test_a_single_time_point_is_no_question():
    assert study_from_layer(Image(np.zeros((1, 4, 5, 6), np.int16))).array.shape == (4, 5, 6)


def test_what_is_no_image_is_said():
    with pytest.raises(LayerError, match="not an image"):
        study_from_layer(Labels(np.zeros((4, 5), np.uint8)))


def test_a_copy_with_other_pixels_is_read_anew():
    study = nifti_study(AFFINES["RAS"])
    layer = Image(study.array[:3].copy(), **layer_kwargs(study))
    back = study_from_layer(layer)
    assert back.array.shape == (3, 6, 7)
    assert back.modality is Modality.CT
    np.testing.assert_allclose(back.affine, study.affine)


def test_labels_of_ours_know_their_study():
    study = from_array(np.zeros((4, 5), np.uint8))
    assert study_of(Labels(np.zeros((4, 5), np.uint8), metadata={"study": study})) is study
    assert study_of(Labels(np.zeros((4, 5), np.uint8))) is None
