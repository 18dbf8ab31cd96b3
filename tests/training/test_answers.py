"""What is told of a classifier: its threshold, its probabilities, where its answers come from."""

import numpy as np
import pytest

from napari_covidseg.measure.agreement import bootstrap_intervals
from napari_covidseg.segmentation import Shortcut
from napari_covidseg.training import answers
from napari_covidseg.training.answers import Answer
from napari_covidseg.training.figures import Figure, in_words

NAMES = {"set": "s", "unit": "picture"}


def told(cases: list[Answer]) -> dict[tuple[str, str], Figure]:
    return {(f.measure, f.label): f for f in answers.figures(cases, **NAMES)}


def case(k: int, truth: int, p: float, cut: float = 0.5, **more: object) -> Answer:
    return Answer(f"p{k}", truth, p, p >= cut, **more)


def test_an_operating_point_is_told_with_its_support() -> None:
    # 3 of 4 ill are found, 1 of 5 healthy is called ill
    p = [0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3, 0.4]
    found = told([case(k, int(k < 4), v) for k, v in enumerate(p)])
    expected = {
        "sensitivity": (3 / 4, 4),
        "specificity": (4 / 5, 5),
        "precision": (3 / 4, 4),
        "F1": (3 / 4, 9),
        "accuracy": (7 / 9, 9),
        "Brier score": (np.mean([(v - (k < 4)) ** 2 for k, v in enumerate(p)]), 9),
    }
    for measure, (value, n) in expected.items():
        figure = found[measure, "all"]
        assert (figure.mean, figure.n) == (pytest.approx(value), n), measure
        assert figure.low <= figure.mean <= figure.high, measure
        assert np.isnan(figure.worst) and "worst" not in in_words(figure)
    assert found["AUC", "all"].mean == pytest.approx(17 / 20)


def test_the_models_own_threshold_decides_whatever_the_probability() -> None:
    cases = [case(k, k % 2, 0.2 + 0.1 * (k % 2), cut=0.25) for k in range(6)]
    assert told(cases)["accuracy", "all"].mean == 1


def test_a_threshold_that_holds_in_one_source_only_shows() -> None:
    cases = [
        Answer(f"{place}/p{k}", k % 2, 0.4 + 0.4 * (k % 2) + shift, 0.4 * (k % 2) + shift >= 0.1)
        for place, shift in (("here", 0.0), ("there", 0.15))
        for k in range(10)
    ]
    found = told(cases)
    assert found["specificity", "here"].mean == 1 and found["specificity", "there"].mean == 0
    assert found["specificity", "all"].mean == 0.5
    assert ("Brier score", "here") not in found


def test_patients_are_resampled_not_pictures() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(40) < 0.7
    one_each = [Answer(f"p{k}", 1, 0.5, bool(r)) for k, r in enumerate(right)]
    five_each = [Answer(a.group, 1, 0.5, a.positive) for a in one_each for _ in range(5)]
    wide, same = (told(cases)["sensitivity", "all"] for cases in (one_each, five_each))
    assert (same.n, same.groups) == (200, 40)
    assert same.high - same.low == pytest.approx(wide.high - wide.low, abs=0.03)


def test_an_interval_of_a_share_is_about_as_wide_as_theory_says() -> None:
    values = np.arange(400) % 4 == 0
    ((low, high),) = bootstrap_intervals(lambda k: [values[k].mean()], np.arange(400))
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.01)
    assert np.isnan(bootstrap_intervals(lambda k: [1.0], ["p"] * 4)).all()


def test_one_class_alone_has_no_auc_and_says_no_more_than_it_can() -> None:
    found = told([case(k, 1, 0.6) for k in range(4)])
    assert np.isnan(found["AUC", "all"].mean)
    assert found["sensitivity", "all"].mean == 1 and found["specificity", "all"].n == 0


def test_answers_are_told_with_parts_of_the_picture_blanked() -> None:
    # p0 to p3 ill: seen in the lungs; p0 stays positive without them, p4 has no lungs
    blanked = [0.8, 0.1, 0.1, 0.1, 0.2, 0.1, 0.3]
    cases = [
        case(
            k,
            int(k < 4),
            0.9 if k < 4 else 0.1,
            shortcut=Shortcut(0.9 if k < 4 else 0.1, b, 0.7 if k < 4 else 0.2, 0.5),
        )
        for k, b in enumerate(blanked)
    ]
    cases[4] = case(4, 0, 0.1)
    found = told(cases)
    assert found["AUC, as given", "all"].mean == 1
    assert (found["AUC, as given", "all"].n, found["AUC", "all"].n) == (6, 7)
    # ill: .8 .1 .1 .1; healthy: .1 .3: pairs won 2, tied 3 of 8
    assert found["AUC, lungs blanked", "all"].mean == pytest.approx(3.5 / 8)
    assert found["AUC, all but the lungs blanked", "all"].mean == 1
    still = found["still positive, lungs blanked", "all"]
    assert (still.mean, still.n) == (0.25, 4)


def test_without_lungs_nothing_is_told_of_shortcuts() -> None:
    found = told([case(k, k % 2, 0.5) for k in range(4)])
    assert not {measure for measure, _ in found} & set(answers.SHORTCUT)


def test_the_surest_wrong_answers_come_first() -> None:
    said = [(0, 0.9), (1, 0.05), (1, 0.3), (0, 0.6), (0, 0.2), (1, 0.99)]
    cases = [case(k, truth, p, case=f"c{k}") for k, (truth, p) in enumerate(said)]
    assert [w.case for w in answers.most_wrong(cases)] == ["c1", "c0", "c2", "c3"]
    assert answers.most_wrong(cases)[0] == answers.Wrong("c1", 1, 0.05)
    alike = [case(k, 0, 0.8, case=f"c{9 - k}") for k in range(9)]
    assert [w.case for w in answers.most_wrong(alike)] == ["c1", "c2", "c3", "c4", "c5"]


def test_the_models_own_threshold_says_what_is_wrong() -> None:
    assert not answers.most_wrong([case(0, 1, 0.3, cut=0.25)])


def test_the_table_holds_every_case_once() -> None:
    rng = np.random.default_rng(0)
    cases = [case(k, int(rng.random() < 0.5), float(rng.random())) for k in range(50)]
    bins = answers.table(cases)
    assert sum(b.n for b in bins) == 50
    assert sum(b.n * b.observed for b in bins) == pytest.approx(sum(a.truth for a in cases))
