"""Counts and lists of names, as findings and errors say them."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5
"""So many names are given at most."""


def counted(count: int, noun: str) -> str:
    """Give a count with its noun, whose plural ends in -s: ``"1 case"``, ``"3 cases"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str]) -> str:
    """List the first `NAMED` names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
