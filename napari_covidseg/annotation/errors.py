"""Errors of saved cases."""

from napari_covidseg.study import CovidsegError


class CaseError(CovidsegError):
    """A case that cannot be saved or read."""
