"""The page of augmentations lists the changes that there are, and shows each."""

from types import ModuleType

import pytest

from napari_covidseg.training.augment_spec import AugmentSpec
from tests.docs_script import load


@pytest.fixture(scope="module")
def work() -> ModuleType:
    return load("make_augmentation_page")


def test_the_page_is_that_of_the_changes(work: ModuleType) -> None:
    page = work.PAGE.read_text(encoding="utf-8")
    assert page == work.page(), "run: python docs/make_augmentation_page.py"


def test_each_change_has_its_picture_and_no_other_is_there(work: ModuleType) -> None:
    shown = {path.stem for path in work.IMAGES.glob("*.png")}
    assert shown == {change.name for change in work.CHANGES}


def test_each_change_that_a_recipe_can_ask_for_is_listed(work: ModuleType) -> None:
    listed = {name for change in work.CHANGES for name in change.fields}
    assert listed == set(AugmentSpec.model_fields)
