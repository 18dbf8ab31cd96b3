"""covidseg segment and classify: names, codes, and bad files among good ones."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_covidseg import RESEARCH_ONLY, io
from napari_covidseg.cli.app import execute
from napari_covidseg.cli.run import classification_line
from napari_covidseg.doctor import Finding
from napari_covidseg.segmentation import Classification, ModelRef
from napari_covidseg.study import from_array


def test_a_picture_gives_a_png_of_its_size(covidseg, picture, tmp_path):
    image = picture("slice.png", (64, 48))
    code, out, _ = covidseg("segment", image, "--model", "ct-infection", "--out", tmp_path / "o")
    assert code == 0
    mask = np.asarray(Image.open(tmp_path / "o" / "slice.png"))
    assert (mask.shape, mask.dtype) == ((64, 48), np.uint8)
    assert set(np.unique(mask)) == {0, 1}
    assert out.split() == [str(tmp_path / "o" / "slice.png")]


def test_a_volume_gives_nifti_on_its_own_grid(covidseg, nifti, tmp_path):
    scan = nifti()
    code, _, _ = covidseg("segment", scan, "--model", "ct-lungs", "--out", tmp_path / "o")
    assert code == 0
    image, mask = nib.load(scan), nib.load(tmp_path / "o" / "scan.nii.gz")
    assert mask.shape == image.shape
    assert np.array_equal(mask.affine, image.affine)
    values = np.asarray(image.dataobj)
    assert np.array_equal(np.asarray(mask.dataobj), values > np.median(values))


def test_out_may_be_a_file_for_one_image(covidseg, nifti, picture, tmp_path):
    target = tmp_path / "mine.nii.gz"
    assert covidseg("segment", nifti(), "--model", "ct-lungs", "--out", target)[0] == 0
    assert nib.load(target).shape == (24, 20, 10)
    images = picture("a.png"), picture("b.png")
    code, _, err = covidseg("segment", *images, "--model", "ct-lungs", "--out", tmp_path / "x.png")
    assert code == 2
    assert "name a folder" in err


def test_several_models_have_a_folder_each(covidseg, nifti, tmp_path):
    out = tmp_path / "o"
    models = ("--model", "ct-lungs", "--model", "ct-infection", "--model", "ct-lungs")
    code, listed, _ = covidseg("segment", nifti(), *models, "--out", out)
    assert code == 0
    assert (out / "ct-lungs" / "scan.nii.gz").exists()
    assert (out / "ct-infection" / "scan.nii.gz").exists()
    assert len(listed.split()) == 2


def test_the_version_that_is_asked_for_runs(covidseg, fakes, nifti, tmp_path):
    out = tmp_path / "o"
    models = ("--model", "ct-lungs@0.9", "--model", "ct-lungs", "--model", "ct-infection")
    code, listed, _ = covidseg("segment", nifti(), *models, "--out", out)
    assert code == 0
    assert fakes.models == ["ct-lungs@0.9", "ct-lungs@1.0", "ct-infection@1.0"]
    folders = ("ct-lungs@0.9", "ct-lungs@1.0", "ct-infection")
    assert listed.split() == [str(out / folder / "scan.nii.gz") for folder in folders]
    assert covidseg("classify", nifti(), "--model", "xray-tb@1.1")[0] == 2


def test_a_bad_file_is_reported_and_the_rest_go_on(covidseg, picture, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG nothing more")
    good = picture("good.png")
    missing = tmp_path / "missing.png"
    code, out, err = covidseg(
        "segment", bad, missing, good, "--model", "ct-infection", "--out", tmp_path / "o"
    )
    assert code == 2
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["good.png"]
    lines = err.strip().splitlines()
    assert sum(str(bad) in line for line in lines) == 1
    assert sum(str(missing) in line for line in lines) == 1
    assert lines[-1] == "2 of 3 images failed, 1 done."
    assert "Traceback" not in err
    assert "good.png" in out


def test_an_unknown_model_lists_the_known_ones(covidseg, picture, tmp_path):
    code, out, err = covidseg("segment", picture(), "--model", "ct-lung", "--out", tmp_path / "o")
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "ct-lungs" in err and "xray-lungs" in err
    assert not (tmp_path / "o").exists()


def test_a_classifier_does_not_segment(covidseg, picture, tmp_path):
    code, _, err = covidseg("segment", picture(), "--model", "ct-covid", "--out", tmp_path / "o")
    assert code == 2
    assert "no segmentation model: choose one of ct-lungs, ct-infection, xray-lungs." in err


def test_damaged_weights_stop_before_any_image(covidseg, fakes, picture, tmp_path):
    fakes.damaged.add("ct-lungs")
    code, _, err = covidseg("segment", picture(), "--model", "ct-lungs", "--out", tmp_path / "o")
    assert code == 2
    assert "damaged" in err
    assert fakes.studies == []


def test_images_of_one_name_do_not_overwrite_each_other(covidseg, fakes, picture, tmp_path):
    images = picture("a/slice.png"), picture("b/slice.png")
    code, out, err = covidseg("segment", *images, "--model", "ct-lungs", "--out", tmp_path / "o")
    assert code == 2
    assert f"would overwrite that of {images[0]}" in err
    assert len(out.split()) == len(fakes.studies) == 1


def test_a_mask_never_overwrites_an_image(covidseg, picture, nifti, tmp_path):
    image, scan = picture(), nifti()
    before = image.read_bytes(), scan.read_bytes()
    code, _, err = covidseg("segment", image, scan, "--model", "ct-lungs", "--out", tmp_path)
    assert code == 2
    assert err.count("would overwrite the image") == 2
    assert (image.read_bytes(), scan.read_bytes()) == before


def test_a_file_that_is_no_mask_is_not_replaced(covidseg, fakes, picture, nifti, tmp_path):
    film, scan = picture("film.bmp"), nifti("scan.nii")
    theirs = [picture("film.png"), nifti("scan.nii.gz"), tmp_path / "o" / "film.png"]
    theirs[2].parent.mkdir()
    theirs[2].write_bytes(b"notes")
    before = [path.read_bytes() for path in theirs]
    for image, out in ((film, tmp_path), (scan, tmp_path), (film, tmp_path / "o")):
        code, _, err = covidseg("segment", image, "--model", "ct-lungs", "--out", out)
        assert code == 2 and "is no mask that was made here" in err
    assert [path.read_bytes() for path in theirs] == before
    assert not fakes.studies


def test_a_volume_does_not_go_into_a_png(covidseg, fakes, nifti, tmp_path):
    code, _, err = covidseg("segment", nifti(), "--model", "ct-lungs", "--out", tmp_path / "m.png")
    assert code == 2 and "a PNG holds one slice" in err
    assert not fakes.studies


def test_an_option_that_an_image_has_no_use_for_is_refused(covidseg, picture, nifti, tmp_path):
    for image, option, word in (
        (picture(), ("--series", "2"), "has no series '2'"),
        (nifti(), ("--series", "2"), "has no series '2'"),
        (picture(), ("--volume", "1"), "has no volume 1"),
        (nifti(), ("--volume", "1"), "has no volume 1"),
    ):
        code, _, err = covidseg("doctor", image, *option)
        assert code == 2 and word in err


def test_a_second_run_replaces_the_first(covidseg, picture, tmp_path):
    command = ("segment", picture(), "--model", "ct-lungs", "--out", tmp_path / "o")
    assert [covidseg(*command)[0] for _ in range(2)] == [0, 0]
    assert len(list((tmp_path / "o").iterdir())) == 1


def test_a_ct_is_not_run_as_an_xray(covidseg, nifti, tmp_path):
    code, _, err = covidseg("segment", nifti(), "--model", "xray-lungs", "--out", tmp_path / "o")
    assert code == 2
    assert "is for XR" in err


def test_the_user_may_overrule_the_modality(covidseg, fakes, picture, tmp_path):
    common = ("--model", "xray-lungs", "--out", tmp_path / "o", "--modality", "xr")
    assert covidseg("segment", picture(), *common)[0] == 0
    assert fakes.studies[0].modality == "XR"


def test_options_reach_the_run(covidseg, fakes, picture, tmp_path):
    more = ("--threads", 3, "--device", "cpu", "--model-dir", tmp_path)
    covidseg("segment", picture(), "--model", "ct-lungs", "--out", tmp_path / "o", *more)
    (options,) = fakes.options
    assert (options["threads"], options["device"]) == (3, "cpu")
    assert list(options["model_dirs"]) == [tmp_path]


@pytest.mark.parametrize(
    "command",
    [
        ("segment", "scan.nii.gz", "--model", "ct-lungs", "--out", "o"),
        ("classify", "scan.nii.gz"),
        ("explain", "scan.nii.gz", "--out", "o"),
        ("models", "list"),
        ("models", "show", "ct-lungs"),
        ("models", "verify", "ct-lungs"),
    ],
)
def test_a_folder_without_models_is_not_passed_over(capsys, tmp_path, command):
    for folder, words in ((tmp_path / "typo", "no model folder at"), (tmp_path, "holds no model")):
        assert execute([*command, "--model-dir", str(folder)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and words in err and str(folder) in err
        assert len(err.strip().splitlines()) == 1


def test_what_is_given_as_json_says_that_it_is_for_research_only(covidseg, picture, tmp_path):
    for command in (("classify",), ("explain", "--out", tmp_path / "o")):
        code, out, _ = covidseg(*command, picture())
        assert code == 0 and json.loads(out)["disclaimer"] == RESEARCH_ONLY


def test_our_fault_is_code_1_and_one_line(covidseg, fakes, picture, tmp_path):
    fakes.error = RuntimeError("broken\nby us")
    common = ("--model", "ct-lungs", "--out", tmp_path / "o", "--modality", "ct")
    command = ("segment", picture(), *common)
    code, _, err = covidseg(*command)
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert "report" in err
    assert "Traceback" in covidseg("--debug", *command)[2]


def test_interruption_is_code_130(covidseg, fakes, picture, tmp_path):
    fakes.error = KeyboardInterrupt()
    code, _, err = covidseg("segment", picture(), "--model", "ct-lungs", "--out", tmp_path / "o")
    assert code == 130
    assert "Stopped" in err
    assert "Traceback" not in err


def test_the_doctor_warns_and_may_stop_a_run(covidseg, fakes, picture, tmp_path):
    command = ("segment", picture(), "--model", "ct-lungs", "--out", tmp_path / "o")
    odd = Finding("spacing-unknown", "warning", "The spacing is unknown.", "No volumes.", "Say it.")
    fakes.findings = (odd,)
    code, _, err = covidseg(*command)
    assert code == 0
    assert "warning: The spacing is unknown. No volumes. Say it." in err
    fakes.findings = (Finding("several-series", "info", "Doe; Roe.", "Series 1 was opened."),)
    _, _, err = covidseg(*command)
    assert "slice.png: Series 1 was opened." in err and "Doe" not in err
    fakes.findings = (Finding("empty", "stop", "The image is empty.", "Nothing to find."),)
    code, _, err = covidseg(*command)
    assert code == 2
    assert "The image is empty." in err
    assert len(fakes.studies) == 2


def test_doctor_command_says_what_it_sees(covidseg, fakes, nifti):
    scan = nifti()
    fakes.findings = (Finding("empty", "stop", "The image is empty.", "Nothing to find.", "Fix."),)
    code, out, _ = covidseg("doctor", scan)
    assert code == 2
    assert "10 x 20 x 24" in out and "2.5 x 0.8 x 0.8 mm" in out
    assert "stop: The image is empty." in out
    fakes.findings = ()
    code, out, _ = covidseg("doctor", scan, "--json")
    assert code == 0
    assert json.loads(out)["spacing_mm"] == pytest.approx([2.5, 0.8, 0.8])


def test_classify_prints_one_json_object_a_line(covidseg, picture, nifti, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    slice_, scan = picture(), nifti()
    code, out, err = covidseg("classify", slice_, bad, scan, "--model", "ct-covid")
    assert code == 2
    first, second = map(json.loads, out.strip().splitlines())
    assert first == {
        "image": str(slice_),
        "model": "ct-covid",
        "version": "1.0",
        "finding": "COVID-19",
        "probability": 0.7,
        "threshold": 0.6,
        "positive": True,
        "shortcut": {
            "shown": 0.7,
            "lungs_blanked": 0.65,
            "lungs_only": 0.2,
            "from_lungs": False,
        },
        "disclaimer": RESEARCH_ONLY,
    }
    assert second["image"] == str(scan)
    assert second["slices"] == [{"index": z, "probability": 0.25} for z in range(10)]
    assert (second["slices_positive"], second["slices_total"]) == (0, 10)
    assert str(bad) in err


def test_it_is_counted_how_many_slices_reach_the_threshold():
    slices = ((4, 0.6), (5, 0.59), (7, 0.9))
    result = Classification(ModelRef("m", "1.0"), "COVID-19", 0.9, 0.6, slices)
    volume, one = (from_array(np.zeros(shape)) for shape in ((9, 8, 8), (8, 8)))
    line = classification_line(Path("a.nii"), volume, result)
    assert (line["slices_positive"], line["slices_total"]) == (2, 3)
    assert not [k for k in classification_line(Path("a.png"), one, result) if "slices" in k]


@pytest.mark.parametrize(
    "arguments",
    [
        ("segmen",),
        ("segment", "a.png"),
        ("segment", "a.png", "--model", "ct-lungs"),
        ("segment", "a.png", "--modle", "x", "--out", "o"),
        ("classify",),
        ("classify", "a.png", "--threads", "none"),
        ("measure", "a.png"),
        ("evaluate", "a.png"),
        ("models", "show", "nothing"),
        ("train", "none.toml", "--data", "none", "--out", "o"),
    ],
)
def test_bad_usage_is_code_2_and_one_line(covidseg, arguments):
    code, out, err = covidseg(*arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1


def test_the_classifier_is_that_of_the_modality(covidseg, fakes, picture, nifti):
    code, out, _ = covidseg("classify", nifti())
    assert code == 0 and json.loads(out)["model"] == "ct-covid"
    code, out, _ = covidseg("classify", picture(), "--modality", "xr")
    assert code == 0 and json.loads(out)["model"] == "xray-tb"
    assert [s.modality for s in fakes.studies] == ["CT", "XR"]


def test_a_picture_of_unknown_modality_asks_for_it(covidseg, fakes, picture, monkeypatch):
    read = io.read
    monkeypatch.setattr(io, "read", lambda *a, **k: read(*a, **k).replace(modality=None))
    code, out, err = covidseg("classify", picture())
    assert (code, out, fakes.studies) == (2, "", [])
    assert "--modality" in err
    code, out, _ = covidseg("classify", picture(), "--model", "xray-tb")
    assert code == 0 and json.loads(out)["model"] == "xray-tb"
