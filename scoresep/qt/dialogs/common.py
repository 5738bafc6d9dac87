"""Small dialogs: which bar, shortcuts, about, and what all dialogs have. None blocks; each tells with a signal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from scoresep.model.score import PerformancePath, Score
from scoresep.qt.widgets.theme import blend, em, is_dark, sized_font

# A bar as it is shown and as it may be typed: 12, 12 (2), or 12, 2
BAR_AND_TIME = re.compile(r"\s*(?P<number>[^,(]*[^,(\s])\s*(?:[,(]\s*(?P<time>[1-9]\d*)\s*\)?)?\s*")


class OpenDialog(QDialog):
    """A dialog with a title, a first sentence, and buttons at its foot."""

    def __init__(self, title: str, sentence: str, accept_text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette = self.palette()
        if is_dark(palette):  # Fusion's rings of buttons and ticks are darker than the window, and not seen on dark
            window, text = palette.color(palette.ColorRole.Window), palette.color(palette.ColorRole.WindowText)
            palette.setColor(palette.ColorRole.Base, blend(window, text, 0.16))
            self.setPalette(palette)
        self.column = QVBoxLayout(self)
        margin = em(self, 1.0)
        self.column.setContentsMargins(margin, margin, margin, margin)
        self.column.setSpacing(em(self, 0.7))
        if sentence:
            label = QLabel(sentence)
            label.setWordWrap(True)
            self.column.addWidget(label)
        self.buttons = QDialogButtonBox()
        if accept_text:
            self.accept_button = self.buttons.addButton(accept_text, QDialogButtonBox.ButtonRole.AcceptRole)
            self.accept_button.setDefault(True)
            self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        else:
            self.buttons.addButton(QDialogButtonBox.StandardButton.Close)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def finish(self) -> None:
        """Add the buttons below everything else."""
        for button in self.buttons.buttons():
            button.setIcon(QIcon())
        self.column.addSpacing(em(self, 0.3))
        self.column.addWidget(self.buttons)


def question_box(parent: QWidget, title: str, text: str) -> QMessageBox:
    """Make a box that asks something; buttons are added, and `open` called, by who asks.

    Parameters
    ----------
    parent : QWidget
    title : str
    text : str
        A sentence or two.
    """
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setStyleSheet("* { dialogbuttonbox-buttons-have-icons: 0 }")
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(text)
    return box


def path_text(score: Score, path: PerformancePath) -> str:
    """Write the order of playing as ranges of printed bar numbers: ``0–8, 1–16``."""
    ranges: list[list[int]] = []
    for index in path.measure_indices:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    numbers = [(score.measures[a].number, score.measures[b].number) for a, b in ranges]
    return ", ".join(a if a == b else f"{a}–{b}" for a, b in numbers)


class GoToBarDialog(OpenDialog):
    """Which bar to go to: its printed number and, where it is played more than once, which time.

    Parameters
    ----------
    go : callable taking the number and the occurrence and returning whether there is such a bar
    played : str
        The bars that there are, in words.
    """

    def __init__(self, go: Callable[[str, int], bool], played: str, parent: QWidget | None = None) -> None:
        super().__init__("Go to bar", "", "Go", parent)
        self._go = go
        self._played = played
        self.number = QLineEdit()
        self.number.setPlaceholderText("12, or 12 (2) for its second time")
        self.number.setMinimumWidth(em(self, 18))
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.hide()
        form = QFormLayout()
        form.addRow("Bar", self.number)
        self.column.addLayout(form)
        self.column.addWidget(self.problem)
        self.finish()

    def accept(self) -> None:
        found = BAR_AND_TIME.fullmatch(self.number.text())
        if found is not None and self._go(found["number"], int(found["time"] or 1)):
            super().accept()
        else:
            self.problem.setText(f"There is no such bar. In the order played: {self._played}.")
            self.problem.setMinimumHeight(self.problem.heightForWidth(self.number.width()))
            self.number.selectAll()
            self.number.setFocus()
            self.problem.show()


class SetsDialog(OpenDialog):
    """How many sets of instruments to tell apart.

    Parameters
    ----------
    most : int
    start : callable taking the number, or auto
    parent : QWidget, optional
    """

    def __init__(
        self, most: int, start: Callable[[int | Literal["auto"]], object], parent: QWidget | None = None
    ) -> None:
        sentence = "Stretches that sound alike are found without a score, and named A, B, and so on."
        super().__init__("Segment without score", sentence, "Segment", parent)
        self.sets = QSpinBox()
        self.sets.setRange(0, most)
        self.sets.setSpecialValueText("As many as are heard")
        form = QFormLayout()
        form.addRow("Sets of instruments", self.sets)
        self.column.addLayout(form)
        self.finish()
        self.accepted.connect(lambda: start(self.sets.value() or "auto"))


# Keys with what they do, under a title.
KeyGroup = tuple[str, list[tuple[str, str]]]


class ShortcutsDialog(OpenDialog):
    """All keys on one page.

    Parameters
    ----------
    groups : list of KeyGroup
    """

    def __init__(self, groups: list[KeyGroup], parent: QWidget | None = None) -> None:
        super().__init__("Shortcuts", "", "", parent)
        room = self.screen().availableSize() * 0.8
        page = self._page(_balanced(groups))
        if page.sizeHint().width() > room.width():
            page = self._page((groups,))
        scroll = QScrollArea()
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        wanted = page.sizeHint() + QSize(em(self, 2.0), em(self, 0.5))
        scroll.setMinimumSize(wanted.boundedTo(room))
        self.column.addWidget(scroll, 1)
        self.finish()

    def _page(self, halves: Sequence[list[KeyGroup]]) -> QWidget:
        page = QWidget()
        columns = QHBoxLayout(page)
        columns.setSpacing(em(self, 2.0))
        for half in halves:
            column = QVBoxLayout()
            column.setSpacing(em(self, 0.25))
            for title, lines in half:
                column.addWidget(self._table(title, lines))
            column.addStretch(1)
            columns.addLayout(column)
        return page

    def _table(self, title: str, lines: list[tuple[str, str]]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, em(self, 0.6))
        grid.setHorizontalSpacing(em(self, 1.2))
        grid.setVerticalSpacing(em(self, 0.15))
        head = QLabel(title)
        head.setFont(sized_font(self.font(), 1.0, is_bold=True))
        grid.addWidget(head, 0, 0, 1, 2)
        for row, (keys, text) in enumerate(lines, start=1):
            key = QLabel(keys)
            key.setFont(sized_font(self.font(), 1.0, is_bold=True))
            key.setMinimumWidth(em(self, 8))
            grid.addWidget(key, row, 0)
            grid.addWidget(QLabel(text), row, 1)
        grid.setColumnStretch(1, 1)
        return box


def _balanced(groups: list[KeyGroup]) -> tuple[list[KeyGroup], list[KeyGroup]]:
    """Divide groups into two columns of about one height, in their order."""
    total, done, split = sum(len(lines) + 2 for _, lines in groups), 0, 0
    while split < len(groups) and done + (len(groups[split][1]) + 2) / 2 <= total / 2:
        done += len(groups[split][1]) + 2
        split += 1
    return groups[:split], groups[split:]


class AboutDialog(OpenDialog):
    """Version and licence."""

    def __init__(self, version: str, parent: QWidget | None = None) -> None:
        super().__init__("About ScoreSep", "", "", parent)
        name = QLabel(f"ScoreSep {version}")
        name.setFont(sized_font(self.font(), 1.5, is_bold=True))
        self.column.addWidget(name)
        text = QLabel("Takes a recording and its score and gives every instrument back.\nFree software (MIT licence).")
        self.column.addWidget(text)
        self.finish()
