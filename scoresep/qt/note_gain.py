"""The gain of selected notes: a slider that is heard while it moves."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from scoresep.qt.dialogs import OpenDialog
from scoresep.qt.theme import digits_font, em
from scoresep.qt.timeline.note_marks import gain_text
from scoresep.session.note_edits import LEAST_GAIN_DB, MOST_GAIN_DB

STEPS_PER_DB = 2


class NoteGainDialog(OpenDialog):
    """The dialog.

    Parameters
    ----------
    count : int
        Of notes.
    gain_db : float
        What they have now.

    Signals
    -------
    tried(float)
        A gain is to be heard, but not taken yet.
    hear_asked()
    chosen(float)
    """

    tried = Signal(float)
    hear_asked = Signal()
    chosen = Signal(float)

    def __init__(self, count: int, gain_db: float, parent: QWidget | None = None) -> None:
        what = "the selected note" if count == 1 else f"the {count} selected notes"
        super().__init__("Gain of notes", f"How much louder or softer {what} should be:", "Apply", parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(LEAST_GAIN_DB * STEPS_PER_DB), round(MOST_GAIN_DB * STEPS_PER_DB))
        self.slider.setPageStep(3 * STEPS_PER_DB)
        self.slider.setValue(round(min(max(gain_db, LEAST_GAIN_DB), MOST_GAIN_DB) * STEPS_PER_DB))
        self.slider.setMinimumWidth(em(self, 18))
        self.slider.setAccessibleName("Gain")
        self.value = QLabel()
        self.value.setFont(digits_font(self.font(), 1.0))
        self.value.setMinimumWidth(em(self, 5))
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        self.column.addLayout(row)
        buttons = QHBoxLayout()
        for text, tip, slot in (
            ("As &played", "Back to 0 dB", lambda: self.slider.setValue(0)),
            ("&Hear", "Hear the notes alone", self.hear_asked.emit),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.column.addLayout(buttons)
        self.slider.valueChanged.connect(self._moved)
        self.finish()
        self._show()
        self.slider.setFocus()

    @property
    def gain_db(self) -> float:
        """Where the slider stands."""
        return self.slider.value() / STEPS_PER_DB

    def _show(self) -> None:
        self.value.setText(gain_text(self.gain_db))

    def _moved(self) -> None:
        self._show()
        self.tried.emit(self.gain_db)

    def accept(self) -> None:
        self.chosen.emit(self.gain_db)
        super().accept()
