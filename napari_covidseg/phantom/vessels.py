"""Branching vessels and bronchi of a lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEP = 5.0
_LEAF_RADIUS = 0.7


@dataclass(frozen=True)
class Tree:
    """Points along all branches.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        (z, y, x) in mm.
    radii : ndarray, shape (n,)
        In mm, falling from the root.
    """

    points: np.ndarray
    radii: np.ndarray


def grow(root: tuple[float, ...], leaves: np.ndarray, rng: np.random.Generator) -> Tree:
    """Grow a tree from a hilum to points in the lung.

    Each leaf joins where its way to the root is short and its detour small, near ones
    first; that gives the fanning, tapering branches of a lung. Radii follow Murray's
    law: the cube (here the power 2.6) of a stem is the sum over its branches.

    Parameters
    ----------
    root : tuple of float
        (z, y, x) in mm.
    leaves : ndarray, shape (n, 3)
        Ends of the branches.
    rng : numpy.random.Generator
        Makes the branches a little crooked.
    """
    capacity = 1 + len(leaves) * 60
    points = np.empty((capacity, 3))
    parent = np.full(capacity, -1)
    path = np.zeros(capacity)
    points[0] = root
    size = 1
    order = np.argsort(np.linalg.norm(leaves - root, axis=1))
    for leaf in leaves[order]:
        away = np.linalg.norm(points[:size] - leaf, axis=1)
        start = int(np.argmin(away + 0.45 * path[:size]))
        steps = max(2, int(away[start] / _STEP))
        line = points[start] + np.linspace(0, 1, steps + 1)[1:, None] * (leaf - points[start])
        line[:-1] += rng.normal(0, 0.7, (steps - 1, 3))
        if size + steps > capacity:
            break
        points[size : size + steps] = line
        parent[size : size + steps] = np.r_[start, np.arange(size, size + steps - 1)]
        path[size : size + steps] = path[start] + np.arange(1, steps + 1) * away[start] / steps
        size += steps
    carried = np.zeros(size)
    children = np.bincount(parent[1:size], minlength=size)
    carried[children == 0] = 1
    for node in range(size - 1, 0, -1):  # a child always comes after its parent
        carried[parent[node]] += carried[node]
    radii = _LEAF_RADIUS * np.maximum(carried, 1) ** (1 / 2.6)
    return _dense(points[:size], parent[:size], np.minimum(radii, 7.0))


def _dense(points: np.ndarray, parent: np.ndarray, radii: np.ndarray) -> Tree:
    """Points so close together that balls on them make smooth tubes."""
    ends = np.arange(1, len(points))
    parts = np.linspace(0, 1, 8, endpoint=False)[:, None, None]
    between = points[ends] * (1 - parts) + points[parent[ends]] * parts
    return Tree(between.reshape(-1, 3), np.tile(radii[ends], len(parts)))
