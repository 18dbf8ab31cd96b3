"""Make the next thing in a thread while the last one is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """Yield ``make(item)`` for each item, in order, one of them made in advance.

    NumPy, OpenCV and TensorFlow let other threads work, so that preparing pictures costs
    no time of its own beside a network.
    """
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, items[0]) if items else None
        for k in range(len(items)):
            assert coming is not None
            made = coming.result()
            if k + 1 < len(items):
                coming = pool.submit(make, items[k + 1])
            yield made
