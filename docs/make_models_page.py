"""Write docs/models.md from the reports in models/*/.

Run from the root of the project: ``python docs/make_models_page.py``. Figures of ours are
never typed by hand: they come from ``metrics.json``, ``cross-validation.json`` and
``leave-one-source-out.json`` beside each model.
"""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "napari_covidseg" / "models"

RECIPES = ROOT / "napari_covidseg" / "training" / "recipes"

HEAD = """# Models

**Research use only, not a medical device.** Figures are of held-out cases (see
[data.md](data.md) for the splits), made by `covidseg reproduce NAME --data DATA --write` and put
into this page by `python docs/make_models_page.py`; those of sources left out and of a
cross-validation also need `--out RUNS`. Means over cases with a 95% bootstrap interval that
resamples patients (of fewer than five it is hardly more than their range); background is left out
of Dice. An image on which nothing is drawn has no Dice, unless the model marks something there:
then it counts as 0. Each model's card (`models/NAME/README.md`) has all figures, the terms of its
data and a picture. A card of a segmentation describes the worst cases that people looked at; that
of a classifier lists its surest wrong answers, if its figures were made since these are noted.

How to make a model again: stages stand in `napari_covidseg/training/recipes/` and
`models/NAME/recipe.toml`; run them into one folder in the order that their first lines name.
"""

VARIANTS = ROOT / "docs" / "variants"
"""Reports of recipes that were trained and measured, and whose models do not ship."""

BESIDE_OTHERS = """
## Beside older systems and published results

Every figure stands with its protocol, for few are measured on the same cases: the older systems'
test cases are not known one by one, and the published ones are the other half of the set that we
train on. A validation loss or a Dice that counts background cannot be turned into ours.
Fan et al. 2020: "Inf-Net: automatic COVID-19 lung infection segmentation from CT images",
IEEE Transactions on Medical Imaging 39:2626.

`xray-ggo-alone` and `xray-ggo-adversarial` are recipes in `napari_covidseg/training/recipes/`, the
same but for the critic; `xray-lungs-resunet` starts without weights and takes 240 steps of four
films. They do not ship. Their figures are made again by
`covidseg train RECIPE --data DATA --out RUNS` and
`covidseg evaluate-model NAME --model-dir RUNS --data DATA --write`.
"""

CRITIC = ("xray-ggo-alone", "xray-ggo-adversarial")
"""Two models that differ by a critic alone, whose figures stand on the page."""

TASK = """
### {}

| system | figure | on what |
|---|---|---|
"""

FIGURES = """
## All models

| model | data set | measure | mean [95% interval] | worst | n |
|---|---|---|---|---|---|
"""

SHOWN = {
    "Dice",
    "Dice, pixels pooled",
    "HD95 in mm",
    "right and left swapped",
    "% of lung marked",
    "AUC",
    "accuracy",
    "specificity",
    "expected calibration error",
    "AUC, lungs blanked",
    "AUC, all but the lungs blanked",
    "AUC, source never seen",
    "accuracy, source never seen",
}

HOW = {
    "metrics.json": lambda report: "held out",
    "cross-validation.json": lambda report: (
        f"{report['folds']}-fold"
        + (f", {report['steps']} steps a stage" if "steps" in report else "")
    ),
    "leave-one-source-out.json": lambda report: "each source left out",
}
"""Reports of a model's folder, and how what they tell was measured."""


@dataclass(frozen=True)
class Other:
    """A figure that is not ours."""

    system: str
    figure: str
    protocol: str


@dataclass(frozen=True)
class Ours:
    """Which figures of a model stand beside others."""

    model: str
    set: str
    measures: tuple[str, ...] = ("Dice",)
    labels: tuple[str, ...] = ("any",)


SOURCES = ("covid_ct_ucsd", "mosmed_midslice", "sarscov2_ctscan_soares")

FAN = "trained on half of the set, mean Dice per slice on the other half (Fan et al. 2020)"

TASKS: dict[str, tuple[tuple[Other, ...], tuple[Ours, ...]]] = {
    "Ground glass on films": (
        (
            Other(
                "older GAN of U-Net and residual critic",
                "Dice 0.501, recall 0.474, precision 0.532",
                "its own test films",
            ),
        ),
        tuple(
            Ours(name, "films_ground_glass", ("Dice", "sensitivity", "precision"))
            for name in ("xray-ggo", "xray-ggo-alone", "xray-ggo-adversarial")
        ),
    ),
    "Lungs on films": (
        (
            Other("older U-Net, 7.76 M", "validation loss 0.0317", "its own validation films"),
            Other("older ResUNet, 4.72 M", "validation loss 0.0286", "its own validation films"),
        ),
        tuple(
            Ours(name, films)
            for name in ("xray-lungs", "xray-lungs-unet", "xray-lungs-resunet")
            for films in ("shenzhen_lungs", "covid_films_lungs", "films_lungs")
        ),
    ),
    "Tuberculosis on films": (
        (
            Other(
                "older MLP on features of a pretrained network, three versions",
                "accuracy 0.84, 0.89, 0.90",
                "its own test films",
            ),
        ),
        (Ours("xray-tb", "shenzhen_tb", ("accuracy", "AUC"), ("all",)),),
    ),
    "Infection on CT, slices of COVID-SemiSeg": (
        (
            Other("older U-Net", "Dice 0.79", "60/40 split of 100 slices"),
            Other("U-Net", "Dice 0.44", FAN),
            Other("Inf-Net", "Dice 0.68", FAN),
            Other("Semi-Inf-Net", "Dice 0.74", FAN),
        ),
        (Ours("ct-infection", "semiseg_infection"),),
    ),
    "Right lung, left lung and infection on CT": (
        (Other("older flexible U-Net", "Dice 0.953", "its own slices, background counted"),),
        (
            Ours("ct-lungs", "covid_slices_lungs", labels=("right lung", "left lung")),
            Ours("ct-infection", "covid_slices_infection"),
        ),
    ),
    "COVID-19 on CT": (
        (Other("older DenseNet121", "accuracy 0.92, AUC 0.90", "its own test slices"),),
        tuple(
            Ours("ct-covid", "covid_classification", measures, labels)
            for measures, labels in (
                (("accuracy", "AUC"), ("all",)),
                (("AUC, lungs blanked", "still positive, lungs blanked"), ("all",)),
                (("accuracy", "AUC"), SOURCES),
                (("accuracy, source never seen", "AUC, source never seen"), SOURCES),
            )
        ),
    ),
}


def page(models: Path = MODELS, variants: Path | None = None) -> str:
    """Text of the page."""
    places = [place for place in (models, variants) if place]
    beside = "".join(_beside(task, places) for task in TASKS)
    lines = []
    for folder in sorted(path.parent for path in models.glob("*/model.json")):
        for how, report in _reports(folder):
            rows = (row for row in report["figures"] if _wanted(row))
            lines += [_row(folder.name, row, how) for row in rows]
    others = BESIDE_OTHERS + beside if beside else ""
    return HEAD + others + FIGURES + "\n".join(lines) + "\n"


def _reports(folder: Path) -> Iterator[tuple[str, dict]]:
    """Read the reports that a model has, with how they were measured."""
    for name, how in HOW.items():
        if (folder / name).exists():
            report = json.loads((folder / name).read_text(encoding="utf-8"))
            yield how(report), report


def _beside(task: str, places: Sequence[Path]) -> str:
    """Table of a task; none while we have no figure for it."""
    others, ours = TASKS[task]
    mine = [line for one in ours for line in _ours(one, places)]
    theirs = [f"| {o.system} | {o.figure} | {o.protocol} |" for o in others]
    if not mine:
        return ""
    said = _critic(places) if set(CRITIC) <= {one.model for one in ours} else ""
    return TASK.format(task) + "\n".join([*theirs, *mine, ""]) + said


def _critic(places: Sequence[Path]) -> str:
    """Say what the critic brought, once both models were measured."""
    found = {
        name: next(row for row in report["figures"] if row["measure"] == "Dice")
        for name in CRITIC
        for place in places
        for how, report in _reports(place / name)
        if how == "held out"
    }
    if len(found) < len(CRITIC):
        return ""
    alone, against = (found[name] for name in CRITIC)
    recipe = tomllib.loads((RECIPES / f"{CRITIC[1]}.toml").read_text(encoding="utf-8"))
    steps, rate = recipe["training"]["steps"], recipe["training"]["learning_rate"]
    did = "did not help" if against["mean"] <= alone["mean"] else "helped"
    text = (
        f"In this comparison the critic {did}: by recipes that are the same but for it ({steps} "
        f"steps, learning rate {rate:g}) the network alone has a Dice of {_interval(alone)} "
        f"({_cases(alone)}), against the critic one of {_interval(against)} ({_cases(against)}). "
        "It is one short run of each, and says nothing of longer training or of another weight of "
        "the critic."
    )
    return "\n" + "\n".join(textwrap.wrap(text, 100)) + "\n"


def _ours(ours: Ours, places: Sequence[Path]) -> Iterator[str]:
    reports = [found for place in places for found in _reports(place / ours.model)]
    for how, report in reports:
        for label in ours.labels:
            found = {
                row["measure"]: row
                for row in report["figures"]
                if (row["set"], row["label"]) == (ours.set, label)
            }
            rows = [found[measure] for measure in ours.measures if measure in found]
            if rows:
                alike = len({_cases(row) for row in rows}) == 1
                figure = ", ".join(
                    f"{_name(row)} {_interval(row)}" + ("" if alike else f" ({_cases(row)})")
                    for row in rows
                )
                protocol = f"`{ours.set}`, {how}" + (f", {_cases(rows[0])}" if alike else "")
                yield f"| **{ours.model}** | {figure} | {protocol} |"


def _cases(row: dict) -> str:
    return f"{row['n']} {row['unit']}s of {row['groups']}"


def _wanted(row: dict) -> bool:
    of_a_classifier = row["measure"] == "sensitivity" and row["label"] == "all"
    return (row["measure"] in SHOWN or of_a_classifier) and row["n"] > 0


def _name(row: dict) -> str:
    plain = row["label"] in ("any", "all")
    return row["measure"] if plain else f"{row['measure']}, {row['label']}"


def _row(model: str, row: dict, how: str) -> str:
    told = how == "held out" or "never seen" in row["measure"]
    measure = _name(row) if told else f"{_name(row)} ({how})"
    return (
        f"| {model} | {row['set']} | {measure} | {_interval(row)} | {_number(row['worst'])} "
        f"| {_cases(row)} |"
    )


def _interval(row: dict) -> str:
    if row["low"] != row["low"]:  # one patient alone gives no interval
        return _number(row["mean"])
    return f"{_number(row['mean'])} [{_number(row['low'])}, {_number(row['high'])}]"


def _number(value: float) -> str:
    return "" if value != value else f"{value:.3f}"


if __name__ == "__main__":
    (ROOT / "docs" / "models.md").write_text(page(MODELS, VARIANTS), encoding="utf-8")
