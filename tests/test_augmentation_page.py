"""The page of augmentations lists the changes that there are, and shows each."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_covidseg.training.augment_spec import AugmentSpec

SCRIPT = Path(__file__).parents[1] / "docs" / "make_augmentation_page.py"


@pytest.fixture(scope="module")
def work() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_augmentation_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for their annotations
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_changes(work: ModuleType) -> None:
    page = work.PAGE.read_text(encoding="utf-8")
    assert page == work.page(), "run: python docs/make_augmentation_page.py"


def test_each_change_has_its_picture_and_no_other_is_there(work: ModuleType) -> None:
    shown = {path.stem for path in work.IMAGES.glob("*.png")}
    assert shown == {change.name for change in work.CHANGES}


def test_each_change_that_a_recipe_can_ask_for_is_listed(work: ModuleType) -> None:
    listed = {name for change in work.CHANGES for name in change.fields}
    assert listed == set(AugmentSpec.model_fields)
