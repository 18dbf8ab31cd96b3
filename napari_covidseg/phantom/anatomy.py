"""The healthy chest: body wall, bones, organs, and where the lungs are.

Sizes are those of an adult, in mm; numbers at the shapes are their places and sizes,
read off textbook sections. HU are those of an unenhanced scan.
"""

from __future__ import annotations

import numpy as np

from napari_covidseg.phantom.canvas import Canvas

FAT, MUSCLE, SKIN, BLOOD, LIVER, AIR = -95.0, 55.0, 10.0, 42.0, 58.0, -1000.0
MARROW, CORTEX, CARTILAGE = 190.0, 650.0, 110.0
RIGHT_HILUM, LEFT_HILUM = (150.0, 18.0, -46.0), (156.0, 22.0, 50.0)
HILA = {
    1: (RIGHT_HILUM, (128.0, 14.0, -48.0)),
    2: (LEFT_HILUM, (130.0, 16.0, 46.0)),
}
"""Where arteries and veins enter each lung."""
CARINA = (172.0, 16.0, 0.0)
DOME_Z = 185.0
"""Height above which the lungs narrow to their apices."""


def build(canvas: Canvas, *, upright: bool = False) -> np.ndarray:
    """Paint a chest and return the lungs.

    Parameters
    ----------
    canvas : Canvas
        Filled with air.
    upright : bool
        Arms at the sides and no table, as for an X-ray; else arms up, on a CT table.

    Returns
    -------
    ndarray of uint8
        1 right lung, 2 left lung: parenchyma with its vessels, without trachea, main
        bronchi and the large vessels of the hila.
    """
    wall = _wall_distance(canvas)
    _body(canvas, wall, upright)
    _ribs(canvas, wall)
    _girdle(canvas, upright)
    lungs = _lung_space(canvas, wall)
    _abdomen(canvas, wall)
    canvas.paint(lungs > 0, -840.0)
    _spine(canvas)
    # What is painted over the lungs from here on is mediastinum: it takes its room.
    _heart_and_vessels(canvas)
    _airways(canvas)
    lungs[canvas.values != -840.0] = 0
    return lungs


def _superellipse(
    x: np.ndarray, y: np.ndarray, a: float | np.ndarray, b: float | np.ndarray, power: float
) -> np.ndarray:
    """Radius of (x, y) in units of the superellipse through (a, 0) and (0, b)."""
    return ((np.abs(x) / a) ** power + (np.abs(y) / b) ** power) ** np.float32(1 / power)


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _wall_distance(canvas: Canvas) -> np.ndarray:
    """Distance (mm, about) outwards from the inner face of the chest wall."""
    z, y, x = canvas.grids
    across = np.maximum(np.hypot(x, y - 5), 1)
    ring = _superellipse(x, y - 5, 129 + 0.03 * (120 - np.minimum(z, DOME_Z)), 90, 2.35)
    distance = across * (1 - 1 / np.maximum(ring, 0.05))
    up = np.maximum(z - DOME_Z, 0)
    out, back = np.abs(x) - 56, y - 10
    dome = np.sqrt((out / 75) ** 2 + (back / 84) ** 2 + (up / 84) ** 2)
    cap = np.sqrt(out**2 + back**2 + up**2) * (1 - 1 / np.maximum(dome, 0.05))
    return np.where(z > DOME_Z, np.maximum(distance, cap), distance)


def _body(canvas: Canvas, wall: np.ndarray, upright: bool) -> None:
    z, y, x = canvas.grids
    rise = _smooth((z - 205) / 75)
    half, depth = 168 + 26 * rise, 116 - 26 * rise
    outline = _superellipse(x, y - 8 - 10 * rise, half, depth, 2.5)
    inward = np.hypot(x, y - 8) * (1 / np.maximum(outline, 0.05) - 1)
    inside = outline < 1
    if upright:
        slope = _smooth((300 - z) / 50)
        neck = _superellipse(x, y - 15, 54 + 140 * slope, 58 + 40 * slope, 2.2)
        inside &= neck < 1
    canvas.paint(inside, SKIN)
    canvas.paint(inside & (inward > 2), FAT)
    # Muscle: a coat on the ribs, thick at the back and the shoulders.
    coat = 13 + 16 * _smooth((z - 150) / 90) + 10 * _smooth((y - 40) / 50)
    high = (inward > 18) & (z > 222)
    canvas.paint(inside & (inward > 5) & ((wall < coat) | high), MUSCLE)
    canvas.paint(inside & (wall < 1.5), FAT)
    if not upright:
        table = 127 - (x / 190) ** 2 * 22
        canvas.paint((np.abs(y - table) < 1.6) & ~inside, -150.0)
        canvas.paint((y > table + 1.6) & (y < table + 22), -975.0)
        canvas.paint((np.abs(y - table - 24) < 1.2), 40.0)


def _ribs(canvas: Canvas, wall: np.ndarray) -> None:
    z, y, x = canvas.grids
    front = np.clip((95 - y) / 178, 0, 1)
    shell = (wall > 1.5) & (wall < 9.5) & (np.abs(x) > 17)
    hard = (wall < 3.2) | (wall > 7.8)
    for number in range(12):
        reach = 0.93 if number < 7 else 0.93 - 0.13 * (number - 6)
        # Ribs fall sideways and towards the front, the lower the more.
        height = 268 - 23 * number - (56 + 6 * min(number, 6)) * front - 0.14 * np.abs(x)
        away = np.abs(z - height)
        rib = shell & (away < 6.5) & (front < reach)
        canvas.paint(rib, MARROW)
        canvas.paint(rib & (hard | (away > 4.8)), CORTEX)
        canvas.paint(rib & (front > 0.84), CARTILAGE)
    breast_bone = (np.abs(x) < 15 + 8 * _smooth((z - 190) / 25)) & (np.abs(y + 92) < 5.5)
    breast_bone &= (z > 95) & (z < 228)
    canvas.paint(breast_bone, MARROW)
    canvas.paint(breast_bone & (np.abs(y + 92) > 3.9), 420.0)


def _girdle(canvas: Canvas, upright: bool) -> None:
    for side in (-1, 1):
        canvas.tube([(234, -68, side * 20), (246, -58, side * 75), (262, -20, side * 148)], 6, 520)
        canvas.tube(
            [(234, -68, side * 20), (246, -58, side * 75), (262, -20, side * 148)], 3.5, 150
        )
        canvas.ellipsoid((212, 92, side * 104), (52, 3.2, 33), 480, turn=side * -0.5)
        canvas.ellipsoid((252, 40, side * 172), (25, 25, 25), CORTEX)
        canvas.ellipsoid((252, 40, side * 172), (22, 22, 22), MARROW)
        end = (40, 40, side * 216) if upright else (340, -20, side * 190)
        if upright:
            canvas.tube([(250, 40, side * 178), end], 38, MUSCLE)
            canvas.ellipsoid((252, 40, side * 172), (25, 25, 25), CORTEX)
            canvas.ellipsoid((252, 40, side * 172), (22, 22, 22), MARROW)
        canvas.tube([(252, 40, side * 178), end], 11, CORTEX)


def _spine(canvas: Canvas) -> None:
    z, y, x = canvas.grids
    axis = 56 + 10 * np.sin(np.pi * (z - 40) / 260)
    phase = np.mod(z - 6, 24)
    disc = phase > 19.5
    body = _superellipse(x, y - axis, 17.5, 14.5, 2.3)
    canvas.paint(body < 1.18, MUSCLE)
    canvas.paint(body < 1, MARROW)
    canvas.paint((body < 1) & (body > 0.89), 430.0)
    canvas.paint((body < 0.97) & disc, 85.0)
    canal = np.hypot(x, (y - axis - 23) * 1.1)
    canvas.paint((canal < 13.5) & (phase < 16), 420.0)
    canvas.paint(canal < 8.5, 25.0)
    level = np.abs(phase - 10)
    canvas.paint((np.abs(x) < 3) & (y > axis + 34) & (y < axis + 50) & (level < 8), 400.0)
    wings = (np.abs(y - axis - 24 - 0.3 * (np.abs(x) - 12)) < 4.5) & (np.abs(x) < 30)
    canvas.paint(wings & (np.abs(x) > 10) & (level < 5), 260.0)


def _midline(canvas: Canvas) -> np.ndarray:
    """Half width of the mediastinum: a cleft behind the breast bone, wide at the spine."""
    z, y, _ = canvas.grids
    width = 4 + 16 * _smooth((y + 78) / 55) - 4 * _smooth((y - 62) / 25)
    return width + 6 * _smooth((z - 215) / 40) + 3 * np.sin(z / 24) + 2 * np.sin(y / 17)


def diaphragm(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Height (mm) of the right and left dome over each point of the plane."""
    _, y, x = canvas.grids

    def dome(top: float, centre: float) -> np.ndarray:
        # Steep at the side, flat towards the heart, which rests on it.
        across = np.where(np.abs(x) > abs(centre), 70, 150)
        r2 = ((x - centre) / across) ** 2 + ((y + 8) / 96) ** 2
        return top - 72 * r2**1.25

    return dome(98, -66), dome(84, 72)


def _lung_space(canvas: Canvas, wall: np.ndarray) -> np.ndarray:
    _, _, x = canvas.grids
    z = canvas.grids[0]
    half = _midline(canvas)
    right, left = diaphragm(canvas)
    lungs = np.zeros(canvas.values.shape, np.uint8)
    lungs[(wall < 0) & (x < -half) & (z > np.maximum(right, 12))] = 1
    lungs[(wall < 0) & (x > half) & (z > np.maximum(left, 12))] = 2
    return lungs


def _abdomen(canvas: Canvas, wall: np.ndarray) -> None:
    z, y, x = canvas.grids
    right, left = diaphragm(canvas)
    belly = wall < -1
    below = (z < np.maximum(right, 12)) & (x <= 0) | (z < np.maximum(left, 12)) & (x > 0)
    canvas.paint(belly & below, MUSCLE)
    canvas.paint(belly & (z < left - 5) & (x > 0), FAT)
    canvas.paint(
        belly & (z < right - 3) & (x < 40 - 0.4 * (95 - z) + 9 * np.sin(y / 20)) & (y < 62), LIVER
    )
    canvas.paint(belly & (z < right - 3) & (x < -30), LIVER)
    canvas.ellipsoid((38, -8, 62), (40, 48, 44), 30)
    canvas.ellipsoid((38, -8, 62), (36, 44, 40), 12)
    _, sy, _ = canvas.grids
    gas = ((z - 38) / 34) ** 2 + ((y + 8) / 42) ** 2 + ((x - 62) / 38) ** 2 < 1
    canvas.paint(gas & (sy < -22), -960.0)
    canvas.ellipsoid((40, 56, 86), (38, 28, 26), 52)


def _heart_and_vessels(canvas: Canvas) -> None:
    z, y, x = canvas.grids
    half = _midline(canvas)
    fat = (np.abs(x) < half) & (y > -86) & (y < 70) & (z > 60)
    canvas.paint(fat & (canvas.values == -840.0), FAT)
    canvas.ellipsoid((110, -28, 20), (48, 47, 66), FAT, turn=-0.55, lean=-0.5)
    canvas.ellipsoid((110, -28, 20), (44, 43, 62), BLOOD, turn=-0.55, lean=-0.5)
    canvas.ellipsoid((126, -16, -14), (42, 34, 25), BLOOD)
    canvas.tube([(135, -22, -4), (165, -28, -14), (188, -20, -10)], 16, BLOOD)
    canvas.tube([(188, -20, -10), (200, 2, 4), (194, 30, 19), (178, 40, 24)], 13.5, BLOOD)
    canvas.tube([(178, 40, 24), (120, 45, 24), (60, 42, 16), (-60, 38, 6)], 12.5, BLOOD)
    canvas.tube([(128, -14, -28), (170, -16, -28), (210, -18, -26)], 10, BLOOD)
    canvas.tube([(140, -32, 14), (158, -20, 16), (160, 2, -2), (153, 10, -40)], 11.5, BLOOD)
    canvas.tube([(158, -20, 16), (163, 12, 42)], 11.5, BLOOD)
    canvas.tube([(128, 14, -48), (128, 12, 0), (130, 16, 44)], 8, BLOOD)
    for y0, x0, r in ((-14, -20, 6), (-6, 2, 5), (6, 20, 5.5), (-30, -30, 7), (-32, 24, 7)):
        canvas.tube([(196, y0, x0), (330, y0, 1.5 * x0)], r, BLOOD)
    canvas.tube([(320, 30, 5), (180, 32, 8), (60, 26, 12)], 7, 35.0)


def _airways(canvas: Canvas) -> None:
    right = [CARINA, (160, 18, -24), RIGHT_HILUM]
    left = [CARINA, (163, 20, 24), LEFT_HILUM]
    top = [(340, -4, 0), (230, 8, -2), CARINA]
    for grow, value in ((2.0, 30.0), (0.0, -985.0)):
        canvas.tube(top, 8.5 + grow, value)
        canvas.tube(right, 7 + grow, value)
        canvas.tube(left, 6 + grow, value)
