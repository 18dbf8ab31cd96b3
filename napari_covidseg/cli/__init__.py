"""covidseg, the command line: the same jobs without a viewer."""

from napari_covidseg.cli.app import app, main

__all__ = ["app", "main"]
