"""covidseg evaluate-model: which split it takes, and that what is measured on it is said."""

from pathlib import Path

import pytest

from napari_covidseg.cli.app import execute
from napari_covidseg.training import evaluate
from napari_covidseg.training.found import Summary
from tests.inference.conftest import write_tiny


@pytest.mark.parametrize(("given", "from_here"), [("ct", False), ("mine.json", True)])
def test_a_split_in_a_file_is_looked_for_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, from_here: bool
) -> None:
    write_tiny(tmp_path / "models", "tiny")
    taken = []

    def measure(*_: object, split: str, **__: object) -> Summary:
        taken.append(split)
        return Summary([])

    monkeypatch.setattr(evaluate, "evaluate_model", measure)
    monkeypatch.chdir(tmp_path)
    where = ["--data", ".", "--model-dir", "models"]
    assert execute(["evaluate-model", "tiny", *where, "--split", given]) == 0
    assert taken == [str(tmp_path / given) if from_here else given]
