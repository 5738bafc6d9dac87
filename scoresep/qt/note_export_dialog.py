"""Where and how selected notes are written: the dialog of exports, with notes in the place of stems."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QButtonGroup, QFormLayout, QHBoxLayout, QRadioButton, QWidget

from scoresep.model.note_edits import NoteKey
from scoresep.model.project import Project
from scoresep.qt.export_dialog import ExportDialog
from scoresep.session.exporting import ExportChoices
from scoresep.session.settings import Settings


class NoteExportDialog(ExportDialog):
    """The dialog.

    Parameters
    ----------
    project : Project
    settings : Settings
    keys : tuple of NoteKey
    folder : str
        Where this recording was exported to before; empty for nowhere yet.
    """

    def __init__(
        self, project: Project, settings: Settings, keys: tuple[NoteKey, ...], folder: str, parent: QWidget | None
    ) -> None:
        super().__init__(project, settings, None, folder, parent)
        self.setWindowTitle("Export notes")
        self._keys = keys
        self.together = QRadioButton("One file" if len(keys) > 1 else "The note")
        self.each = QRadioButton("A file for each note")
        self.together.setChecked(True)
        self.each.setVisible(len(keys) > 1)
        group, box = QButtonGroup(self), QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.together, self.each):
            group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        form = self.findChild(QFormLayout)
        assert form is not None
        for row_of_stems in range(2 if not self.ticks else 3):
            form.setRowVisible(row_of_stems, False)
        form.insertRow(0, "What", box)
        self.stems.setChecked(True)
        self.each.toggled.connect(self._refresh)
        self._refresh()

    @property
    def choices(self) -> ExportChoices:
        """What is chosen now."""
        choices = super().choices
        if not hasattr(self, "each"):  # the dialog of stems is still being made
            return choices
        return replace(choices, is_mix=False, note_keys=self._keys, is_note_by_note=self.each.isChecked())
