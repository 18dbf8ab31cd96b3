"""A recipe for lungs on CT whose network is small enough to be trained in a test."""

from pathlib import Path

RECIPE = """
name = "tiny"
version = "9.9.9"
title = "t"
summary = "s"
task = "segmentation"
role = "lungs"
modality = "CT"
scheme = "lungs"
split = "ct"
[input]
values = "ct"
frame = "body"
size = {size}
[network]
architecture = "unet"
config = {{ base = 4, depth = 2 }}
[[data]]
set = "covid_volumes_lungs"
[training]
{training}
"""


def write_recipe(folder: Path, size: int, training: str) -> Path:
    """Write the recipe with this side of its pictures and these lines of ``[training]``."""
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(size=size, training=training))
    return path
