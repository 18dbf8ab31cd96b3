"""The list of all models: which there are, which of them answer, and the way to install more."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMessageBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import model_bus, model_rows, parts, settings
from napari_covidseg.viewer.background import Background
from napari_covidseg.viewer.image_panel import MODALITIES

if TYPE_CHECKING:
    from napari_covidseg.inference.registry import ModelInfo

COLUMNS = ("Name", "Version", "Used", "For", "What it does", "MB", "From")
WHAT, SIZE, FROM = (COLUMNS.index(name) for name in ("What it does", "MB", "From"))
FROM_WIDTH = 170
"""A path is as long as it likes; what does not fit is in its tooltip."""

LEAST_WIDTH = 680
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

INSTALLER = ("napari_covidseg.cli", "models", "install")
"""Module and arguments of the process that installs: it runs the network once, and
TensorFlow must not be in a process that draws with OpenGL."""


class ModelsDialog(QDialog):
    """A table of models, with what can be done about the chosen one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self._models: tuple[ModelInfo, ...] = ()
        self._background = Background(self)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setToolTip("Models that ship, and your own. Double-click shows the card.")
        self.line = parts.words(tooltip="What became of the last step.")
        self.card = parts.button(
            "Card", "What the chosen model was trained on, how good it is, its terms."
        )
        self.install = parts.button(
            "Install...", "Check a model folder, e.g. of a training, and put it beside your own."
        )
        self.folder = parts.button("Open folder", "Open the folder of the chosen model.")
        self.close_list = parts.button("Close", "Close this list.")
        self._build()
        self.table.itemSelectionChanged.connect(self._show_readiness)
        self.table.itemDoubleClicked.connect(lambda _: self._show_card())
        self.card.clicked.connect(lambda _: self._show_card())
        self.install.clicked.connect(lambda _: self._choose())
        self.folder.clicked.connect(lambda _: self._open_folder())
        self.close_list.clicked.connect(lambda _: self.close())
        model_bus.bus.changed.connect(self.refresh)

    @property
    def chosen(self) -> ModelInfo | None:
        """The model whose row is chosen."""
        row = self.table.currentRow()
        return self._models[row] if 0 <= row < len(self._models) else None

    def refresh(self) -> None:
        """List what there is now; the chosen model stays chosen."""
        before = self.chosen.reference if self.chosen else ""
        folders = settings.engine_settings().model_dirs
        self._models = model_rows.known_models(folders)
        answering: set[str] = set()
        self.table.setRowCount(len(self._models))
        for row, model in enumerate(self._models):
            # The first of a name is the one that answers for it.
            used = model.name not in answering
            answering.add(model.name)
            for column, text in enumerate(_cells(model, used)):
                item = QTableWidgetItem(text)
                item.setToolTip(str(model.folder) if column == FROM else model.summary)
                if column == SIZE:
                    item.setTextAlignment(RIGHT)
                self.table.setItem(row, column, item)
        self.choose(before)
        if self.install.isEnabled():  # else the line tells of an installation under way
            self.line.setText(_trouble(folders))
        self._show_readiness()

    def choose(self, reference: str) -> None:
        """Choose a model by name and version; the first where it is not there."""
        rows = [row for row, model in enumerate(self._models) if model.reference == reference]
        self.table.selectRow(rows[0] if rows else 0)

    def put(self, folder: Path) -> None:
        """Install a model folder, unless the user does not want it to answer for another."""

        def looked(found: tuple[ModelInfo, bool]) -> None:
            model, stands_in = found
            if stands_in and not self._confirmed(model):
                self._end("Nothing was installed.")
                return
            self.line.setText(f"Checking {model.name} {model.version}")
            work = partial(run_installer, folder, replace=stands_in)
            self._background.do(work, lambda _: self._installed(model), self._failed)

        self.install.setEnabled(False)
        self.line.setText(f"Looking at {folder}")
        self._background.do(partial(look, folder), looked, self._failed)

    def _build(self) -> None:
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None and columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(WHAT, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(FROM, QHeaderView.ResizeMode.Interactive)
        columns.resizeSection(FROM, FROM_WIDTH)
        buttons = QHBoxLayout()
        for button in (self.card, self.folder, self.install):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_list)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.line)
        layout.addLayout(buttons)
        layout.addWidget(parts.words(RESEARCH_ONLY, "Read a model's card before you rely on it."))
        self.setMinimumWidth(LEAST_WIDTH)
        self.resize(860, 440)

    def _show_readiness(self) -> None:
        for button in (self.card, self.folder):
            button.setEnabled(self.chosen is not None)

    def _show_card(self) -> None:
        if self.chosen is not None:
            model_rows.card_dialog(self.chosen, self).open()

    def _open_folder(self) -> None:
        model = self.chosen
        if model and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(model.folder))):
            self.line.setText(f"No program opens folders here. It is {model.folder}")

    def _choose(self) -> None:
        given = QFileDialog.getExistingDirectory(self, "Folder of a model, with a model.json")
        if given:
            self.put(Path(given))

    def _confirmed(self, model: ModelInfo) -> bool:
        answer = QMessageBox.question(
            self,
            "Install a model",
            f"{model.name} is the name of a model that ships. Let {model.version} answer for that "
            "name from now on? The shipped one stays in the list, to be chosen by its version.",
        )
        return answer == QMessageBox.StandardButton.Yes

    def _installed(self, model: ModelInfo) -> None:
        model_bus.bus.changed.emit()
        self.choose(model.reference)
        self._end(f"{model.name} {model.version} is installed.")

    def _failed(self, error: CovidsegError) -> None:
        self._end(str(error))

    def _end(self, said: str) -> None:
        self.install.setEnabled(True)
        self.line.setText(said)


def look(folder: Path) -> tuple[ModelInfo, bool]:
    """Read a model folder, and tell whether it would stand in for a model that ships.

    Raises
    ------
    CovidsegError
        If it holds no model, or one whose name and version are taken.
    """
    from napari_covidseg.inference import registry
    from napari_covidseg.inference.install import check_name

    if not (folder / "model.json").is_file():
        raise registry.ModelError(
            f"{folder} holds no model: choose the folder in which a model.json lies."
        )
    model = registry.read_model(folder)
    known = registry.available()
    check_name(model.name, model.version, replace=True, known=known)
    return model, any(other.shipped and other.name == model.name for other in known)


def run_installer(folder: Path, *, replace: bool) -> None:
    """Install a model in a process of its own; takes seconds.

    Raises
    ------
    CovidsegError
        With the installer's own words where it failed.
    """
    ended = subprocess.run(
        # -P: a file called random.py in the working folder must not be imported
        [sys.executable, "-P", "-m", *INSTALLER, *(["--replace"] * replace), "--", str(folder)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        check=False,
    )
    if ended.returncode:
        said = [x for x in ended.stderr.splitlines() if x.startswith("error: ")]
        raise CovidsegError(
            said[-1].removeprefix("error: ")
            if said
            else f"The installation stopped unexpectedly (code {ended.returncode}); nothing was "
            "installed. Try again."
        )


def _cells(model: ModelInfo, used: bool) -> tuple[str, ...]:
    return (
        model.name,
        model.version,
        "yes" if used else "on request",
        MODALITIES[model.modality],
        model.summary,
        "missing" if math.isnan(model.size_mb) else f"{model.size_mb:.1f}",
        "shipped" if model.shipped else _short(model.folder),
    )


def _short(folder: Path) -> str:
    """Write a path as people do, with ~ for their own folder."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _trouble(model_dirs: tuple[Path, ...]) -> str:
    """Say which folders hold no model that can be read."""
    from napari_covidseg.inference import registry

    said = []
    try:
        model_rows.check_folders(model_dirs)
    except CovidsegError as error:
        said.append(str(error))
    for folder in registry.every_folder(model_dirs):
        try:
            registry.read_model(folder)
        except CovidsegError as error:
            said.append(f"Left out: {error}")
    return "\n".join(said)
