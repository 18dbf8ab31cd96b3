from pathlib import Path

import pytest

from napari_covidseg.inference import cpu


@pytest.mark.parametrize(
    ("flags", "found"), [("fma avx512_bf16 amx_bf16 amx_tile", True), ("fma avx512_bf16", False)]
)
def test_amx_is_told_from_mere_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, found: bool
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor : 0\nflags\t: {flags}\n")
    monkeypatch.setattr(cpu, "CPU_INFO", info)
    assert cpu.has_amx() is found


def test_a_system_that_does_not_tell_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "none")
    assert cpu.has_amx() is False
