"""python -m napari_covidseg.cli."""

from napari_covidseg.cli import main

main()
