"""Values of DICOM elements as plain Python, fast and forgiving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

Header = Dataset | Mapping[str, Any]
"""A data set, or an empty mapping where there is none (a data set is slow to make)."""

_ASCII = {"CS", "DS", "IS", "UI"}  # kinds of text that hold no other letters


def text(data: Header, keyword: str) -> str:
    """Value of an element as a word, empty where absent."""
    return " ".join(str(v) for v in elements(data, keyword)).strip()


def numbers(data: Header, keyword: str, count: int) -> tuple[float, ...] | None:
    """Value of an element as so many finite numbers; None where absent or not so."""
    try:
        found = tuple(float(v) for v in elements(data, keyword))
    except (TypeError, ValueError):
        return None
    finite = all(abs(v) < float("inf") for v in found)
    return found if len(found) == count and finite else None


def integer(data: Header, keyword: str) -> int:
    """Value of an element as one whole number, 0 where absent."""
    found = numbers(data, keyword, 1)
    return int(found[0]) if found else 0


def elements(data: Header, keyword: str) -> Sequence[Any]:
    """Values of an element, none where it is absent or empty.

    Plain text and short integers are taken from the bytes, past pydicom's general and
    slower conversion: a folder has thousands of them.
    """
    raw = data.get_item(_tag(keyword)) if isinstance(data, Dataset) else None
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        kind = raw.VR or dictionary_VR(raw.tag)
        if kind in _ASCII and raw.value.isascii():
            words = raw.value.decode("ascii").strip(" \0")
            return [word.strip() for word in words.split("\\")] if words else ()
        if kind == "US" and len(raw.value) == 2:
            return (int.from_bytes(raw.value, "little" if raw.is_little_endian else "big"),)
    value = data.get(keyword)
    if value is None or value == "":
        return ()
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return (value,)
    return tuple(value)


def first_item(data: Header, keyword: str) -> Header:
    """First item of a sequence, an empty mapping where absent."""
    items = data.get(keyword)
    return items[0] if items else {}


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)
