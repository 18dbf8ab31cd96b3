"""python -m napari_covidseg.cli."""

from napari_covidseg.cli.app import main

main()
