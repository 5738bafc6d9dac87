"""One line under the parts: what made the stems that are heard, and whether they are out of date."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from scoresep.qt.buttons import TextButton
from scoresep.qt.theme import em


class StemLine(QWidget):
    """The line; a button that lets another making be chosen.

    Signals
    -------
    pressed()
    """

    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = TextButton("", "Stems", "split", is_faint=True)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self.pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(em(self, 0.15), em(self, 0.15), em(self, 0.15), em(self, 0.15))
        row.addWidget(self.button)
        self.hide()

    def show_text(self, text: str, tip: str) -> None:
        """Show what made the stems; an empty text hides the line."""
        self.button.setText(text)
        self.button.set_name(tip or "Stems")
        self.setVisible(bool(text))
