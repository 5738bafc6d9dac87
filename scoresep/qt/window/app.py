"""Starting the window: the application, its look, its log, and what becomes of errors that nobody expected."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from scoresep.files.storage.cache import start_log
from scoresep.playback.player import Player
from scoresep.qt.widgets.theme import Appearance, draw_icon
from scoresep.qt.window.main_window import MainWindow
from scoresep.session.session import Session

logger = logging.getLogger(__name__)

ICON_SIDES = (16, 24, 32, 48, 64, 128, 256)


def run_window(paths: Sequence[str] = ()) -> int:
    """Open the window, and stay until it is closed.

    Parameters
    ----------
    paths : sequence of str
        Files to open: a project, or a recording and its score.

    Returns
    -------
    exit_code : int
    """
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("ScoreSep")
    QGuiApplication.setDesktopFileName("scoresep")
    application.setWindowIcon(app_icon())
    start_log()
    session = Session()
    window = MainWindow(session, Player(device=session.settings.output_device or None), Appearance(application))
    sys.excepthook = _hook(window)
    threading.excepthook = lambda args: logger.error("in thread %s", args.thread, exc_info=args.exc_value)
    signal.signal(signal.SIGINT, lambda *_: window.close())
    window.show()
    QTimer.singleShot(0, window, lambda: window.documents.begin(list(paths)))
    return application.exec()


def app_icon() -> QIcon:
    """Return the picture of the program, drawn in all sizes."""
    icon = QIcon()
    for side in ICON_SIDES:
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        draw_icon(painter, "app", QRectF(pixmap.rect()), QColor())
        painter.end()
        icon.addPixmap(pixmap)
    return icon


def _hook(window: MainWindow) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        logger.critical("unexpected", exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)
        window.bridge.report_crash(error)

    return show
