"""What stands in the middle while nothing is open, or while one of the two files is missing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from scoresep.qt.widgets.buttons import TextButton
from scoresep.qt.widgets.theme import draw_icon, em, faint_color, line_color, sized_font

MAX_RECENT_SHOWN = 6


class DropField(QWidget):
    """A framed field that says what can be dropped here."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_over = False
        self._busy_text = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(em(self, 34), em(self, 9.5))

    def set_over(self, is_over: bool) -> None:
        """Show (or not) that something is held above the window."""
        self._is_over = is_over
        self.update()

    def set_busy(self, text: str) -> None:
        """Say what is being opened; empty for nothing."""
        if text != self._busy_text:
            self._busy_text = text
            self.setAccessibleName(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            palette = self.palette()
            accent = palette.color(QPalette.ColorRole.Highlight)
            pen = QPen(accent if self._is_over else line_color(palette), 1.6)
            pen.setDashPattern([4, 4])
            painter.setPen(pen)
            radius = em(self, 0.6)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
            side, middle = em(self, 3.0), self.width() / 2
            color = accent if self._is_over else faint_color(palette)
            draw_icon(painter, "waves", QRectF(middle - side * 1.35, em(self, 1.6), side, side), color)
            draw_icon(painter, "notes", QRectF(middle + side * 0.35, em(self, 1.6), side, side), color)
            painter.setFont(sized_font(self.font(), 1.12))
            painter.setPen(palette.color(QPalette.ColorRole.WindowText))
            painter.drawText(
                QRectF(0, em(self, 5.2), self.width(), em(self, 1.6)),
                Qt.AlignmentFlag.AlignCenter,
                self._busy_text or "Drop a recording and its score here",
            )
            if self._busy_text:
                return
            painter.setFont(sized_font(self.font(), 0.9))
            painter.setPen(faint_color(palette))
            painter.drawText(
                QRectF(0, em(self, 6.9), self.width(), em(self, 1.3)),
                Qt.AlignmentFlag.AlignCenter,
                "WAV, FLAC, MP3, M4A, video …  and  MusicXML, MIDI, MEI, ABC, Humdrum",
            )


class Welcome(QWidget):
    """The page.

    Signals
    -------
    recording_asked(), score_asked(), project_asked(), demo_asked()
    recent_asked(str)
    """

    recording_asked = Signal()
    score_asked = Signal()
    project_asked = Signal()
    demo_asked = Signal()
    recent_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.setAutoFillBackground(True)
        title = QLabel("ScoreSep")
        title.setFont(sized_font(self.font(), 2.2, is_bold=True))
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        said = QLabel("A recording and its score in, every instrument out.")
        said.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.field = DropField()
        self.recording = TextButton("Open recording…", "Open recording", "waves", is_framed=True)
        self.recording.set_primary(True)
        self.score = TextButton("Open score…", "Open score", "notes", is_framed=True)
        self.project = TextButton("Open project…", "Open project", "folder", is_framed=True)
        self.demo = TextButton("Try the demo piece", "Try the demo piece", "play")
        for button, signal in (
            (self.recording, self.recording_asked),
            (self.score, self.score_asked),
            (self.project, self.project_asked),
            (self.demo, self.demo_asked),
        ):
            button.clicked.connect(lambda _=False, signal=signal: signal.emit())
        buttons = QHBoxLayout()
        buttons.setSpacing(em(self, 0.5))
        buttons.addStretch(1)
        for button in (self.recording, self.score, self.project):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.setFocusProxy(self.recording)
        self._recent_widgets: list[QWidget] = []
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        column = QVBoxLayout(self)
        column.setSpacing(em(self, 0.6))
        column.addStretch(2)
        column.addWidget(title)
        column.addWidget(said)
        column.addSpacing(em(self, 1.2))
        column.addWidget(self.field, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(em(self, 0.6))
        column.addLayout(buttons)
        column.addWidget(self.demo, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(em(self, 1.0))
        column.addLayout(self._recent)
        column.addStretch(3)

    def show_recent(self, paths: tuple[str, ...]) -> None:
        """List the files opened last."""
        for widget in self._recent_widgets:
            self._recent.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._recent_widgets = []
        if paths:
            head = QLabel("Recent")
            head.setEnabled(False)
            head.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            self._recent.addWidget(head)
            self._recent_widgets.append(head)
        for path in paths[:MAX_RECENT_SHOWN]:
            button = TextButton(f"{Path(path).name}   –   {Path(path).parent.name}", f"Open {path}")
            button.clicked.connect(lambda _=False, path=path: self.recent_asked.emit(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            self._recent_widgets.append(button)
