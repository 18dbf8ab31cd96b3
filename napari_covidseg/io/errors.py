"""What can go wrong with a file, said in one line."""

from __future__ import annotations

from napari_covidseg.study import CovidsegError


class ReadError(CovidsegError):
    """A file or folder that cannot be read as an image."""


class WriteError(CovidsegError):
    """A file that could not be written; what stood there before is untouched."""
