"""A user's own data: found, checked against their masks, and made into items."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from own_data import films, picture, save, square

from napari_covidseg import io
from napari_covidseg.annotation.cases import save_case
from napari_covidseg.labels import INFECTION, LUNGS, OPACITY, LabelScheme
from napari_covidseg.study import CovidsegError, Modality, Source, from_array
from napari_covidseg.training import evaluate
from napari_covidseg.training.data_spec import Coco, GroupTable, Nifti, Pairs, SavedCases
from napari_covidseg.training.sources.coco import RunLengths, run_lengths
from napari_covidseg.training.sources.own import alias, label_values, load_own

GREY = {255: "ground glass"}


def pairs(**given: object) -> Pairs:
    return Pairs(kind="pairs", **({"path": "films", "labels": GREY} | given))


def items(spec, data: Path, scheme: LabelScheme = OPACITY, modality: Modality = Modality.XR):
    return load_own(spec, data, scheme, modality).items


# ---------------------------------------------------------------- Pairs


def test_pictures_are_matched_with_their_masks_by_stem(tmp_path: Path) -> None:
    films(tmp_path / "films", ["b", "a"])
    first, second = items(pairs(), tmp_path)
    assert (first.set, first.name) == ("films", alias("a"))
    np.testing.assert_array_equal(first.picture, picture(1))
    np.testing.assert_array_equal(first.labels, square(value=1))
    assert second.name == alias("b")
    assert first.volume is None


def test_a_suffix_tells_masks_from_images_in_one_folder(tmp_path: Path) -> None:
    save(picture(0), tmp_path / "films" / "p1" / "a.jpg")
    save(square(), tmp_path / "films" / "p1" / "a_mask.tif")
    (item,) = items(pairs(images=".", masks=".", mask_suffix="_mask"), tmp_path)
    assert item.name == alias("p1/a")
    assert item.labels.sum() == 180
    with pytest.raises(CovidsegError, match="mask_suffix"):
        items(pairs(images=".", masks="."), tmp_path)


def test_a_jpeg_mask_is_read_as_what_it_was(tmp_path: Path) -> None:
    save(picture(0), tmp_path / "films" / "images" / "a.png")
    save(square(), tmp_path / "films" / "masks" / "a.jpg")
    (item,) = items(pairs(), tmp_path)
    assert set(np.unique(item.labels)) == {0, 1}
    assert abs(int(item.labels.sum()) - 180) < 30


def lungs_as_jpeg(data: Path, right: int, left: int) -> None:
    """A film and its mask of two lungs, drawn with these values and stored as JPEG."""
    drawn = np.zeros((64, 64), np.uint8)
    drawn[10:50, 6:28], drawn[10:50, 36:58] = right, left
    save(picture(0), data / "films" / "images" / "a.png")
    save(drawn, data / "films" / "masks" / "a.jpg")


def test_a_jpeg_mask_keeps_two_lungs_apart(tmp_path: Path) -> None:
    lungs_as_jpeg(tmp_path, 127, 255)
    told = pairs(labels={127: "right lung", 255: "left lung"})
    (item,) = items(told, tmp_path, LUNGS)
    assert set(np.unique(item.labels)) == {0, 1, 2}
    assert (item.labels[10:50, 6:28] == 1).mean() > 0.95
    assert (item.labels[10:50, 36:58] == 2).mean() > 0.95


@pytest.mark.parametrize("labels", [None, {64: "right lung", 255: "left lung"}])
def test_a_jpeg_mask_of_values_that_nobody_explained_is_refused(
    tmp_path: Path, labels: dict | None
) -> None:
    lungs_as_jpeg(tmp_path, 150, 255)
    with pytest.raises(CovidsegError, match=r"a\.jpg: mask value (150|255) is not.*labels = "):
        items(pairs(labels=labels), tmp_path, LUNGS)


def test_no_name_of_a_file_is_in_an_item(tmp_path: Path) -> None:
    films(tmp_path / "films", ["miller_anna"])
    (item,) = items(pairs(groups="^([a-z]+)_"), tmp_path)
    assert "miller" not in f"{item.set} {item.group} {item.name}"
    assert item.group == alias("miller")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "masks" / "a.png").unlink(), "1 images without mask: a.png"),
        (lambda f: (f / "images" / "b.png").unlink(), "1 masks without image: b.png"),
        (lambda f: save(square(32), f / "masks" / "a.png"), r"a.png and a.png do not fit.*\(32, "),
        (lambda f: save(square(value=7), f / "masks" / "b.png"), "b.png: mask value 7"),
        (lambda f: save(picture(3), f / "images" / "a.jpg"), "a.png and a.jpg have one name"),
        (lambda f: (f / "images" / "a.png").write_bytes(b"\x89PNG"), "a.png is cut short"),
        (lambda f: save(picture(1, 8), f / "images" / "a.png"), r"do not fit"),
    ],
)
def test_a_fault_names_the_pair(tmp_path: Path, change, said: str) -> None:
    folder = films(tmp_path / "films", ["a", "b"])
    change(folder)
    with pytest.raises(CovidsegError, match=said):
        items(pairs(), tmp_path)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CovidsegError, match="There is no folder"):
        items(pairs(), tmp_path)
    (tmp_path / "films" / "images").mkdir(parents=True)
    (tmp_path / "films" / "masks").mkdir()
    with pytest.raises(CovidsegError, match="no image in films"):
        items(pairs(), tmp_path)


def test_an_image_that_the_doctor_refuses_is_named(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", ["a"])
    save(np.zeros((64, 64), np.uint8), folder / "images" / "a.png")
    with pytest.raises(CovidsegError, match=r"a\.png: .+"):
        items(pairs(), tmp_path)


# ---------------------------------------------------------------- Labels


def test_masks_may_tell_less_than_the_scheme() -> None:
    assert label_values(INFECTION) == {
        "background": 0, "ground glass": 1, "consolidation": 2, "infection": 3, "not told": 4
    }  # fmt: skip
    assert label_values(OPACITY)["opacity"] == 1


def test_without_labels_the_values_are_those_of_the_scheme(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", ["a"])
    save(square(value=2), folder / "masks" / "a.png")
    (item,) = items(pairs(labels=None), tmp_path, INFECTION, Modality.CT)
    assert set(np.unique(item.labels)) == {0, 2}
    with pytest.raises(CovidsegError, match="mask value 2 is not in the scheme"):
        items(pairs(labels=None), tmp_path)


def test_an_unknown_label_name_is_said(tmp_path: Path) -> None:
    films(tmp_path / "films", ["a"])
    with pytest.raises(CovidsegError, match="'ggo' is none of the scheme's labels"):
        items(pairs(labels={255: "ggo"}), tmp_path)


# ---------------------------------------------------------------- Groups


def test_groups_come_from_a_pattern_or_a_table(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", ["p1_a", "p1_b", "p2_a"])
    by_pattern = items(pairs(groups="(p[0-9]+)_"), tmp_path)
    (folder / "who.csv").write_text("film,who\np1_a.png,p1\np1_b,p1\np2_a,p2\n")
    table = GroupTable(file="who.csv", image="film", group="who")
    by_table = items(pairs(groups=table), tmp_path)
    for found in (by_pattern, by_table):
        assert [i.group for i in found] == [alias("p1"), alias("p1"), alias("p2")]


def test_a_table_may_tell_one_name_in_two_folders_apart(tmp_path: Path) -> None:
    folder = films(tmp_path / "films", ["x/a", "y/a", "y/b"])
    spec = pairs(groups=GroupTable(file="who.csv", image="film", group="who"))
    (folder / "who.csv").write_text("film,who\nx/a.png,p1\ny/a.png,p2\nelsewhere/b.png,p3\n")
    assert [i.group for i in items(spec, tmp_path)] == [alias("p1"), alias("p2"), alias("p3")]
    (folder / "who.csv").write_text("film,who\nx/a.png,p1\nz/a.png,p2\ny/b.png,p3\n")
    with pytest.raises(CovidsegError, match=r"y/a: who\.csv does not tell its patient"):
        items(spec, tmp_path)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("^(q[0-9]+)_", "p1_a: .* does not tell its patient"),
        (GroupTable(file="who.csv", image="film", group="who"), "cannot be read"),
        (GroupTable(file="some.csv", image="film", group="wh0"), "no CSV file with the columns"),
        (GroupTable(file="some.csv", image="film", group="who"), "p1_a: some.csv does not tell"),
    ],
)
def test_groups_that_cannot_be_told_are_said(tmp_path: Path, groups: object, said: str) -> None:
    folder = films(tmp_path / "films", ["p1_a"])
    (folder / "some.csv").write_text("film,who\nother,p1\n")
    with pytest.raises(CovidsegError, match=said):
        items(pairs(groups=groups), tmp_path)


# ---------------------------------------------------------------- NIfTI


def nifti(folder: Path, chest: np.ndarray, turn: np.ndarray | None = None) -> np.ndarray:
    """Write the chest as stored the other way round, with a mask of its upper lung."""
    affine = np.diag([-0.7, -0.8, 2.5, 1.0]) if turn is None else turn
    mask = np.zeros(chest.shape, np.uint8)
    mask[8:10, 20:40, 18:30] = 1
    for name, array in (("images/a_ct", chest), ("masks/a_seg", mask)):
        path = folder / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array.T, affine), path)
    return mask


SCANS = Nifti(kind="nifti", path="scans", image_suffix="_ct", mask_suffix="_seg")


def test_a_volume_becomes_slices_of_one_group(tmp_path: Path, chest: np.ndarray) -> None:
    mask = nifti(tmp_path / "scans", chest)
    found = items(SCANS, tmp_path, LUNGS, Modality.CT)
    assert len(found) == len(chest)
    assert len({i.group for i in found}) == len({i.volume for i in found}) == 1
    assert all(i.is_hu for i in found)
    assert found[9].name == f"{alias('a')}_z009"
    np.testing.assert_array_equal(found[9].picture, chest[9])
    np.testing.assert_array_equal(found[9].labels, mask[9])
    assert found[9].lung_pixels == 240
    assert found[0].lungs == found[9].lungs  # one frame for the volume


def test_what_a_mask_does_not_tell_is_no_lung(tmp_path: Path, chest: np.ndarray) -> None:
    mask = nifti(tmp_path / "scans", chest)
    told = items(SCANS, tmp_path, LUNGS, Modality.CT)
    mask[8:10, 2:6, 2:6] = 9
    mask[3] = 9
    path = tmp_path / "scans" / "masks" / "a_seg.nii.gz"
    nib.save(nib.Nifti1Image(mask.T, nib.load(path).affine), path)
    labels = {1: "right lung", 9: "not told"}
    found = items(SCANS.model_copy(update={"labels": labels}), tmp_path, LUNGS, Modality.CT)
    assert [i.lungs for i in found] == [i.lungs for i in told]
    assert [i.lung_pixels for i in found] == [i.lung_pixels for i in told]
    assert (found[3].labels == 4).all()


def test_a_volume_is_brought_to_display_order_with_its_mask(
    tmp_path: Path, chest: np.ndarray
) -> None:
    """As stored, x grows to the right and slices go from head to feet."""
    mask = nifti(tmp_path / "scans", chest, np.diag([0.7, -0.8, -2.5, 1.0]))
    found = items(SCANS, tmp_path, LUNGS, Modality.CT)
    np.testing.assert_array_equal(np.stack([i.picture for i in found]), chest[::-1, :, ::-1])
    np.testing.assert_array_equal(np.stack([i.labels for i in found]), mask[::-1, :, ::-1])


def test_a_mask_that_lies_elsewhere_is_refused(tmp_path: Path, chest: np.ndarray) -> None:
    mask = nifti(tmp_path / "scans", chest)
    elsewhere = np.diag([-0.7, -0.8, 5.0, 1.0])
    nib.save(nib.Nifti1Image(mask.T, elsewhere), tmp_path / "scans" / "masks" / "a_seg.nii.gz")
    with pytest.raises(CovidsegError, match=r"a_ct.nii.gz and a_seg.nii.gz .*another affine"):
        items(SCANS, tmp_path, LUNGS, Modality.CT)


def test_stored_values_are_warned_of_and_rescaled_where_asked(
    tmp_path: Path, chest: np.ndarray
) -> None:
    nifti(tmp_path / "scans", (chest + 1024).clip(0).astype(np.int16))
    warned = load_own(SCANS, tmp_path, LUNGS, Modality.CT)
    assert any("1 of 1 images" in words for words in warned.remarks)
    assert not warned.items[5].is_hu
    fixed = load_own(SCANS.model_copy(update={"fixes": ("rescale",)}), tmp_path, LUNGS, Modality.CT)
    assert fixed.items[5].is_hu
    np.testing.assert_array_equal(fixed.items[5].picture, chest[5].clip(-1024))


# ---------------------------------------------------------------- Saved cases


def test_cases_that_the_plugin_saved_are_read_with_their_meaning(
    tmp_path: Path, chest: np.ndarray
) -> None:
    study = from_array(
        chest, spacing=(2.5, 0.8, 0.7), modality=Modality.CT, is_hu=True, stem="secret"
    )
    mask = np.zeros(chest.shape, np.uint8)
    mask[4, 20:30, 18:24] = 2
    save_case(tmp_path / "cases", study, mask, INFECTION)
    spec = SavedCases(kind="dataset", path="cases")
    found = items(spec, tmp_path, INFECTION, Modality.CT)
    assert len(found) == len(chest)
    assert found[4].is_hu
    np.testing.assert_array_equal(found[4].labels, mask[4])
    with pytest.raises(CovidsegError, match="label 'ground glass'"):
        items(spec, tmp_path, LUNGS, Modality.CT)
    every = spec.model_copy(
        update={"labels": {"ground glass": "opacity", "consolidation": "opacity"}}
    )
    assert items(every, tmp_path, OPACITY, Modality.CT)[4].labels.max() == 1


@pytest.mark.parametrize("scheme", [LUNGS, INFECTION])
def test_a_volume_is_measured_with_its_spacing(
    tmp_path: Path, chest: np.ndarray, scheme: LabelScheme
) -> None:
    spacing = (2.5, 0.8, 0.7)
    study = from_array(chest, spacing=spacing, modality=Modality.CT, is_hu=True)
    save_case(tmp_path / "cases", study, (chest < -700).astype(np.uint8), scheme)
    found = items(SavedCases(kind="dataset", path="cases"), tmp_path, scheme, Modality.CT)
    (case,) = evaluate.cases(found, Modality.CT)
    assert case.spacing == pytest.approx(spacing)
    assert case.study.spacing == pytest.approx(spacing)


def test_a_case_has_its_name_wherever_the_dataset_lies(tmp_path: Path, chest: np.ndarray) -> None:
    def groups(place: str, count: int) -> set[str]:
        for k in range(count):
            study = from_array(chest + np.int16(k), modality=Modality.CT, is_hu=True)
            save_case(tmp_path / place, study, (chest < -700).astype(np.uint8), LUNGS)
        made = items(SavedCases(kind="dataset", path=place), tmp_path, LUNGS, Modality.CT)
        return {item.group for item in made}

    first = groups("here", 2)
    assert len(first) == 2
    assert first < groups("there", 3)


def test_cases_of_one_examination_are_one_patient(tmp_path: Path, chest: np.ndarray) -> None:
    for k, group in enumerate(["ab12", "ab12", "cd34", ""]):
        study = from_array(chest + np.int16(k), modality=Modality.CT, is_hu=True)
        study = study.replace(source=Source("dicom", "scan", group=group))
        save_case(tmp_path / "set", study, (chest < -700).astype(np.uint8), LUNGS)
    saved = SavedCases(kind="dataset", path="set")
    made = items(saved, tmp_path, LUNGS, Modality.CT)
    cases = {(item.group, item.volume) for item in made}
    alone = {name for group, name in cases if group == name}
    assert len(cases) == 4 and len(alone) == 1
    assert sorted(g for g, _ in cases) == sorted([*[alias("ab12")] * 2, alias("cd34"), *alone])
    told = saved.model_copy(update={"groups": "^(case)-"})
    assert {i.group for i in items(told, tmp_path, LUNGS, Modality.CT)} == {alias("case")}


def test_a_folder_without_dataset_is_said(tmp_path: Path) -> None:
    with pytest.raises(CovidsegError, match="holds no dataset"):
        items(SavedCases(kind="dataset", path="none"), tmp_path)


# ---------------------------------------------------------------- COCO


def coco(folder: Path, annotations: list[dict], **more: object) -> Path:
    save(picture(0), folder / "films" / "a.png")
    content = {
        "images": [{"id": 5, "file_name": "a.png", "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "GGO"}, {"id": 2, "name": "heart"}],
        "annotations": [{"id": k, "image_id": 5, **a} for k, a in enumerate(annotations)],
    } | more
    path = folder / "marks.json"
    path.write_text(json.dumps(content))
    return path


MARKS = Coco(kind="coco", path="marks.json", images="films", labels={"GGO": "ground glass"})


def test_a_polygon_holds_the_pixels_whose_centres_it_holds(tmp_path: Path) -> None:
    polygon = [12, 10, 30, 10, 30, 20, 12, 20]
    coco(tmp_path, [{"category_id": 1, "segmentation": [polygon]}])
    (item,) = items(MARKS, tmp_path)
    np.testing.assert_array_equal(item.labels, square(value=1))


def test_run_lengths_plain_and_packed_give_the_same_mask(tmp_path: Path) -> None:
    mask = square(value=1)
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    for given in (counts, packed(counts)):
        rle = RunLengths(size=(64, 64), counts=given)
        np.testing.assert_array_equal(run_lengths(rle, (64, 64)), mask > 0)
    coco(tmp_path, [{"category_id": 1, "segmentation": {"size": [64, 64], "counts": counts}}])
    (item,) = items(MARKS, tmp_path)
    np.testing.assert_array_equal(item.labels, mask)


def test_known_packed_run_lengths_are_read() -> None:
    """As pycocotools packs a mask of 3 x 3 whose middle column is drawn: 3, 3, 3."""
    drawn = run_lengths(RunLengths(size=(3, 3), counts="333"), (3, 3))
    np.testing.assert_array_equal(drawn, [[False, True, False]] * 3)


def packed(counts: list[int]) -> str:
    """Pack run lengths as rleToString of the COCO API does."""
    text = ""
    for k, count in enumerate(counts):
        number = count - counts[k - 2] if k > 2 else count
        more = True
        while more:
            code, number = number & 31, number >> 5
            more = number != -1 if code & 16 else number != 0
            text += chr((code | 32 if more else code) + 48)
    return text


@pytest.mark.parametrize(
    ("annotations", "more", "spec", "said"),
    [
        ([], {"categories": []}, MARKS, "has the categories"),
        ([], {}, MARKS.model_copy(update={"labels": None}), "has the categories GGO, heart"),
        ([], {}, MARKS.model_copy(update={"labels": {"ggo": "ground glass"}}), "not 'ggo'"),
        ([], {"images": [{"id": 1}]}, MARKS, "images.0.file_name"),
        ([{"category_id": 1, "segmentation": {"size": [64, 64], "counts": [5]}}], {}, MARKS,
         "run lengths do not fill"),
        ([], {"images": [{"id": 5, "file_name": "a.png", "width": 9, "height": 64}]}, MARKS,
         "the COCO file says"),
        ([], {"images": [{"id": 5, "file_name": "b.png", "width": 9, "height": 64}]}, MARKS,
         "does not exist"),
    ],
)  # fmt: skip
def test_a_wrong_coco_file_names_the_fault(
    tmp_path: Path, annotations: list[dict], more: dict, spec: Coco, said: str
) -> None:
    coco(tmp_path, annotations, **more)
    with pytest.raises(CovidsegError, match=said):
        items(spec, tmp_path)


def test_pictures_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    names = ["p2/film.png", "p1/film.png", "p1/other.png"]
    for k, name in enumerate(names):
        save(picture(k), tmp_path / "films" / name)
    size = {"width": 64, "height": 64}
    images = [{"id": k, "file_name": name, **size} for k, name in enumerate(names)]
    coco(tmp_path, [], images=images)
    made = items(MARKS.model_copy(update={"groups": "^(p[0-9]+)/"}), tmp_path)
    assert [i.name for i in made] == [alias(n) for n in ("p1/film", "p1/other", "p2/film")]
    assert [i.group for i in made] == [alias("p1"), alias("p1"), alias("p2")]
    coco(tmp_path, [], images=[*images, {"id": 9, "file_name": "p1/film.jpg", **size}])
    with pytest.raises(CovidsegError, match=r"film\.png and film\.jpg have one name"):
        items(MARKS, tmp_path)


def test_no_coco_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CovidsegError, match="cannot be read"):
        items(MARKS, tmp_path)
    (tmp_path / "marks.json").write_text("{")
    with pytest.raises(CovidsegError, match="no JSON"):
        items(MARKS, tmp_path)


def test_readers_of_the_product_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that a camera marked as turned is upright, and so is its mask."""
    films(tmp_path / "films", ["a"])
    seen = []
    real = io.read
    monkeypatch.setattr(io, "read", lambda path: seen.append(path.name) or real(path))
    items(pairs(), tmp_path)
    assert seen == ["a.png"]
