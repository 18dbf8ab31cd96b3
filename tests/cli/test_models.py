"""covidseg models: list, show and verify."""

import json

from napari_covidseg.cli.app import execute
from tests.inference.conftest import write_tiny


def test_list_is_the_default(covidseg):
    code, out, _ = covidseg("models")
    assert code == 0
    assert "xray-lungs" in out
    assert "Research use only" in out


def test_list_as_json(covidseg):
    code, out, _ = covidseg("models", "list", "--json")
    assert code == 0
    assert {m["name"] for m in json.loads(out)} >= {"ct-lungs", "ct-covid"}


def test_show_gives_the_card(covidseg):
    assert "Where it fails" in covidseg("models", "show", "ct-lungs")[1]


def test_show_says_that_a_model_of_ones_own_has_no_card(tmp_path, capsys):
    write_tiny(tmp_path, "tiny")
    assert execute(["models", "show", "tiny", "--model-dir", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("tiny ") and "not a medical device" in out
    assert "tiny has no card; covidseg evaluate-model tiny --data DATA --write" in err


def test_verify_names_the_damaged_and_checks_the_rest(covidseg, fakes):
    assert covidseg("models", "verify")[0] == 0
    fakes.damaged.add("ct-lungs")
    code, out, err = covidseg("models", "verify")
    assert code == 2
    assert err.startswith("ct-lungs: the weights are damaged")
    assert "ct-infection 1.0: ok" in out


def test_list_tells_versions_and_where_from(covidseg):
    first = json.loads(covidseg("models", "list", "--json")[1])[0]
    assert (first["version"], first["from"]) == ("1.0", "shipped")


def test_brackets_in_a_description_are_no_markup(tmp_path, capsys):
    write_tiny(tmp_path, "tiny")
    path = tmp_path / "tiny" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "summary": "[/b] as [it] is"}))
    (path.parent / "README.md").write_bytes("Zürich".encode("latin-1"))
    assert execute(["models", "list", "--model-dir", str(tmp_path)]) == 0
    assert "[/b] as" in capsys.readouterr().out
    assert execute(["models", "show", "tiny", "--model-dir", str(tmp_path)]) == 0
    assert "rich" in capsys.readouterr().out


def test_install_of_a_folder_without_a_model_says_so(tmp_path, capsys):
    assert execute(["models", "install", str(tmp_path)]) == 2
    assert "model.json cannot be read" in capsys.readouterr().err
