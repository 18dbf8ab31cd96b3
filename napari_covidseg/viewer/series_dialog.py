"""Ask which series of a DICOM folder to open."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_covidseg.io import SeriesInfo


def title_of(series: SeriesInfo) -> str:
    """One line about a series, with nothing that names a patient."""
    slices, rows, columns = series.shape
    size = f"{columns} x {rows}" if slices == 1 else f"{columns} x {rows} x {slices}"
    name = series.description.strip() or "no description"
    return f"{series.key}. {name} ({series.modality or 'modality unknown'}, {size})"


class SeriesDialog(QDialog):
    """A list of series, the proposed one chosen.

    Parameters
    ----------
    series : sequence of SeriesInfo
        What the folder holds.
    proposed : str
        Key of the series that opens if nobody chooses.
    """

    def __init__(
        self, series: Sequence[SeriesInfo], proposed: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a series")
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(f"This folder holds {len(series)} series. Which one to open?"))
        self.list = QListWidget()
        self.list.setToolTip("Series of this folder. Double-click opens one.")
        self.list.setMinimumWidth(420)
        self._keys = [info.key for info in series]
        for info in series:
            item = QListWidgetItem(title_of(info))
            item.setToolTip("Looks like a chest CT." if info.chest_like else "Not a chest CT.")
            self.list.addItem(item)
        self.list.setCurrentRow(self._keys.index(proposed))
        self.list.itemDoubleClicked.connect(self.accept)
        layout.addWidget(self.list)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    @property
    def key(self) -> str:
        """Key of the chosen series."""
        return self._keys[self.list.currentRow()]


def ask(series: Sequence[SeriesInfo], proposed: str) -> str | None:
    """Let the user choose; None if he does not want any."""
    dialog = SeriesDialog(series, proposed)
    return dialog.key if dialog.exec() == QDialog.DialogCode.Accepted else None
