"""Items without drawn lungs are shown in training as they will be in use."""

from dataclasses import astuple, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_covidseg import io
from napari_covidseg.inference.frame import cut_frame, lung_frame
from napari_covidseg.inference.job import Job
from napari_covidseg.inference.registry import ModelInfo, find
from napari_covidseg.labels import INFECTION
from napari_covidseg.phantom import ct
from napari_covidseg.study import Modality, from_array
from napari_covidseg.training.data_spec import Nifti
from napari_covidseg.training.frames import with_lung_frames
from napari_covidseg.training.sources import Item
from napari_covidseg.training.sources.own import load_own


@pytest.fixture(scope="module")
def lungs() -> ModelInfo:
    return find("ct-lungs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One volume of a user's own; its rows are further apart than its columns."""
    folder = tmp_path_factory.mktemp("volumes")
    phantom = ct((16, 64, 64))
    affine = np.diag([5.9, 7.0, 18.75, 1.0])
    for name, array in (("images", phantom.study.array), ("masks", phantom.infection)):
        (folder / name).mkdir()
        stored = array.transpose(2, 1, 0)[::-1, ::-1]  # patient's left and front last
        nib.save(nib.Nifti1Image(stored, affine), folder / name / "a.nii.gz")
    return folder


@pytest.fixture(scope="module")
def items(folder: Path) -> tuple[Item, ...]:
    spec = Nifti(kind="nifti", path=".", name="mine")
    return load_own(spec, folder, INFECTION, Modality.CT).items


def test_slices_of_a_volume_are_shown_as_in_use(
    folder: Path, items: tuple[Item, ...], lungs: ModelInfo
) -> None:
    study = io.read(folder / "images" / "a.nii.gz").replace(modality=Modality.CT)
    job = Job(study, (), "CPU", lambda _: None)
    found = job.lungs(lungs).found > 0
    seen = np.flatnonzero(found.any(axis=(1, 2)))
    assert 0 < len(seen) < len(items)
    made = with_lung_frames(items, lungs, mask=True)
    assert [item.name for item in made] == [items[z].name for z in seen]
    frame = job.frame(find("ct-infection"))
    assert frame.width != frame.height
    assert all(item.lungs == frame and item.body == items[0].body for item in made)
    np.testing.assert_array_equal([item.found > 0 for item in made], found[seen])
    assert {int(v) for item in made for v in np.unique(item.found)} == {0, 255}
    bare = with_lung_frames(items, lungs, mask=False)
    assert [item.lungs for item in bare] == [frame] * len(seen)
    assert all(item.found is None for item in bare)


def test_a_volume_cut_to_the_lungs_is_shown_whole(
    items: tuple[Item, ...], lungs: ModelInfo
) -> None:
    part = np.s_[16:48, 12:52]
    cut = [replace(i, picture=i.picture[part], labels=i.labels[part], spacing=None) for i in items]
    made = with_lung_frames(cut, lungs, mask=False)
    assert made
    assert {item.lungs for item in made} == {cut_frame((32, 40))}


def test_a_classifier_is_shown_a_cut_picture_as_it_learnt(
    items: tuple[Item, ...], lungs: ModelInfo
) -> None:
    """The lungs' own square, while one that draws is shown all of what was cut to them."""
    part = np.s_[14:50, 10:54]
    alone = [
        replace(i, picture=i.picture[part], labels=i.labels[part], volume=None, spacing=None)
        for i in items
    ]
    made = with_lung_frames(alone, lungs, mask=True)
    one = max(made, key=lambda item: int(item.found.sum()))
    study = from_array(one.picture, modality=Modality.CT, is_hu=one.is_hu)
    job = Job(study, (), "CPU", lambda _: None)
    assert job.frame(find("ct-infection")) == cut_frame(one.picture.shape)
    shown = job.frame(find("ct-covid"))
    assert shown == lung_frame(job.lungs().found)
    for mine, theirs in zip(astuple(shown), astuple(one.lungs), strict=True):
        assert mine == pytest.approx(theirs, abs=1.5)  # the body's frame differs by its margin


def test_drawn_lungs_keep_their_frame_and_pictures_their_place(
    items: tuple[Item, ...], lungs: ModelInfo
) -> None:
    drawn = [replace(item, lungs=item.body.grow(0.7), set="drawn") for item in items]
    alone = [replace(item, volume=None, set="alone") for item in items[:3]]
    both = [*alone[:1], *drawn, *alone[1:]]
    made = with_lung_frames(both, lungs, mask=True)
    # Those of a volume are looked for as in use, where slices without lungs are left out.
    looked = with_lung_frames(items, lungs, mask=True)
    of_volume = [("drawn", i.name) for i in looked]
    assert [(i.set, i.name) for i in made[1:-2]] == of_volume
    assert [i.set for i in (*made[:1], *made[-2:])] == ["alone"] * 3
    assert all(m.lungs == drawn[0].lungs for m in made[1:-2])
    for one, other in zip(made[1:-2], looked, strict=True):
        np.testing.assert_array_equal(one.found, other.found)
    assert all(item.found is not None for item in made)
    # A picture in which no lung is found is shown whole, and is not left out.
    assert not made[0].found.any()
    assert made[0].lungs == made[0].body
    assert with_lung_frames(drawn, lungs, mask=False) == drawn
