"""Which validation pictures are looked at after an epoch."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from own_data import recipe as write_recipe

from napari_covidseg.inference import job
from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.training.dataset import cache
from napari_covidseg.training.recipe import load_recipe
from napari_covidseg.training.sources import Item
from napari_covidseg.training.validation import MOST, Validation, drawn, probabilities


@pytest.mark.parametrize("count", [1, 95, 96, 97, 191, 192, 500])
def test_pictures_are_chosen_evenly_from_the_first_to_the_last(tmp_path: Path, count: int) -> None:
    recipe = load_recipe(write_recipe(tmp_path, '[[data]]\nkind = "pairs"\npath = "films"\n'))
    blank, frame = np.zeros((8, 8), np.uint8), whole_frame((8, 8))
    one = cache(Item("films", "p", "", blank, blank, Window(0, 1), frame), recipe.input, False)
    items = [replace(one, item=replace(one.item, name=str(k))) for k in range(count)]
    shown = Validation(items, recipe, SimpleNamespace(target=lambda masks: masks))
    chosen = np.array([int(name.removeprefix("films/")) for name in shown.names])
    assert len(chosen) == len(shown.pictures) == min(count, MOST)
    assert chosen[0] == 0 and chosen[-1] == count - 1
    steps = np.diff(chosen)
    assert not steps.size or steps.min() >= max(1, steps.max() - 1)


def test_labels_are_drawn_as_in_use() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.4, 0.35, 0.25], [0.45, 0.2, 0.35], [0.1, 0.2, 0.7]])
    logits = np.log(p).astype(np.float32)[np.newaxis, np.newaxis]
    assert drawn(probabilities(logits), 0.5).tolist() == [[[0, 1, 2, 2]]]
    assert drawn(probabilities(logits), 0.3).tolist() == [[[1, 1, 2, 2]]]
    out = np.zeros((4, 8, 8), np.uint8)
    for k, one in enumerate(p):  # what inference draws of the same, pixel by pixel
        levels = np.broadcast_to(np.round(one[1:] * 255).astype(np.uint8), (8, 8, 2))
        job._label(np.ascontiguousarray(levels), whole_frame((8, 8)), 0.5, out[k])
    assert out.max((1, 2)).tolist() == drawn(probabilities(logits), 0.5).ravel().tolist()
