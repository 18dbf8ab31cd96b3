"""What pixel values alone tell about an image: cheap looks at a sample of them."""

from __future__ import annotations

import cv2
import numpy as np

from napari_covidseg.study import Modality

_SAMPLE = 200_000
_FEW_GREYS = 8  # label maps have up to 6; the poorest chest picture of eleven sets has 77

# made by benchmarks/fit_modality.py
_WEIGHTS = np.array(
    [
        *(-3.944, 6.966, 2.464),  # top row of blocks, from the side to the middle
        *(-6.745, -2.582, 12.526),
        *(-2.16, 0.788, 6.221),
        *(2.221, -0.91, -6.945),
        *(11.468, -5.255, -8.709),
        *(-3.977, -6.136, 2.861),
        *(-108.235, 64.732),  # mean and 95th percentile of the gradient
    ]
)
_BIAS = -5.537


def sample(array: np.ndarray, count: int = _SAMPLE) -> np.ndarray:
    """Take finite values spread evenly over an array.

    Parameters
    ----------
    array : ndarray
        Any shape.
    count : int
        About how many values to take at most.

    Returns
    -------
    ndarray, shape (n,)
        In float32.
    """
    every = max(1, int(np.ceil((array.size / count) ** (1.0 / max(1, array.ndim)))))
    steps = tuple(slice(None, None, min(every, n)) for n in array.shape)
    taken = array[steps].astype(np.float32).ravel()
    return taken[np.isfinite(taken)]


def looks_like_hu(array: np.ndarray) -> bool:
    """Whether values look like Hounsfield units of a chest: air or lung, and soft tissue."""
    taken = sample(array)
    if array.dtype.kind == "u" or taken.size == 0:
        return False
    air = ((taken < -500) & (taken >= -1100)).mean()
    tissue = ((taken > -200) & (taken < 200)).mean()
    return bool(air > 0.01 and tissue > 0.02 and (taken < 8000).all())


def looks_like_stored_ct(array: np.ndarray) -> bool:
    """Whether values look like CT numbers without the rescale: HU shifted up by 1000 or so."""
    taken = sample(array)
    if taken.size == 0 or taken.min() < -100 or taken.max() < 1100 or taken.max() > 8000:
        return False
    air = (taken < 500).mean()
    tissue = ((taken > 824) & (taken < 1224)).mean()
    return bool(air > 0.01 and tissue > 0.02)


def guess_modality(array: np.ndarray, is_hu: bool) -> Modality | None:
    """Guess what made an image from its pixels.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Display order.
    is_hu : bool
        Whether values are Hounsfield units.

    Returns
    -------
    Modality or None
        None for an image too small or without contrast.
    """
    if is_hu or (array.ndim == 3 and array.shape[0] > 1):
        return Modality.CT
    score = ct_likelihood(array)
    if score is None:
        return None
    return Modality.CT if score >= 0.5 else Modality.XR


def ct_likelihood(array: np.ndarray) -> float | None:
    """How much a picture looks like a CT slice rather than an X-ray film of the chest.

    A logistic regression on `features`, fitted by ``benchmarks/fit_modality.py`` on some
    2,900 pictures of eleven sets. On a set that it has not seen it is right for 92 to 100 %
    of the pictures, 99 % on the mean set. It knows these two kinds alone: of a photograph it
    says one or the other (see `mirror_likeness` and `looks_drawn`).

    Parameters
    ----------
    array : ndarray, shape (y, x) or (1, y, x)
        Grey values of any scale.

    Returns
    -------
    float or None
        0 (film) to 1 (CT slice); None for an image too small or without contrast.
    """
    picture = array[0] if array.ndim == 3 else array
    if min(picture.shape) < 16:
        return None
    found = features(picture)
    if found is None:
        return None
    return float(1.0 / (1.0 + np.exp(-(found @ _WEIGHTS + _BIAS))))


def features(picture: np.ndarray) -> np.ndarray | None:
    """Describe where a picture is bright, left and right taken together, and how sharp it is.

    Parameters
    ----------
    picture : ndarray, shape (y, x)
        Grey values of any scale.

    Returns
    -------
    ndarray, shape (20,), or None
        Mean brightness (0 to 1 between the 1st and 99th percentile) on a grid of 6 rows and
        3 columns from the side to the middle; mean and 95th percentile of the gradient at
        64 x 64. None for an image without contrast.
    """
    level = _levels(picture)
    if level is None:
        return None
    blocks = cv2.resize(level, (6, 6), interpolation=cv2.INTER_AREA)
    folded = (blocks + blocks[:, ::-1])[:, :3] / 2
    gradient = np.hypot(*np.gradient(level))
    return np.array([*folded.ravel(), gradient.mean(), np.percentile(gradient, 95)])


def looks_inverted(picture: np.ndarray) -> bool:
    """Whether dark and bright are changed over: lungs brighter than what lies between them.

    Right for over 98 % of upright pictures, slices and films alike.
    """
    level = _levels(picture)
    if level is None:
        return False
    between = level[12:44, 28:36].mean()
    lungs = (level[12:44, 12:24].mean() + level[12:44, 40:52].mean()) / 2
    return bool(between - lungs < -0.12)


def looks_drawn(array: np.ndarray) -> bool:
    """Whether an image has so few grey values that it is a label map or a drawing."""
    return np.unique(sample(array)).size <= _FEW_GREYS


def mirror_likeness(picture: np.ndarray) -> float | None:
    """How alike the halves of a picture are, left and right or (turned) upper and lower.

    Returns
    -------
    float or None
        Correlation of the blurred picture with its mirror image, the better of both. Above
        0.15 in all of 1,250 chest pictures of eleven sets, also with one lung gone; below it
        in about a quarter of grey photographs. None without contrast.
    """
    level = _levels(picture)
    if level is None:
        return None
    blurred = cv2.GaussianBlur(level, (0, 0), 2.0)
    mirrored = (blurred[:, ::-1], blurred[::-1])
    return max(float(np.corrcoef(blurred.ravel(), m.ravel())[0, 1]) for m in mirrored)


def film_upside_down(picture: np.ndarray) -> bool:
    """Whether an X-ray film has its bright half (the belly) at the top."""
    level = _levels(picture)
    if level is None:
        return False
    middle = level[:, 24:40]
    return bool(middle[40:56].mean() - middle[8:24].mean() < -0.08)


def spine_offset(array: np.ndarray) -> float:
    """How far bone lies below the middle of the body, as a share of the body's depth.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Hounsfield units, display order.

    Returns
    -------
    float
        About 0.12 in a patient on the back; below -0.05 for one lying prone or a volume
        upside down; 0 where there is too little bone to tell.
    """
    volume = _coarse(array)
    body = (volume > -300).sum(axis=(0, 2)).astype(np.float64)
    bone = ((volume > 350) & (volume < 2500)).sum(axis=(0, 2)).astype(np.float64)
    if bone.sum() < 20 or body.sum() == 0:
        return 0.0
    rows = np.arange(volume.shape[1])
    inside = np.flatnonzero(body > 0.1 * body.max())
    apart = rows @ bone / bone.sum() - rows @ body / body.sum()
    return float(apart / (inside[-1] - inside[0] + 1))


def guess_window(picture: np.ndarray) -> str:
    """Guess which display window a CT picture was made with.

    Returns
    -------
    str
        ``"soft tissue"`` (the lungs cut to black), else ``"lung or wide"``.
    """
    level = _levels(picture)
    dark = level is not None and (level[16:48, 10:54] <= 0.02).mean() > 0.3
    return "soft tissue" if dark else "lung or wide"


def cropped(array: np.ndarray, is_hu: bool) -> tuple[bool, str]:
    """Tell whether the body or the lungs go on beyond the image of a CT.

    Parameters
    ----------
    array : ndarray, shape (z, y, x) or (y, x)
        Display order.
    is_hu : bool
        Whether values are Hounsfield units.

    Returns
    -------
    sides : bool
        Tissue or lung reaches both sides of the picture.
    ends : str
        ``""``, ``"upper end"``, ``"lower end"`` or ``"upper and lower end"``: where lung is cut.
    """
    volume = _coarse(array)
    limit = -500.0 if is_hu else _otsu(volume)
    air = volume < limit
    inside = ~air
    if is_hu:
        inside |= (volume > -950) & (volume < -600)
    sides = min(inside[..., :2].mean(), inside[..., -2:].mean()) > 0.3
    if sides or volume.shape[0] < 8:
        return bool(sides), ""
    areas = np.array([_enclosed(plane) for plane in air])
    if areas.max() < 0.02:
        return False, ""
    ends = (("upper", areas[-1]), ("lower", areas[0]))
    cut = [name for name, area in ends if area > 0.15 * areas.max()]
    return False, f"{' and '.join(cut)} end" if cut else ""


def finite_range(array: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value; (0, 0) where there is none."""
    if array.dtype.kind != "f":
        return float(array.min()), float(array.max())
    planes = array if array.ndim == 3 else [array]
    ends = [(p[ok].min(), p[ok].max()) for p in planes if (ok := np.isfinite(p)).any()]
    if not ends:
        return 0.0, 0.0
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def nonfinite_share(array: np.ndarray) -> float:
    """Share of values that are NaN or infinite."""
    if array.dtype.kind != "f":
        return 0.0
    planes = array if array.ndim == 3 else [array]
    return sum(int((~np.isfinite(p)).sum()) for p in planes) / array.size


def _levels(picture: np.ndarray) -> np.ndarray | None:
    """Picture at 64 x 64, 0 to 1 between its 1st and 99th percentile; None without contrast."""
    steps = tuple(max(1, n // 512) for n in picture.shape)  # a huge picture is looked at coarsely
    coarse = picture[:: steps[0], :: steps[1]].astype(np.float32)
    coarse = np.nan_to_num(coarse, posinf=0.0, neginf=0.0)
    small = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, [1, 99])
    if high <= low:
        return None
    return np.clip((small - low) / (high - low), 0.0, 1.0).astype(np.float32)


def _coarse(array: np.ndarray) -> np.ndarray:
    """At most about 32 x 128 x 128 voxels of a volume, its end slices among them."""
    volume = array if array.ndim == 3 else array[np.newaxis]
    depth = volume.shape[0]
    picks = np.unique(np.linspace(0, depth - 1, min(depth, 32)).round().astype(int))
    steps = tuple(max(1, n // 128) for n in volume.shape[1:])
    taken = np.stack([volume[z, :: steps[0], :: steps[1]] for z in picks])
    return np.nan_to_num(taken.astype(np.float32), posinf=0.0, neginf=0.0)


def _otsu(volume: np.ndarray) -> float:
    """Value that best parts dark from bright (Otsu)."""
    low, high = np.percentile(volume, [1, 99])
    scale = 255.0 / max(float(high - low), 1e-6)
    grey = np.clip((volume - low) * scale, 0, 255).astype(np.uint8).reshape(volume.shape[0], -1)
    cut, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(cut / scale + low)


def _enclosed(air: np.ndarray) -> float:
    """Share of a slice that is air not joined to the slice's edge."""
    framed = np.pad(air.astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 0)
    return float(framed.mean())
