"""Sentences for the person that need no box: what went wrong, what is doubtful, what could be done next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from scoresep.progress import ProgressState
from scoresep.qt.widgets.buttons import IconButton, TextButton
from scoresep.qt.widgets.theme import LEVEL_CLIP, LEVEL_HIGH, blend, digits_font, draw_icon, em, is_dark, line_color
from scoresep.session.separation_job import StemsSoFar

MAX_SHOWN = 4
INFO_STAYS_MS = 9000


@dataclass(frozen=True)
class Offer:
    """Something that a sentence offers to do."""

    text: str
    do: Callable[[], None]


@dataclass(frozen=True)
class Sentence:
    """What one line of the bar says.

    Attributes
    ----------
    level : str
        ``info``, ``warning``, ``error``, or ``hint``, which stays until it no longer applies.
    text : str
    offers : tuple of Offer
    origin : object
        What is handed back when the line is dismissed.
    """

    level: str
    text: str
    offers: tuple[Offer, ...] = ()
    origin: object = None


def level_color(level: str, palette: QPalette) -> QColor:
    """Return the colour that a level is marked with."""
    if level == "error":
        return LEVEL_CLIP
    if level == "warning":
        return LEVEL_HIGH
    return palette.color(QPalette.ColorRole.Highlight)


class _Picture(QWidget):
    def __init__(self, level: str) -> None:
        super().__init__()
        self._level = level
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(em(self, 1.15), em(self, 1.15))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            name = "info" if self._level in ("info", "hint") else "warning"
            draw_icon(painter, name, QRectF(self.rect()), level_color(self._level, self.palette()))


class MessageLine(QWidget):
    """One line of the bar."""

    dismissed = Signal(object)

    def __init__(self, sentence: Sentence, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = sentence
        self.text = QLabel(sentence.text)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAccessibleName(sentence.text)
        row = QHBoxLayout(self)
        row.setContentsMargins(em(self, 0.8), em(self, 0.35), em(self, 0.5), em(self, 0.35))
        row.setSpacing(em(self, 0.5))
        row.addWidget(_Picture(sentence.level))
        row.addWidget(self.text, 1)
        self.buttons: list[TextButton] = []
        for offer in sentence.offers:
            button = TextButton(offer.text, offer.text, is_framed=True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, do=offer.do: do())
            row.addWidget(button)
            self.buttons.append(button)
        self.close_button: IconButton | None = None
        if sentence.level != "hint":
            self.close_button = IconButton("close", "Dismiss", size_em=1.5)
            self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.close_button.clicked.connect(lambda: self.dismissed.emit(sentence))
            row.addWidget(self.close_button)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            window = self.palette().color(QPalette.ColorRole.Window)
            color = level_color(self.sentence.level, self.palette())
            strength = {"hint": 0.06, "info": 0.08}.get(self.sentence.level, 0.13)
            painter.fillRect(self.rect(), blend(window, color, strength * (1.3 if is_dark(self.palette()) else 1.0)))
            painter.fillRect(0, 0, max(em(self, 0.18), 2), self.height(), color)
            painter.fillRect(0, self.height() - 1, self.width(), 1, blend(window, color, 0.25))


class MessageBar(QWidget):
    """The lines that are shown now, the newest on top.

    Signals
    -------
    dismissed(object)
        Origin of the sentence that the person took away.
    focus_left()
        The line that the keyboard was in has gone.
    """

    dismissed = Signal(object)
    focus_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: list[MessageLine] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def lines(self) -> tuple[MessageLine, ...]:
        """The lines shown now."""
        return tuple(self._lines)

    def show_sentences(self, sentences: tuple[Sentence, ...]) -> None:
        """Show these sentences and no others; lines that stay the same are left alone."""
        shown = tuple(reversed(sentences))[:MAX_SHOWN]
        if [_likeness(line.sentence) for line in self._lines] == [_likeness(s) for s in shown]:
            return
        had_focus = any(line.isAncestorOf(focus) for line in self._lines if (focus := QApplication.focusWidget()))
        for line in self._lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines = []
        for sentence in shown:
            line = MessageLine(sentence)
            line.dismissed.connect(lambda s: self.dismissed.emit(s.origin))
            self._column.addWidget(line)
            self._lines.append(line)
            if sentence.level == "info":
                QTimer.singleShot(INFO_STAYS_MS, line, lambda s=sentence: self.dismissed.emit(s.origin))
        self.setVisible(bool(self._lines))
        if had_focus:
            self.focus_left.emit()


def _likeness(sentence: Sentence) -> tuple[object, ...]:
    return sentence.level, sentence.text, tuple(o.text for o in sentence.offers), id(sentence.origin)


def remaining_text(remaining_s: float | None) -> str:
    """Write how long it will take, as roughly as it is known.

    Parameters
    ----------
    remaining_s : float or None
    """
    if remaining_s is None:
        return ""
    if remaining_s < 10:
        return "a few seconds left"
    if remaining_s < 60:
        return f"{round(remaining_s / 5) * 5} s left"
    minutes = round(remaining_s / 60)
    if minutes < 60:
        return f"{minutes} min left"
    return f"{minutes // 60} h {minutes % 60:02d} min left"


def stretches_text(state: ProgressState) -> str:
    """Write how many stretches of stems can be heard already."""
    if not isinstance(state.finished, StemsSoFar):
        return ""
    return f"{len(state.finished.finished)} of {state.finished.stretch_count} stretches"


def progress_text(title: str, state: ProgressState) -> str:
    """Write one line about a job."""
    what = state.text or title
    parts = [what, stretches_text(state), f"{round(100 * state.fraction)} %", remaining_text(state.remaining_s)]
    return "  ·  ".join(part for part in parts if part)


class ProgressLine(QWidget):
    """A thin bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fraction = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_fraction(self, fraction: float) -> None:
        """Show how much is done, 0 to 1."""
        if fraction != self._fraction:
            self._fraction = fraction
            self.setAccessibleDescription(f"{round(100 * fraction)} %")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(em(self, 8.0), em(self, 0.9))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            height = max(em(self, 0.28), 3)
            groove = QRectF(0, (self.height() - height) / 2, self.width(), height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(line_color(self.palette()))
            painter.drawRoundedRect(groove, height / 2, height / 2)
            groove.setWidth(max(self.width() * self._fraction, height))
            painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
            painter.drawRoundedRect(groove, height / 2, height / 2)


class JobStrip(QWidget):
    """The job that runs, and how many wait.

    Signals
    -------
    cancel_asked()
    """

    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.text.setFont(digits_font(self.font(), 0.92))
        self.line = ProgressLine()
        self.line.setAccessibleName("Progress")
        self.cancel = IconButton("close", "Cancel", size_em=1.4)
        self.cancel.clicked.connect(self.cancel_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(em(self, 0.5))
        for widget in (self.text, self.line, self.cancel):
            row.addWidget(widget)
        self.hide()

    def show_jobs(self, jobs: tuple[tuple[str, ProgressState], ...]) -> None:
        """Show the first of the jobs, given by title and state, and say how many there are besides."""
        self.setVisible(bool(jobs))
        if not jobs:
            return
        title, state = jobs[0]
        text = progress_text(title, state)
        if len(jobs) > 1:
            text += f"  (+{len(jobs) - 1})"
        if text != self.text.text():
            self.text.setText(text)
        self.line.show_fraction(state.fraction)
        self.cancel.set_name(f"Cancel: {title}")
