"""Which pictures of the CT slices told apart as a whole are of one patient."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from napari_covidseg.study import CovidsegError
from napari_covidseg.training.dataset import read_split
from napari_covidseg.training.sources.classification import covid_classification

UCSD = "covid_ct_ucsd"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A few pictures of each source, called as those of the published sets are."""
    names = {
        f"{UCSD}/COVID": (
            "2020.02.10.20021584-p6-52%0.png",
            "2020.02.10.20021584-p7-60.png",
            "PIIS0140673620303603%0.png",
            "PIIS0140673620303603%8.png",
            "PIIS0140673620301549_0%1.png",
            "PIIS0140673620301549_2.png",
        ),
        f"{UCSD}/NonCOVID": ("1%0.jpg", "1046.jpg", "1047.jpg"),
        "sarscov2_ctscan_soares/COVID": ("Covid (1).png",),
        "sarscov2_ctscan_soares/NonCOVID": ("Non-Covid (1).png",),
        "mosmed_midslice/COVID": ("study_0255.png",),
        "mosmed_midslice/NonCOVID": ("study_0001.png",),
    }
    rng = np.random.default_rng(0)
    for folder, files in names.items():
        place = tmp_path / "ct_classification" / folder
        place.mkdir(parents=True)
        for name in files:
            cv2.imwrite(str(place / name), rng.integers(0, 255, (48, 48), np.uint8))
    table = (
        "n,image name,patient id\n0,1%0.jpg,crawled_1\n1,1046.png,medpix_13\n2,1047.png,medpix_13\n"
    )
    (tmp_path / "ct_classification" / UCSD / "NonCOVID-CT-MetaInfo.csv").write_text(table)
    return tmp_path


def test_a_patient_and_a_paper_are_one_group_whatever_the_ending(data: Path) -> None:
    of = {item.name.split("/")[-1]: item.group for item in covid_classification(data)}
    assert of["1046.jpg"] == of["1047.jpg"] == f"{UCSD}/medpix_13" != of["1%0.jpg"]
    assert of["2020.02.10.20021584-p6-52%0.png"] == of["2020.02.10.20021584-p7-60.png"]
    assert of["PIIS0140673620303603%0.png"] == of["PIIS0140673620303603%8.png"]
    assert of["PIIS0140673620301549_0%1.png"] == of["PIIS0140673620301549_2.png"]
    assert len({group for group in of.values() if group.startswith(UCSD)}) == 5


def test_a_picture_of_nobody_stops(data: Path) -> None:
    table = data / "ct_classification" / UCSD / "NonCOVID-CT-MetaInfo.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(CovidsegError, match=r"1047\.jpg is not in NonCOVID-CT-MetaInfo\.csv"):
        list(covid_classification(data))


@pytest.mark.shared
def test_the_split_names_the_patients_of_the_real_set(shared_data: Path) -> None:
    groups = {item.group for item in covid_classification(shared_data)}
    held = read_split("ct")["covid_classification"]
    assert held < groups
    assert {group.split("/")[0] for group in held} == {group.split("/")[0] for group in groups}
