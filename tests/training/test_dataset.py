"""What a network is shown in training, and how often each picture."""

from pathlib import Path

import numpy as np

from napari_covidseg.inference.frame import whole_frame, with_rim
from napari_covidseg.inference.input_spec import InputSpec
from napari_covidseg.inference.shortcut import LEVELS, Blanked
from napari_covidseg.inference.window import Window
from napari_covidseg.study import Modality
from napari_covidseg.training.dataset import Batches, cache, stack_still
from napari_covidseg.training.recipe import Recipe, load_recipe
from napari_covidseg.training.sources import Item

RECIPE = """
name = "toy"
version = "0.0.1"
title = "Toy"
summary = "Toy."
task = "classification"
role = "classification"
modality = "XR"
finding = "toy"
split = "xray"
data = [{ set = "toys" }]
input = { values = "xray", frame = "lungs", size = 64, outside = "blank" }
network = { architecture = "mobilenet_classifier" }
training = { steps = 1, batch = 4 }
"""


def item(group: str, label: int, found: np.ndarray | None = None) -> Item:
    picture = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    frame = whole_frame(picture.shape)
    return Item("toys", group, group, picture, label, Window(0, 255), frame, frame, found=found)


def recipe(folder: Path) -> Recipe:
    (folder / "toy.toml").write_text(RECIPE)
    return load_recipe(folder / "toy.toml")


def test_classes_of_a_source_come_equally_often_and_small_sources_are_heard(tmp_path: Path) -> None:
    found = np.full((96, 96), 255, np.uint8)
    made = recipe(tmp_path)
    items = [item("big/p1", 1, found), *[item(f"big/n{k}", 0, found) for k in range(8)]]
    items += [item(f"small/p{k}", 1, found) for k in range(2)] + [item("small/n", 0, found)]
    odds = Batches([cache(i, made.input, False) for i in items], made).odds
    big, small = np.array([9, 3]) ** 0.5 / (9**0.5 + 3**0.5)
    assert np.isclose(odds[0], big / 2)
    assert np.allclose(odds[1:9], big / 2 / 8)
    assert np.allclose(odds[9:], [small / 4, small / 4, small / 2])


def test_beyond_the_lungs_and_their_rim_nothing_is_shown() -> None:
    found = np.zeros((96, 96), np.uint8)
    found[30:60, 30:60] = 255
    spec = InputSpec(values="xray", frame="lungs", size=64, outside="blank")
    shown, _ = stack_still([cache(item("a/b", 0, found), spec, False)], spec)
    assert shown.shape == (1, 64, 64, 1)
    assert np.allclose(shown[0, :10, :, 0], LEVELS[Modality.XR][Blanked.REST])
    open_spec = InputSpec(values="xray", frame="lungs", size=64, lungs=True)
    seen, _ = stack_still([cache(item("a/b", 0, found), open_spec, False)], open_spec)
    lungs = with_rim(seen[0, ..., 1]) > 0
    assert lungs.sum() > (seen[0, ..., 1] > 0.5).sum()
    assert np.allclose(shown[0, ..., 0][lungs], seen[0, ..., 0][lungs])


def test_where_no_lung_was_found_the_whole_picture_is_shown() -> None:
    assert with_rim(np.zeros((64, 64), np.float32)).all()
