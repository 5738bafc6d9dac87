"""What works in the background: how far it is, how long it will take, and a button that ends it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from scoresep.progress import ProgressState
from scoresep.qt.buttons import IconButton
from scoresep.qt.theme import digits_font, em, line_color
from scoresep.session.stem_making import StemsSoFar


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
