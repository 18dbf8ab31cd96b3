"""Training cases are whole, truthful, nameless, and what nnU-Net v2 reads."""

import errno
import json
import multiprocessing
import re

import nibabel as nib
import numpy as np
import pytest

from napari_covidseg import io
from napari_covidseg.annotation import cases, transaction
from napari_covidseg.annotation.cases import (
    CaseError,
    dataset_for,
    load_cases,
    name_of,
    read_case,
    save_case,
)
from napari_covidseg.labels import INFECTION, LUNGS, OPACITY
from napari_covidseg.study import CovidsegError, Modality, Source, from_array

AFFINE = np.array([[0, 0, -0.8, 90], [0, -0.8, 0, 80], [2.5, 0, 0, -300], [0, 0, 0, 1.0]])


def ct(seed=0):
    values = np.random.default_rng(seed).integers(-1000, 400, (4, 6, 5)).astype(np.int16)
    study = from_array(values, affine=AFFINE, modality=Modality.CT, is_hu=True, stem="DOE^JANE")
    return study.replace(source=Source("dicom", "DOE^JANE"))


def film():
    values = np.random.default_rng(1).integers(0, 255, (8, 9)).astype(np.uint8)
    return from_array(values, modality=Modality.XR, stem="film")


def mask(study, value=1):
    out = np.zeros(study.array.shape, np.uint8)
    out[..., 1:3, 2] = value
    return out


PROVENANCE = {
    "model": "ct-infection",
    "version": "1.0",
    "threshold": 0.4,
    "annotator": "reader A",
    "source_layer": "DOE^JANE",
}


def test_layout_is_what_nnunet_reads(tmp_path):
    study = ct()
    sidecar = save_case(tmp_path, study, mask(study), INFECTION, provenance=PROVENANCE)
    name = sidecar.stem
    assert sidecar == tmp_path / "cases" / f"{name}.json"
    description = json.loads((tmp_path / "dataset.json").read_text())
    assert description == {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "ground glass": 1, "consolidation": 2},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    # nnU-Net: a case's identifier is its image's name without _0000 and the ending.
    images = [p.name for p in (tmp_path / "imagesTr").iterdir()]
    assert [re.fullmatch(r"(.+)_\d{4}\.nii\.gz", n)[1] for n in images] == [name]
    image = nib.load(tmp_path / "imagesTr" / images[0])
    labels = nib.load(tmp_path / "labelsTr" / f"{name}.nii.gz")
    np.testing.assert_array_equal(image.affine, labels.affine)
    assert image.shape == labels.shape == (5, 6, 4)


def test_a_case_reads_back_as_it_was(tmp_path):
    study = ct()
    made = mask(study, 2)
    save_case(tmp_path, study, made, INFECTION)
    (case,) = load_cases(tmp_path)
    back, labels = read_case(case)
    np.testing.assert_array_equal(back.array, study.array)
    np.testing.assert_array_equal(labels, made)
    np.testing.assert_allclose(back.affine, study.affine)
    assert back.is_hu
    assert back.modality is Modality.CT


def test_prediction_and_final_are_never_mixed_up(tmp_path):
    study = ct()
    first, final = mask(study, 1), mask(study, 2)
    sidecar = save_case(tmp_path, study, final, INFECTION, prediction=first, provenance=PROVENANCE)
    facts = json.loads(sidecar.read_text())
    assert facts["changed_voxels"] == np.count_nonzero(first != final)
    (case,) = load_cases(tmp_path)
    assert case.labels.parent.name == "labelsTr"
    assert case.prediction.parent.name == "predictions"
    np.testing.assert_array_equal(io.read_mask(case.labels, study), final)
    np.testing.assert_array_equal(io.read_mask(case.prediction, study), first)


def test_sidecar_tells_provenance_and_no_patient(tmp_path):
    study = ct()
    sidecar = save_case(tmp_path, study, mask(study), INFECTION, provenance=PROVENANCE)
    facts = json.loads(sidecar.read_text())
    for key in ("model", "version", "threshold", "annotator"):
        assert facts[key] == PROVENANCE[key]
    assert facts["label_names"] == {"1": "ground glass", "2": "consolidation"}
    assert facts["saved"].endswith("+00:00")
    assert "Research use only" in facts["note"]
    for path in tmp_path.rglob("*"):
        assert "DOE" not in path.name
        if path.is_file():
            assert b"DOE" not in path.read_bytes()


def test_the_same_image_is_the_same_case_and_its_last_mask_is_kept(tmp_path):
    study = ct()
    one = save_case(tmp_path, study, mask(study, 1), INFECTION, prediction=mask(study, 1))
    two = save_case(tmp_path, ct(), mask(study, 2), INFECTION)
    assert one == two
    assert json.loads(two.read_text())["revision"] == 2
    assert json.loads((tmp_path / "dataset.json").read_text())["numTraining"] == 1
    (case,) = load_cases(tmp_path)
    assert case.prediction is None
    assert not list((tmp_path / "predictions").iterdir())
    kept = io.read_mask(tmp_path / "history" / f"{one.stem}.1.nii.gz", study)
    np.testing.assert_array_equal(kept, mask(study, 1))
    assert (tmp_path / "history" / f"{one.stem}.1.prediction.nii.gz").is_file()


def examined(group, seed=0):
    study = ct(seed)
    return study.replace(source=Source("dicom", "DOE^JANE", group=group))


def group_in(sidecar):
    return json.loads(sidecar.read_text())["group"]


def test_a_case_tells_which_examination_it_is_of_where_that_is_known(tmp_path):
    made = [save_case(tmp_path, s, mask(s), INFECTION) for s in (examined("ab12"), ct(1))]
    assert [group_in(sidecar) for sidecar in made] == ["ab12", None]


@pytest.mark.parametrize("before", ["", "cd34", "none was told"])
def test_a_case_that_is_corrected_again_belongs_where_it_did(tmp_path, before):
    """A model that has learnt from it knows it by that name."""
    first = examined("" if before == "none was told" else before)
    sidecar = save_case(tmp_path, first, mask(first), INFECTION)
    if before == "none was told":
        facts = json.loads(sidecar.read_text())
        del facts["group"]
        sidecar.write_text(json.dumps(facts))
    again = examined("ab12")
    assert save_case(tmp_path, again, mask(again, 2), INFECTION) == sidecar
    assert group_in(sidecar) == ("cd34" if before == "cd34" else None)
    assert json.loads(sidecar.read_text())["revision"] == 2


@pytest.mark.parametrize("damage", ["{", None])
def test_no_mask_is_lost_with_its_sidecar(tmp_path, damage):
    study = ct()
    for value in (1, 2, 1):
        record = save_case(tmp_path, study, mask(study, value), INFECTION)
    before = everything(tmp_path / "history")
    last = (tmp_path / "labelsTr" / f"{record.stem}.nii.gz").read_bytes()
    record.unlink()
    if damage:
        record.write_text(damage)
    save_case(tmp_path, study, mask(study, 2), INFECTION)
    after = everything(tmp_path / "history")
    assert before.items() <= after.items()
    assert (tmp_path / "history" / f"{record.stem}.3.nii.gz").read_bytes() == last
    assert json.loads(record.read_text())["revision"] == 4


def test_a_name_that_another_image_has_is_refused(tmp_path):
    save_case(tmp_path, ct(), mask(ct()), INFECTION, name="first")
    before = everything(tmp_path)
    with pytest.raises(CaseError, match="of another image"):
        save_case(tmp_path, ct(1), mask(ct(1)), INFECTION, name="first")
    assert everything(tmp_path) == before
    save_case(tmp_path, ct(), mask(ct(), 2), INFECTION, name="first")


def test_films_become_pngs(tmp_path):
    study = film()
    save_case(tmp_path, study, mask(study), OPACITY, name="film-7")
    assert (tmp_path / "imagesTr" / "film-7_0000.png").is_file()
    assert (tmp_path / "labelsTr" / "film-7.png").is_file()
    (case,) = load_cases(tmp_path)
    back, labels = read_case(case)
    np.testing.assert_array_equal(back.array, study.array)
    np.testing.assert_array_equal(labels, mask(study))
    assert back.modality is Modality.XR


@pytest.mark.parametrize(
    ("study", "scheme"),
    [(film(), INFECTION), (ct(), LUNGS), (ct().replace(is_hu=False), INFECTION)],
    ids=["film among volumes", "other labels", "picture among HU"],
)
def test_one_dataset_holds_one_kind(tmp_path, study, scheme):
    first = ct()
    save_case(tmp_path, first, mask(first), INFECTION)
    with pytest.raises(CaseError, match="one dataset holds one kind"):
        save_case(tmp_path, study, mask(study), scheme)
    assert len(load_cases(tmp_path)) == 1


def test_a_folder_of_datasets_takes_every_kind(tmp_path):
    kinds = [(ct(), LUNGS), (ct(), INFECTION), (film(), LUNGS), (film(), OPACITY)]
    folders = {dataset_for(tmp_path, study, scheme) for study, scheme in kinds}
    assert len(folders) == 4
    assert all(re.fullmatch(r"Dataset\d{3}_[\w-]+", f.name) for f in folders)
    for study, scheme in kinds:
        save_case(dataset_for(tmp_path, study, scheme), study, mask(study), scheme)
    lungs = dataset_for(tmp_path, ct(), LUNGS)
    assert dataset_for(lungs, film(), OPACITY) == lungs


@pytest.mark.parametrize("name", ["", "a/b", "../up", "scan_0000", ".hidden", "Müller"])
def test_names_that_nnunet_misreads_are_refused(tmp_path, name):
    with pytest.raises(CaseError, match="cannot name a case"):
        save_case(tmp_path / "new", ct(), mask(ct()), INFECTION, name=name)
    assert not (tmp_path / "new").exists()


def test_a_mask_that_does_not_fit_leaves_nothing(tmp_path):
    study = ct()
    for wrong in (mask(study)[1:], np.full(study.array.shape, 7, np.uint8)):
        with pytest.raises(CovidsegError):
            save_case(tmp_path, study, wrong, INFECTION)
    assert not list(tmp_path.rglob("*.*"))


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), CaseError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full disk", "Ctrl-C"],
)
def test_a_full_disk_or_ctrl_c_leaves_the_dataset_as_it_was(
    tmp_path, monkeypatch, step, fault, raised
):
    study = ct()
    save_case(tmp_path, study, mask(study, 1), INFECTION, prediction=mask(study, 1))
    before = everything(tmp_path)
    real, count = transaction.os.replace, iter(range(100))

    def replace(source, target):
        if ".saving-" in str(source) and ".saving-" not in str(target) and next(count) == step:
            raise fault
        real(source, target)

    monkeypatch.setattr(transaction.os, "replace", replace)
    with pytest.raises(raised):
        save_case(tmp_path, study, mask(study, 2), INFECTION, prediction=mask(study, 2))
    assert everything(tmp_path) == before


def test_a_full_disk_while_staging_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cases.io, "write_mask", full)
    with pytest.raises(CaseError, match="Nothing was changed"):
        save_case(tmp_path, ct(), mask(ct()), INFECTION)
    assert not list(tmp_path.iterdir())


def _save(folder, seed):
    study = ct(seed)
    save_case(folder, study, mask(study), INFECTION)


def test_saves_at_the_same_time_do_not_lose_a_case(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        pool.starmap(_save, [(tmp_path, seed) for seed in range(6)])
    assert len(load_cases(tmp_path)) == 6
    assert json.loads((tmp_path / "dataset.json").read_text())["numTraining"] == 6
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_lock_left_by_a_killed_process_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(transaction, "_STALE", -1.0)
    (tmp_path / ".lock").touch()
    save_case(tmp_path, ct(), mask(ct()), INFECTION)
    assert len(load_cases(tmp_path)) == 1


def test_a_lock_that_is_held_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(transaction, "_PATIENCE", 0.05)
    (tmp_path / ".lock").touch()
    with pytest.raises(CaseError, match="Another program"):
        save_case(tmp_path, ct(), mask(ct()), INFECTION)


def test_a_changed_file_is_noticed(tmp_path):
    save_case(tmp_path, ct(), mask(ct()), INFECTION)
    (case,) = load_cases(tmp_path)
    io.write_mask(mask(ct(), 2), ct(), case.labels)
    with pytest.raises(CaseError, match="was changed"):
        read_case(case)


def test_a_case_is_named_after_its_pixels():
    assert name_of(ct()) == name_of(ct())
    assert name_of(ct()) != name_of(ct(5))


def test_no_dataset_is_said(tmp_path):
    with pytest.raises(CaseError, match="no dataset"):
        load_cases(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(CaseError, match="damaged"):
        save_case(tmp_path, ct(), mask(ct()), INFECTION)
