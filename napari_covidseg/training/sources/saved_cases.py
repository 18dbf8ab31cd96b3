"""The dataset folder that the plugin saves corrected masks into."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from napari_covidseg.annotation.cases import Case, load_cases, read_case
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.training.sources.entry import Entry, translate


def find(dataset: Path, names: dict[str, int]) -> list[Entry]:
    """Find the whole cases of a dataset.

    Parameters
    ----------
    dataset : Path
        Folder with ``dataset.json``.
    names : dict
        Label name in the dataset to value in training.

    Raises
    ------
    CovidsegError
        If there is no dataset, or a label of it has no meaning in the recipe's scheme.
    """
    return [
        Entry(case.name, case.image, partial(_read, case, names), case.facts.get("group"))
        for case in load_cases(dataset)
    ]


def _read(case: Case, names: dict[str, int]) -> tuple[Study, np.ndarray]:
    values = {0: 0}
    for value, name in case.facts["label_names"].items():
        if name not in names:
            raise CovidsegError(
                f"{case.name}: the dataset knows a label {name!r}: say in data, labels = "
                f'{{"{name}" = "..."}}, which label of the recipe\'s scheme it is.'
            )
        values[int(value)] = names[name]
    study, labels = read_case(case)
    return study, translate(labels, values, case.labels.name)
