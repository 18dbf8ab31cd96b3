"""Fit the guess of CT slice or X-ray film that ``napari_covidseg.values`` makes of a picture.

Run it as ``python benchmarks/fit_modality.py DATA`` with a folder of sets of pictures (see
``SETS``). It prints the accuracy on each set by a model that has not seen that set, then the
numbers that stand in ``values.py``. Each set weighs by the root of its size; each picture is
joined by three copies with their edges cut off, their contrast bent and their sides (and for
CT sometimes top and bottom) changed over, since people cut and turn pictures. It needs
scikit-learn beside the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_covidseg import io, values

SETS = {
    "ct_classification/sarscov2_ctscan_soares/*/*": 1,
    "ct_classification/covid_ct_ucsd/*/*.[pj]*": 1,
    "ct_classification/mosmed_midslice/*/*": 1,
    "ct_infection/images/*": 1,
    "ct_lungs_slices/*/images/*": 1,
    "ct_covid_mosmed/images/*": 1,
    "ct_covid_slices/images/*": 1,
    "xray_shenzhen/images/*": 0,
    "xray_ggo/images/*": 0,
    "xray_lungs_covid/images/*": 0,
    "xray_infection_covid/images/*": 0,
}
PER_SET = 400
COPIES = 3


def vary(picture: np.ndarray, is_ct: int, rng: np.random.Generator) -> np.ndarray:
    """Cut, bend and mirror a picture."""
    height, width = picture.shape
    top, bottom = rng.integers(0, max(1, height // 8), 2)
    left, right = rng.integers(0, max(1, width // 8), 2)
    cut = picture[top : height - bottom, left : width - right].astype(np.float32)
    low, high = cut.min(), cut.max()
    cut = ((cut - low) / max(high - low, 1e-6)) ** np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    if is_ct and rng.random() < 0.25:
        cut = cut[::-1]
    return cut


def main(data: Path) -> None:
    """Fit, check and print."""
    rng = np.random.default_rng(0)
    rows, kinds, sets, weights, own = [], [], [], [], []
    for pattern, is_ct in SETS.items():
        files = sorted(data.glob(pattern))
        files = [files[i] for i in sorted(rng.permutation(len(files))[:PER_SET])]
        for file in files:
            picture = io.read(file).slices()[0]
            picture = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
            for copy in range(COPIES + 1):
                rows.append(values.features(vary(picture, is_ct, rng) if copy else picture))
                kinds.append(is_ct)
                sets.append(pattern)
                weights.append(100 / len(files) ** 0.5)
                own.append(copy == 0)
    x, y, s = np.array(rows), np.array(kinds), np.array(sets)
    w, plain = np.array(weights), np.array(own)

    def fit(keep: np.ndarray) -> Pipeline:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
        return model.fit(x[keep], y[keep], logisticregression__sample_weight=w[keep])

    for name in SETS:
        model = fit(s != name)
        test, copies = (s == name) & plain, (s == name) & ~plain
        right = model.score(x[test], y[test]), model.score(x[copies], y[copies])
        print(f"{name:50} as they are {right[0]:.3f}, varied {right[1]:.3f}")
    model = fit(np.ones(len(y), bool))
    print("all, seen:", round(model.score(x[plain], y[plain]), 4))
    scaler, logistic = model[0], model[-1]
    slope = logistic.coef_[0] / scaler.scale_
    print("bias", float(logistic.intercept_[0] - slope @ scaler.mean_))
    print("weights", [round(float(v), 3) for v in slope])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
