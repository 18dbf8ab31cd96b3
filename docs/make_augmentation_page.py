"""Write docs/augmentation.md and draw its pictures, of the phantom only.

Run from the root of the project: ``python docs/make_augmentation_page.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from napari_covidseg import phantom
from napari_covidseg.inference.frame import Frame, body_frame, lung_frame, whole_frame
from napari_covidseg.inference.window import Window, ct_window, xray_window
from napari_covidseg.labels import INFECTION, LUNGS
from napari_covidseg.training.augment import augment
from napari_covidseg.training.augment_lesions import Bank, Donor, gather
from napari_covidseg.training.dataset import HEADROOM, MARGIN, STILL

PAGE = Path(__file__).parent / "augmentation.md"
IMAGES = PAGE.parent / "images" / "augmentation"
SIZE = 144
DRAWS = 3
GREYS = 44
"""Grey levels of a picture, to keep files small."""

HEAD = """# How training pictures are changed

A network that saw few patients must not take their scanners, their poses and their files for the
disease. So each training picture is changed anew every time it is shown. A recipe says how strongly
under `[augment]`; **0 switches a change off**. `rotate`, `zoom`, `shift`, `turn`, `flip` and
`window` draw from the generator even then; every other change that is off draws nothing. So the
same recipe and seed give the same pictures, also after newer changes were added.

All changes of place and shape (the first seven) are put together before anything is drawn, so that
a picture is interpolated once; mask and shown lungs go through the same change, the mask by nearest
neighbour, so that its values stay those of the labels. `cut` comes first: it chooses whether the
picture or its cut to the lungs is changed. Lesions are set in next, before the changes of shape;
all else is done after them, in the order of the table. The code is `augment.py` and, of `cut`,
`dataset.py` in `napari_covidseg/training/`.

Below: the picture as it is, then three draws, stronger than a recipe would ask for. It is a
phantom, no patient. Outlines are the mask: lungs blue and green, ground glass yellow, consolidation
orange.

| change | what the number says | off if not given | meant for |
|---|---|---|---|
"""

TAIL = """
## Lesions

Lesions are cut once from the training items (never from those held out) that have both infection
and lungs; each patient is drawn as often as any other. One to three are set into a picture, each at
about the place in the lung that it came from (disease of COVID-19 lies at the pleura and the back),
in either lung, turned by up to 20 degrees and resized by up to a quarter. They come to lie in lung
that is healthy by the mask. A line through two points, lung and soft tissue, brings their values to
those of the lung that they come to; the edge is soft; nothing gets darker, so that vessels go on
through ground glass. Wall that was cut along is filled from inside.

The mask of an infection model gets the lesion's kind (3: kind not told). A lung model's mask stays
as it is: lung is lung under consolidation. There, lesions come from the sets that have infection
drawn beside the lungs (`covid_volumes_lungs`, `covid_slices_lungs`, `semiseg_lungs`). A recipe for
infection needs `lungs = true` in `[input]`, or nobody could say where lung is.

What it cannot do: it takes noise and sharpness of the donor along, and a lesion pulls on nothing
(no fibrosis, no loss of volume).

## Cost

At 224 pixels on one core of a shared two-core machine: elastic and barrel together 1.5 ms beyond
the affine change alone, a transplant 0.6 ms (nine in ten under 1.3 ms), JPEG 0.5 ms, local contrast
0.3 ms. Lesions of 369 slices are cut in 0.4 s and take 8 MB.
"""


@dataclass(frozen=True)
class Change:
    """One row of the table, and how its picture is drawn."""

    fields: dict[str, float]
    says: str
    scene: str = "lungs"
    meant: str = "CT, X-ray"

    @property
    def name(self) -> str:
        """Name of the first field: that of the picture's file too."""
        return next(iter(self.fields))


CHANGES = (
    Change({"rotate": 25.0}, "largest rotation, degrees"),
    Change({"zoom": 0.35}, "largest relative change of size (and a quarter of it of shape)"),
    Change({"shift": 0.12}, "largest shift, part of the side"),
    Change({"turn": 1.0}, "how often turned by 90, 180 or 270 degrees", meant="CT"),
    Change({"flip": 1.0}, "how often mirrored; right and left lung change names"),
    Change({"elastic": 0.05}, "largest shift of an elastic deformation, part of the side"),
    Change({"barrel": 0.15}, "largest radial distortion k, barrel or pincushion", "film"),
    Change(
        {"lesions": 1.0},
        "how often real lesions of other items are set into healthy lung",
        "infection",
        "CT",
    ),
    Change({"opacity": 1.0}, "how often soft opacities are painted in; lungs stay lungs"),
    Change({"window": 0.3}, "largest shift of black and white level"),
    Change(
        {"contrast": 0.6}, "largest natural logarithm of a stretch round the mean", "film", "X-ray"
    ),
    Change(
        {"local_contrast": 1.0},
        "how often contrast is evened out part by part (CLAHE)",
        "film",
        "X-ray",
    ),
    Change({"gamma": 0.7}, "largest natural logarithm of the gamma exponent"),
    Change({"blur": 4.0}, "largest standard deviation of a blur, pixels"),
    Change({"noise": 0.15}, "largest standard deviation of noise, white or grainy"),
    Change({"jpeg": 1.0}, "how often stored as JPEG, quality 15 to 90", "film"),
    Change({"cut": 1.0}, "how often cut to the lungs, as published figures are", "cut", "CT"),
    Change({"wear": 1.0}, "how often parts of the shown lungs are taken away", "shown lungs", "CT"),
)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture (s, s) of windowed values with mask and lungs, ready to be changed."""

    picture: np.ndarray
    labels: np.ndarray
    lungs: np.ndarray

    @classmethod
    def of(
        cls,
        picture: np.ndarray,
        window: Window,
        frame: Frame,
        labels: np.ndarray,
        lungs: np.ndarray,
    ) -> Scene:
        """Cut as a training item is."""
        width, side = window.high - window.low, round(SIZE * MARGIN)
        wide = Window(window.low - HEADROOM * width, window.high + HEADROOM * width)
        larger = frame.grow(MARGIN)
        values = larger.cut(picture, wide, side) * (1 + 2 * HEADROOM) - HEADROOM
        inside = (lungs > 0).astype(np.uint8) * 255
        return cls(values, larger.cut_labels(labels, side), larger.cut_labels(inside, side))


def ct_scene(
    chest: phantom.Phantom, z: int, *, cut: bool = False, infection: bool = False
) -> Scene:
    """One slice of a CT phantom, in the frame of the body or of the lungs."""
    array = chest.study.array
    window = ct_window(array, True)
    frame = (lung_frame(chest.lungs) if cut else None) or body_frame(array, window)
    labels = chest.infection if infection else chest.lungs
    return Scene.of(array[z], window, frame, labels[z], chest.lungs[z])


def scenes() -> tuple[dict[str, Scene], Bank]:
    """Make what the pictures start from, and lesions of three other chests."""
    healthy, sick = phantom.ct(seed=0, healthy=True), phantom.ct(seed=1)
    film = phantom.xray(seed=0)
    middle = len(healthy.lungs) // 2
    donors = [
        Donor(str(seed), one.picture, one.labels, one.lungs > 127)
        for seed, chest in ((1, sick), (2, phantom.ct(seed=2)), (3, phantom.ct(seed=3)))
        for z in range(middle - 24, middle + 12, 4)
        for one in [ct_scene(chest, z, cut=True, infection=True)]
    ]
    pixels = film.study.array
    return {
        "lungs": ct_scene(healthy, middle),
        "cut": ct_scene(healthy, middle, cut=True),
        "infection": ct_scene(healthy, middle, cut=True, infection=True),
        "shown lungs": ct_scene(sick, middle - 12, infection=True),
        "film": Scene.of(
            pixels, xray_window(pixels), whole_frame(pixels.shape), film.lungs, film.lungs
        ),
    }, gather(donors)


def strip(change: Change, at: dict[str, Scene], bank: Bank) -> Image.Image:
    """Give the picture as it is, and `DRAWS` changed ones that differ from it."""
    before = at["lungs"] if change.name == "cut" else at[change.scene]
    sides = change.scene in ("lungs", "film", "cut")
    channel = int(change.scene == "shown lungs")
    colours = (LUNGS if sides else INFECTION).colours

    def draw(scene: Scene, fields: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
        spec = STILL.model_copy(update=fields)
        rng = np.random.default_rng(seed)
        picture, mask = augment(
            scene.picture, scene.labels, SIZE, MARGIN, spec, sides, rng, scene.lungs, bank
        )
        return picture[..., channel], mask

    panels = [draw(before, {}, 0)]
    seed = 0
    while len(panels) < (2 if change.name in ("flip", "cut") else 1 + DRAWS):
        seed += 1
        panel = draw(at[change.scene], change.fields, seed)
        if all(np.abs(panel[0] - other).mean() > 0.002 for other, _ in panels):
            panels.append(panel)
    rows = [[outlined(*panel) for panel in panels]]
    if change.name == "lesions":  # an outline would hide a seam
        rows.insert(0, [outlined(picture, np.zeros_like(mask)) for picture, mask in panels])
    image = Image.fromarray(np.vstack([beside(row) for row in rows])).convert("P")
    greys = [level for grey in range(GREYS) for level in [round(grey * 255 / (GREYS - 1))] * 3]
    image.putpalette(greys + [n for colour in colours.values() for n in bytes.fromhex(colour[1:])])
    return image


def outlined(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Palette numbers of a picture (s, s) of 0..1: greys, then the outline of each label."""
    out = np.rint(picture * (GREYS - 1)).astype(np.uint8)
    for value in range(1, int(mask.max()) + 1):
        edges, _ = cv2.findContours(
            (mask == value).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(out, edges, -1, GREYS - 1 + value, 1)
    return out


def beside(panels: list[np.ndarray]) -> np.ndarray:
    """One row of panels with white between them."""
    gap = np.full((SIZE, 3), GREYS - 1, np.uint8)
    return np.hstack([part for panel in panels for part in (panel, gap)][:-1])


def page() -> str:
    """Text of the page."""
    rows, shown = [], []
    for change in CHANGES:
        default = type(STILL).model_fields[change.name].default
        rows.append(
            f"| [`{change.name}`](#{change.name}) | {change.says} | "
            f"{'yes' if default == 0 else f'no: {default}'} | {change.meant} |"
        )
        shown.append(
            f"\n### {change.name}\n\n![{change.name} = {change.fields[change.name]:g}]"
            f"(images/augmentation/{change.name}.png)\n"
        )
    return HEAD + "\n".join(rows) + "\n" + TAIL + "\n## Pictures\n" + "".join(shown)


def main() -> None:
    """Draw all pictures and write the page."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    at, bank = scenes()
    for change in CHANGES:
        strip(change, at, bank).save(IMAGES / f"{change.name}.png", optimize=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
