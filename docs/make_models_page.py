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
test cases are not known one by one, and the published ones are of other splits or other sets. A
validation loss or a Dice that counts background cannot be turned into ours. Published figures were
taken from abstracts and authors' own pages, and nothing of them was run again; where their split is
not told here we do not know it, and slices of one patient may lie on both sides.

`xray-ggo-alone` and `xray-ggo-adversarial` are recipes in `napari_covidseg/training/recipes/`, the
same but for the critic; `xray-lungs-unet` and `xray-lungs-resunet` start without weights and take
240 steps of four films; `xray-tb-features` is an MLP on what ImageNet's MobileNetV2 sees of the
whole film. They do not ship. Their figures are made again by
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


PUBLISHED = """
### Published sources

- Degerli et al. 2021: "COVID-19 infection map generation and detection from chest X-ray images",
  Health Information Science and Systems 9:15.
- Fan et al. 2020: "Inf-Net: automatic COVID-19 lung infection segmentation from CT images", IEEE
  Transactions on Medical Imaging 39:2626.
- van Ginneken et al. 2006: "Segmentation of anatomical structures in chest radiographs using
  supervised methods", Medical Image Analysis 10:19.
- He et al. 2020: "Sample-efficient deep learning for COVID-19 diagnosis based on CT scans", medRxiv
  2020.04.13.20063941.
- Hofmanninger et al. 2020: "Automatic lung segmentation in routine imaging is primarily a data
  diversity problem, not a methodology problem", European Radiology Experimental 4:50.
- Jaeger et al. 2014: "Automatic tuberculosis screening using chest radiographs", IEEE Transactions
  on Medical Imaging 33:233.
- Lizzi et al. 2022: "Quantification of pulmonary involvement in COVID-19 pneumonia by means of a
  cascade of two U-nets", International Journal of Computer Assisted Radiology and Surgery 17.
- Ma et al. 2021: "Towards data-efficient learning: a benchmark for COVID-19 CT lung and infection
  segmentation", Medical Physics 48:1197; figures of github.com/JunMa11/COVID-19-CT-Seg-Benchmark.
- Müller et al. 2021: "Automated chest CT image segmentation of COVID-19 lung infection based on 3D
  U-Net", Informatics in Medicine Unlocked, 100681.
- Nguyen et al. 2021: "Deep learning-based COVID-19 pneumonia classification using chest CT images:
  model generalizability", Frontiers in Artificial Intelligence 4:694875.
- Soares et al. 2020: "SARS-CoV-2 CT-scan dataset", medRxiv 2020.04.24.20078584.
- Tahir et al. 2021: "COVID-19 infection localization and severity grading from chest X-ray images",
  Computers in Biology and Medicine 139:105002.
- Turk, Kilicaslan 2025: "Lung image segmentation with improved U-Net, V-Net and Seg-Net
  techniques", PeerJ Computer Science 11:e2700.
"""

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
            Other(
                "second reader",
                "Jaccard 0.946, about 0.972 in Dice",
                "247 films of JSRT (van Ginneken et al. 2006)",
            ),
            Other("U-Net", "Dice 0.964", "Shenzhen and Montgomery (Turk, Kilicaslan 2025)"),
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
            Other("features by hand", "accuracy 0.84, AUC 0.90", "Shenzhen (Jaeger et al. 2014)"),
        ),
        tuple(
            Ours(name, "shenzhen_tb", ("accuracy", "AUC"), ("all",))
            for name in ("xray-tb", "xray-tb-features")
        ),
    ),
    "Infection on films": (
        (
            Other("best of several networks", "Dice 0.882", "COVID-QU-Ex (Tahir et al. 2021)"),
            Other("best of several networks", "F1 0.832", "QaTa-COV19 (Degerli et al. 2021)"),
        ),
        (Ours("xray-infection", "covid_films_opacity"),),
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
        (
            Other("older flexible U-Net", "Dice 0.953", "its own slices, background counted"),
            Other(
                "3D U-Net, lungs",
                "Dice 0.956",
                "20 volumes of COVID-19-CT-Seg, 5-fold (Müller et al. 2021)",
            ),
            Other(
                "3D U-Net, infection",
                "Dice 0.761",
                "20 volumes of COVID-19-CT-Seg, 5-fold (Müller et al. 2021)",
            ),
            Other(
                "3D U-Net, left lung, right lung, infection",
                "Dice 0.858, 0.879, 0.673",
                "20 volumes of COVID-19-CT-Seg, trained on 4, tested on 16 (Ma et al. 2021)",
            ),
            Other(
                "two U-Nets, lungs and infection",
                "Dice 0.95, 0.66",
                "COVID-19-CT-Seg, trained on other sets (Lizzi et al. 2022)",
            ),
            Other("U-Net, lungs", "Dice 0.98", "routine CT, R231 (Hofmanninger et al. 2020)"),
            Other(
                "3D U-Net, infection",
                "Dice 0.588",
                "50 volumes of MosMed, trained on COVID-19-CT-Seg (Ma et al. 2021)",
            ),
        ),
        (
            Ours("ct-lungs", "covid_slices_lungs", labels=("right lung", "left lung")),
            Ours("ct-infection", "covid_slices_infection"),
            Ours("ct-infection", "mosmed_infection"),
        ),
    ),
    "COVID-19 on CT": (
        (
            Other("older DenseNet121", "accuracy 0.92, AUC 0.90", "its own test slices"),
            Other("Self-Trans", "F1 0.85, AUC 0.94", "slices of COVID-CT (He et al. 2020)"),
            Other("xDNN", "F1 0.973", "slices of SARS-CoV-2 CT-scan (Soares et al. 2020)"),
            Other(
                "networks on whole scans",
                "AUC 0.826 to 0.988 on their own source, about 0.5 on others",
                "four sources (Nguyen et al. 2021)",
            ),
        ),
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
    others = BESIDE_OTHERS + beside + PUBLISHED if beside else ""
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
