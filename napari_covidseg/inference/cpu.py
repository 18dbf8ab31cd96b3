"""What the CPU can do, and how TensorFlow is made to use it."""

from __future__ import annotations

import os
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def has_amx() -> bool:
    """Whether the CPU multiplies bfloat16 matrices by itself (AMX); told on Linux only.

    Only there is bfloat16 faster than float32; on a CPU that merely converts it (AVX-512
    BF16) it is slower.
    """
    try:
        return "amx_bf16" in CPU_INFO.read_text(encoding="utf-8").split()
    except OSError:
        return False


def use_onednn() -> None:
    """Let TensorFlow use oneDNN, unless the user has decided; before TensorFlow is imported.

    On CPUs without AVX-512 it does not by itself, though training is a quarter (U-Net) to
    nearly a half (MobileNetV2) faster with it.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
