import pytest

from napari_covidseg.training import precision


@pytest.mark.parametrize(("amx", "chosen"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_auto_takes_half_precision_with_amx_only(
    monkeypatch: pytest.MonkeyPatch, amx: bool, chosen: str
) -> None:
    monkeypatch.setattr(precision, "has_amx", lambda: amx)
    assert precision.choose("auto") == chosen
    assert precision.choose("float32") == "float32"
    assert precision.choose("mixed_bfloat16") == "mixed_bfloat16"
