"""Where the session meets Qt: one signal for its one notice, one timer that polls, one place that shows errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from scoresep.errors import Cancelled, ScoreSepError
from scoresep.model.project import Change, Project
from scoresep.session.session import Changed, Session

logger = logging.getLogger(__name__)

POLL_INTERVAL_MS = 33


class Bridge(QObject):
    """Joins a session with the event loop.

    Signals
    -------
    changed(Changed)
        The session's notice.
    ticked()
        Some thirty times a second, after the session was polled.

    Parameters
    ----------
    session : Session
    """

    changed = Signal(object)
    ticked = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._unsubscribe = session.subscribe(self._on_changed)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_INTERVAL_MS)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    def _on_changed(self, changed: Changed) -> None:
        self.changed.emit(changed)

    def _poll(self) -> None:
        self.attempt(self.session.poll)
        self.ticked.emit()

    def attempt(self, do: Callable[[], object]) -> bool:
        """Do something, and show what a person should know if it fails. Returns whether it went well."""
        try:
            do()
        except Cancelled:
            return False
        except ScoreSepError as error:
            self.session.say("error", str(error))
            return False
        return True

    def edit(self, make: Callable[[Project], Change]) -> bool:
        """Apply a change made from the present project, and show why if that fails. Returns whether it went well."""
        return self.attempt(lambda: self.session.apply(make(self.session.project)))

    def set_settings(self, **values: Any) -> None:
        """Change some of the settings."""
        self.session.set_settings(replace(self.session.settings, **values))

    def toggle_setting(self, name: str) -> None:
        """Turn one of the settings on, or off."""
        self.set_settings(**{name: not getattr(self.session.settings, name)})

    def report_crash(self, error: BaseException) -> None:
        """Say that something went wrong that should not have; the log has the rest."""
        self.session.say(
            "error",
            f"Something went wrong that should not have ({type(error).__name__}: {error}). "
            "Your work is still here; save it, and please report what you did.",
            "crash",
        )

    def close(self) -> None:
        """Stop polling and listening."""
        self._timer.stop()
        self._unsubscribe()
