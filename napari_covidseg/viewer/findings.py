"""The input doctor's findings in words, each with its reversible fix as a button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_covidseg.doctor import Finding
from napari_covidseg.viewer import parts

LEADS = {"stop": "Cannot run", "warning": "Warning", "info": "Note"}
VERBS = {
    "set-ct": "It is CT",
    "set-xray": "It is X-ray",
    "rescale": "Rescale",
    "invert": "Invert",
    "replace-nonfinite": "Replace",
    "assume-spacing": "Assume",
    "ignore-spacing": "Ignore",
    "even-slices": "Even out",
    "flip-horizontal": "Flip sides",
    "flip-vertical": "Flip",
    "flip-feet-head": "Flip",
    "rotate-90": "Turn",
    "rotate-180": "Turn",
    "rotate-270": "Turn",
}
"""Fix code to the word on its button; a sentence stands in the tooltip."""


class FindingsPanel(QWidget):
    """List of findings, the gravest first, and of the fixes that were done."""

    fix_wanted = Signal(str)
    undo_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fixed: dict[str, Finding] = {}
        self._rows: QVBoxLayout = parts.column(self)

    def say(self, text: str) -> None:
        """Show one sentence instead of findings."""
        parts.clear(self._rows)
        if text:
            self._rows.addWidget(parts.words(text))

    def show_findings(
        self,
        findings: Sequence[Finding],
        fixes: Sequence[str] = (),
        skipped: Mapping[str, str] | None = None,
    ) -> None:
        """Show findings, and each fix that was taken with a way back.

        `skipped` are those that could not be done, with the reason.
        """
        self._fixed.update({f.fix_code: f for f in findings if f.fix_code})
        parts.clear(self._rows)
        for code in dict.fromkeys(fixes):
            known = self._fixed.get(code)
            what = escape(known.what if known else code)
            if skipped and code in skipped:
                text = f"<b>Not fixed:</b> {what} {escape(skipped[code])}"
            else:
                text = f"<b>Fixed:</b> {what}"
            self._add(text, "Undo", "Take this fix back.", code, undo=True)
        grave = list(LEADS)
        for finding in sorted(findings, key=lambda f: grave.index(f.severity)):
            text = f"<b>{LEADS[finding.severity]}:</b> {escape(finding.what)}"
            text += f" {escape(finding.effect)}"
            if finding.fix and not finding.fix_code:
                text += f" <i>{escape(finding.fix)}</i>"
            verb = VERBS.get(finding.fix_code or "", "Fix")
            self._add(text, verb, finding.fix or "", finding.fix_code, undo=False)
        if not findings and not fixes:
            self._rows.addWidget(parts.words("Nothing speaks against a run."))

    def _add(self, text: str, verb: str, tooltip: str, code: str | None, undo: bool) -> None:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        label = parts.words(text, tooltip)
        label.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(label, 1)
        if code is not None:
            act = parts.button(verb, tooltip)
            signal = self.undo_wanted if undo else self.fix_wanted
            act.clicked.connect(lambda: signal.emit(code))
            layout.addWidget(act, 0, Qt.AlignmentFlag.AlignTop)
        self._rows.addWidget(row)
