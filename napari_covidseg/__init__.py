"""Chest CT and X-ray segmentation, correction and measurement. Research use only."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("napari-covidseg")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"

RESEARCH_ONLY = "Research use only, not a medical device."
