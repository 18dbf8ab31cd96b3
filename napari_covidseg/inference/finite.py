"""Pixels that are no numbers: one of them would spoil the window, or a whole slice."""

from __future__ import annotations

from napari_covidseg import doctor, values
from napari_covidseg.study import CovidsegError, Study


def finite(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Put the lowest value (air) where a pixel is no number, and say so.

    Returns
    -------
    study : Study
        The same one where all pixels are finite.
    notes : tuple of str
        Sentences for the user; none where nothing was done.

    Raises
    ------
    CovidsegError
        If no pixel is finite.
    """
    share = values.nonfinite_share(study.array)
    if share == 1:
        raise CovidsegError(
            "All pixels of the image are NaN or infinite: check the file, or pick another image."
        )
    if not share:
        return study, ()
    made = doctor.apply_fix(study, "replace-nonfinite")
    note = (
        f"{100 * share:.2g} % of the pixels are NaN or infinite: "
        "the lowest value (air) was put in their place."
    )
    # What kind of image it is has been settled before a run.
    return study.replace(array=made.array), (note,)
