"""Make a file of folds from a split: ``python -m napari_covidseg.training.folds ct 3 --data DIR``.

Fold 0 is what the split holds out already, so that a model trained on the split is one of
the folds; the other groups are dealt out by chance from a fixed seed, set by set, the
larger ones first. A group (a patient) of several sets is in the same fold in all of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from napari_covidseg.io.atomic import atomic
from napari_covidseg.training.dataset import read_split
from napari_covidseg.training.sources import load

SPLITS = Path(__file__).parent / "splits"


def deal(
    sizes: Mapping[str, Mapping[str, int]], held: Mapping[str, frozenset[str]], k: int, seed: int
) -> dict[str, dict[str, int]]:
    """Fold of every group of every set.

    Parameters
    ----------
    sizes : mapping
        Set to group to number of items.
    held : mapping
        Set to the groups of fold 0.
    k : int
        Folds, at least 2.
    seed : int
    """
    chance = random.Random(seed)
    fold: dict[str, int] = {}
    for name in sizes:
        fold.update(dict.fromkeys(held.get(name, ()), 0))
    for groups in sizes.values():
        filled = Counter({f: 0 for f in range(1, k)})
        for group, size in groups.items():
            if fold.get(group):
                filled[fold[group]] += size
        rest = sorted(group for group in groups if group not in fold)
        chance.shuffle(rest)
        for group in sorted(rest, key=lambda g: -groups[g]):
            emptiest = min(filled, key=lambda f: (filled[f], f))
            fold[group] = emptiest
            filled[emptiest] += groups[group]
    return {
        name: {group: fold[group] for group in sorted(groups)} for name, groups in sizes.items()
    }


def main() -> None:
    """Write the file beside the split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("split")
    parser.add_argument("folds", type=int)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    held = read_split(options.split)
    sizes = {name: dict(Counter(i.group for i in load(name, options.data))) for name in held}
    folds = deal(sizes, held, options.folds, options.seed)
    with atomic(SPLITS / f"{options.split}-folds.json") as temporary:
        temporary.write_text(json.dumps(folds, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
