import cv2
import numpy as np
import pytest

from napari_covidseg.inference.frame import whole_frame
from napari_covidseg.inference.window import Window
from napari_covidseg.study import CovidsegError
from napari_covidseg.training.dataset import fold_names, read_split
from napari_covidseg.training.folds import bundles, deal
from napari_covidseg.training.sources import Item


def test_every_group_is_held_out_once_and_a_patient_of_two_sets_at_the_same_time() -> None:
    sizes = {"a": {f"p{k}": k + 1 for k in range(9)}, "b": {"p1": 3, "p8": 1, "q": 1}}
    folds = deal(sizes, {"a": frozenset({"p0", "p1"})}, k=3, seed=0)
    assert {g for g, k in folds["a"].items() if k == 0} == {"p0", "p1"}
    assert set(folds["a"].values()) == {0, 1, 2}
    assert folds["b"]["p1"] == 0
    assert folds["b"]["p8"] == folds["a"]["p8"]
    slices = [sum(sizes["a"][g] for g, k in folds["a"].items() if k == f) for f in (1, 2)]
    assert abs(slices[0] - slices[1]) <= 2
    alike = {"a": {f"p{k}": 1 for k in range(9)}}
    assert deal(alike, {}, 3, seed=0) == deal(alike, {}, 3, seed=0)
    assert deal(alike, {}, 3, seed=0) != deal(alike, {}, 3, seed=1)


def test_groups_stay_in_the_folds_that_they_were_dealt_to() -> None:
    sizes = {"a": {f"p{k}": 1 for k in range(12)}}
    before = deal(sizes, {"a": frozenset({"p0", "p1"})}, k=3, seed=0)
    more = {"a": {**sizes["a"], "new": 1}}
    # p1 is held out no more, p2 is now: these two move, and the new one is dealt.
    after = deal(more, {"a": frozenset({"p0", "p2"})}, k=3, seed=5, before=before)
    assert after["a"]["p0"] == after["a"]["p2"] == 0
    assert after["a"]["p1"] and after["a"]["new"]
    rest = set(sizes["a"]) - {"p1", "p2"}
    assert {g: after["a"][g] for g in rest} == {g: before["a"][g] for g in rest}


@pytest.mark.parametrize(("split", "count"), [("ct", 3), ("xray", 5)])
def test_the_first_fold_is_the_split_itself_and_all_are_apart(split: str, count: int) -> None:
    folds = [read_split(name) for name in fold_names(split)]
    assert len(folds) == count
    assert folds[0] == read_split(split)
    for name in folds[0]:
        held = [group for fold in folds for group in fold[name]]
        assert len(held) == len(set(held))
        assert all(fold[name] for fold in folds)


def test_a_split_without_folds_says_so() -> None:
    with pytest.raises(CovidsegError, match="folds"):
        fold_names("nothing")


def film(group: str, seed: int, brighter: float = 1.0) -> Item:
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.random((9, 9)).astype(np.float32), (64, 64)) * brighter
    blank = np.zeros(picture.shape, np.uint8)
    return Item(
        "films", group, f"{group}_{seed}", picture, blank, Window(0, 1), whole_frame((64, 64))
    )


def test_groups_that_look_alike_go_together_and_one_like_a_held_out_one_is_held_out() -> None:
    films = [film("a", 1), film("b", 1, 0.9), film("b", 2), film("c", 2), film("d", 3)]
    bundle = bundles(films)
    assert bundle == {"a": "a", "b": "a", "c": "a", "d": "d"}
    sizes = {"films": {"a": 1, "b": 2}, "more": {"c": 1, "d": 1, "e": 1}}
    folds = deal(sizes, {"films": frozenset({"b"})}, k=3, seed=0, bundle=bundle)
    assert folds["films"] == {"a": 0, "b": 0}
    assert folds["more"]["c"] == 0
    assert {folds["more"]["d"], folds["more"]["e"]} == {1, 2}
