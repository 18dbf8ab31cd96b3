"""The table of data sets says what the product knows of them."""

import re
from types import ModuleType

import pytest

from tests.docs_script import load


@pytest.fixture(scope="module")
def work() -> ModuleType:
    return load("make_data_page")


def rows(text: str) -> dict[str, list[str]]:
    lines = (line for line in text.splitlines() if line.startswith("| `"))
    return {line.split("`")[1]: line.strip("| ").split(" | ") for line in lines}


def test_the_page_is_that_of_the_data_sets(work: ModuleType) -> None:
    page = work.PAGE.read_text(encoding="utf-8")
    assert page == work.page(page), "run: python docs/make_data_page.py"


def test_a_set_tells_who_learnt_from_it_and_what_is_held_out(work: ModuleType) -> None:
    found = rows(work.table())
    assert found["films_lungs"][5] == "measured only: `xray-lungs`"
    assert found["mosmed_infection"][5] == "learnt by `ct-covid`, `ct-infection`"
    assert found["volumes_lungs"][6] == "`ct`: 1 group"
    assert "Apache-2.0" in found["imagenet"][3] and "`xray-lungs`" in found["imagenet"][5]
    assert found["keras-imagenet"][5] == work.NOT_SHIPPED


def test_every_folder_has_its_layout(work: ModuleType) -> None:
    page = work.PAGE.read_text(encoding="utf-8")
    layout = page.split("## Layout")[1].split("## Splits")[0]
    named = set(re.findall(r"^\| `(\w+)` ", layout, flags=re.MULTILINE))
    folders = {cells[4].strip("`") for cells in rows(work.table()).values()} - {""}
    assert folders == named
