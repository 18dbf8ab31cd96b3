"""Masks leave napari on the grid of their image."""

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.io import imread

from napari_covidseg.study import CovidsegError, from_array
from napari_covidseg.viewer.geometry import layer_kwargs

PLUGIN = "napari-covidseg"
pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    study = from_array(np.zeros((4, 5, 6), np.int16), spacing=(3, 2, 1), is_hu=True, stem="scan")
    viewer.add_image(study.array, name="scan", **layer_kwargs(study))
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 2, 3] = 2
    for name in ("true lungs", "infection/left"):
        viewer.add_labels(mask.copy(), name=name, metadata={"study": study})
    return viewer


def test_image_with_labels_becomes_one_file_each(tmp_path, viewer):
    written = viewer.layers.save(str(tmp_path / "case.nii.gz"), plugin=PLUGIN)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"case.nii.gz", "case_true-lungs.nii.gz", "case_infection-left.nii.gz"}
    assert {*written} == {str(tmp_path / n) for n in names}
    image, mask = (nib.load(tmp_path / n) for n in ("case.nii.gz", "case_true-lungs.nii.gz"))
    np.testing.assert_array_equal(image.affine, mask.affine)
    assert np.asarray(mask.dataobj).sum() == 2


def test_two_layers_of_one_name_do_not_overwrite_each_other(tmp_path, viewer):
    for layer in viewer.layers[1:]:
        layer.name = "lungs"
    viewer.add_labels(viewer.layers[1].data, name="lungs", metadata=viewer.layers[1].metadata)
    written = viewer.layers.save(str(tmp_path / "case.nii"), plugin=PLUGIN)
    assert len({*written}) == 4


def test_labels_that_are_not_ours_keep_the_layers_geometry(tmp_path):
    labels = ViewerModel().add_labels(
        np.ones((4, 5, 6), np.int32), scale=(3, 2, 1), affine=np.diag([1, 2, 2, 1]), units="mm"
    )
    labels.save(str(tmp_path / "a.nii.gz"), plugin=PLUGIN)
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.header.get_zooms() == (2, 4, 3)
    assert image.shape == (6, 5, 4)
    assert image.get_data_dtype() == np.uint8


def test_picture_mask_has_label_values_and_the_pictures_size(tmp_path):
    mask = np.zeros((7, 9), np.uint8)
    mask[2:4, 5] = (1, 2)
    ViewerModel().add_labels(mask).save(str(tmp_path / "a.png"), plugin=PLUGIN)
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), mask)


def test_values_beyond_a_byte_are_refused_and_nothing_is_left(tmp_path):
    labels = ViewerModel().add_labels(np.full((4, 5, 6), 300, np.int32))
    with pytest.raises(CovidsegError, match="0 to 255"):
        labels.save(str(tmp_path / "a.nii.gz"), plugin=PLUGIN)
    assert not list(tmp_path.iterdir())
