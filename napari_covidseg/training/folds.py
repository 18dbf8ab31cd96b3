"""Make a file of folds from a split: ``python -m napari_covidseg.training.folds ct 3 --data DIR``.

Fold 0 is what the split holds out already, so that a model trained on the split is one of
the folds; the other groups are dealt out by chance from a fixed seed, set by set, the
larger ones first; those that an earlier file of folds names stay where they were. A group
(a patient) of several sets is in the same fold in all of them.

With ``--alike`` groups whose pictures look nearly the same go together too, over all sets:
one that looks like a held-out one is held out as well, and the split is written again.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_covidseg.io.atomic import write_text
from napari_covidseg.training.dataset import read_split
from napari_covidseg.training.near_duplicates import alike, fingerprint
from napari_covidseg.training.sources import Item, load

SPLITS = Path(__file__).parent / "splits"


def deal(
    sizes: Mapping[str, Mapping[str, int]],
    held: Mapping[str, frozenset[str]],
    k: int,
    seed: int,
    bundle: Mapping[str, str] | None = None,
    before: Mapping[str, Mapping[str, int]] | None = None,
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
    bundle : mapping, optional
        Group to the name of its bundle, see `bundles`; without it each is its own.
    before : mapping, optional
        Folds as they were dealt before, set to group to fold. A group keeps its own, so that
        what was measured by them stays comparable, unless it is held out now or was then.
    """
    chance = random.Random(seed)
    of = {group: (bundle or {}).get(group, group) for groups in sizes.values() for group in groups}
    fold: dict[str, int] = {}
    for name in sizes:
        fold.update(dict.fromkeys((of[group] for group in held.get(name, ()) if group in of), 0))
    for groups in (before or {}).values():
        for group, kept in groups.items():
            if group in of and kept:
                fold.setdefault(of[group], kept)
    for groups in sizes.values():
        bundled: Counter[str] = Counter()
        for group, size in groups.items():
            bundled[of[group]] += size
        filled = Counter({f: 0 for f in range(1, k)})
        for one, size in bundled.items():
            if fold.get(one):
                filled[fold[one]] += size
        rest = sorted(one for one in bundled if one not in fold)
        chance.shuffle(rest)
        for one in sorted(rest, key=lambda b: -bundled[b]):
            emptiest = min(filled, key=lambda f: (filled[f], f))
            fold[one] = emptiest
            filled[emptiest] += bundled[one]
    return {
        name: {group: fold[of[group]] for group in sorted(groups)} for name, groups in sizes.items()
    }


def bundles(items: Sequence[Item]) -> dict[str, str]:
    """Give groups with nearly the same picture, directly or through others, one name.

    Returns
    -------
    dict
        Group to the first name, by the alphabet, of its bundle.
    """
    first = {item.group: item.group for item in items}

    def root(group: str) -> str:
        while first[group] != group:
            group = first[group]
        return group

    prints = [fingerprint(item.picture, item.window) for item in items]
    for i, j, _ in alike(prints, prints):
        low, high = sorted((root(items[i].group), root(items[j].group)))
        first[high] = low
    return {group: root(group) for group in first}


def main() -> None:
    """Write the file beside the split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("split")
    parser.add_argument("folds", type=int)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alike", action="store_true", help="keep look-alikes together")
    options = parser.parse_args()
    held = read_split(options.split)
    items = {name: load(name, options.data) for name in held}
    sizes = {name: dict(Counter(item.group for item in items[name])) for name in held}
    bundle = bundles([item for one in items.values() for item in one]) if options.alike else None
    path = SPLITS / f"{options.split}-folds.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    folds = deal(sizes, held, options.folds, options.seed, bundle, before)
    write_text(path, json.dumps(folds, indent=1) + "\n")
    if options.alike:
        split = {name: [g for g, fold in one.items() if fold == 0] for name, one in folds.items()}
        write_text(SPLITS / f"{options.split}.json", json.dumps(split, indent=1) + "\n")


if __name__ == "__main__":
    main()
