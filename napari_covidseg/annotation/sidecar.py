"""What is written about a case beside its images: the sidecar, and its names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_covidseg import RESEARCH_ONLY, __version__
from napari_covidseg.annotation.errors import CaseError
from napari_covidseg.annotation.layout import IMAGES, LABELS, PREDICTIONS
from napari_covidseg.labels import LabelScheme
from napari_covidseg.study import Study

FORMAT = 1
PROVENANCE = ("model", "version", "threshold", "device", "annotator")
"""What is taken over from a result; anything else could name a patient."""


def revision(sidecar: Path) -> int:
    """Count how often a case was saved so far."""
    try:
        return int(json.loads(sidecar.read_text())["revision"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def group(sidecar: Path, new: str | None) -> str | None:
    """Give what a case belongs to: what its sidecar says, or `new` where there is none yet.

    A model knows what it has learnt from by this name, or by the case's own where there was
    none: another name would make the case look new to it.
    """
    try:
        kept = json.loads(sidecar.read_text()).get("group")
    except (OSError, ValueError, AttributeError):
        return new
    return kept if isinstance(kept, str) else None


def describe(
    study: Study,
    scheme: LabelScheme,
    name: str,
    provenance: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Tell what the case is and who made it."""
    given = {key: (provenance or {}).get(key) for key in PROVENANCE}
    return {
        "format": FORMAT,
        "case": name,
        "group": study.source.group or None,
        "scheme": scheme.key,
        "label_names": {str(value): label for value, label in scheme.names.items()},
        "modality": str(study.modality) if study.modality else None,
        "hounsfield_units": study.is_hu,
        "spacing_known": study.spacing_known,
        "orientation_known": study.orientation_known,
        "shape": list(study.array.shape),
        "spacing": [round(s, 6) for s in study.spacing],
        **given,
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "package": f"napari-covidseg {__version__}",
        "note": RESEARCH_ONLY,
    }


def files(name: str, ending: str, predicted: bool) -> dict[str, str | None]:
    """Tell where the files of a case lie in the dataset."""
    return {
        "image": f"{IMAGES}/{name}_0000{ending}",
        "labels": f"{LABELS}/{name}{ending}",
        "prediction": f"{PREDICTIONS}/{name}{ending}" if predicted else None,
    }


def check_name(name: str) -> None:
    """Raise if nnU-Net would misread a case's name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or re.search(r"_\d{4}$", name):
        raise CaseError(
            f"{name!r} cannot name a case: use letters, digits, '-', '.' and '_', and no "
            "ending like _0000, which nnU-Net keeps for channels."
        )


def sha256(path: Path) -> str:
    """Checksum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
