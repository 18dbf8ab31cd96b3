"""Finding: one thing about an input that bears on the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "stop"]


@dataclass(frozen=True)
class Finding:
    """One thing about an input that bears on the result.

    Attributes
    ----------
    code : str
        Stable name.
    severity : {"info", "warning", "stop"}
        ``stop``: a run would be meaningless.
    what, effect : str
        What is wrong, and what it does to the result.
    fix : str or None
        What to do about it.
    fix_code : str or None
        What `apply_fix` takes to do it; None where only a person can.
    """

    code: str
    severity: Severity
    what: str
    effect: str
    fix: str | None = None
    fix_code: str | None = None
