import pytest

from napari_covidseg.training.wording import counted, listed


@pytest.mark.parametrize(("count", "said"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases")])
def test_one_is_not_many(count: int, said: str) -> None:
    assert counted(count, "case") == said


def test_a_long_list_ends_in_a_count() -> None:
    assert listed(list("abcde")) == "a, b, c, d, e"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
