"""What the command line shows: progress and warnings on the error stream, results on the standard output."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from scoresep.cli.process import drop
from scoresep.errors import OutputError, ScoreSepError
from scoresep.progress import Progress, ProgressState

TTY_INTERVAL_S = 0.1
LOG_INTERVAL_S = 5.0
STANDARD_OUTPUT = "-"


class Terminal:
    """The terminal (or the file, or the script) that reads along.

    Parameters
    ----------
    is_quiet : bool
        No progress.
    is_json : bool
        Progress, warnings and errors as one JSON object a line, and the result as one.
    is_cancelled : callable returning bool, optional
        Whether the work should stop.
    """

    def __init__(
        self, is_quiet: bool = False, is_json: bool = False, is_cancelled: Callable[[], bool] | None = None
    ) -> None:
        self.is_quiet = is_quiet
        self.is_json = is_json
        self._is_cancelled = is_cancelled
        self._shown_s = 0.0
        self._shown_text = ""
        self._has_line = False

    def progress(self) -> Progress:
        """Return a progress that is shown here."""
        return Progress(None if self.is_quiet else self._show, self._is_cancelled)

    def say(self, text: str) -> None:
        """Print one line of a result for people; not in JSON mode.

        Raises
        ------
        OutputError
        """
        self.clear()
        if not self.is_json:
            self._to_stdout(text)

    def result(self, values: dict[str, Any]) -> None:
        """Print the result for scripts; only in JSON mode.

        It goes to the error stream where a table takes the standard output (``output`` is ``-``).

        Raises
        ------
        OutputError
        """
        if self.is_json:
            show = self._to_stderr if values.get("output") == STANDARD_OUTPUT else self._to_stdout
            show(json.dumps(values))

    def warn(self, text: str) -> None:
        """Show one sentence of warning."""
        self.clear()
        self._to_stderr(json.dumps({"warning": text}) if self.is_json else f"Warning: {text}")

    def note(self, text: str) -> None:
        """Show one sentence that a person should know."""
        self.clear()
        self._to_stderr(json.dumps({"note": text}) if self.is_json else text)

    def fail(self, error: ScoreSepError) -> int:
        """Show one sentence that says what went wrong, and return the exit code."""
        self.clear()
        text = " ".join(str(error).split())
        self._to_stderr(json.dumps({"error": text}) if self.is_json else f"scoresep: {text}")
        return error.exit_code

    def clear(self) -> None:
        """Take the line of progress away."""
        if self._has_line:
            self._has_line = False
            self._to_stderr("\r\x1b[K", end="")

    def _show(self, state: ProgressState) -> None:
        now_s = time.monotonic()
        is_tty = sys.stderr.isatty() and not self.is_json
        has_news = state.text != self._shown_text
        if not has_news and now_s - self._shown_s < (TTY_INTERVAL_S if is_tty else LOG_INTERVAL_S):
            return
        self._shown_s, self._shown_text = now_s, state.text
        if self.is_json:
            left = None if state.remaining_s is None else round(state.remaining_s, 1)
            self._to_stderr(json.dumps({"progress": round(state.fraction, 4), "text": state.text, "remaining_s": left}))
            return
        line = f"{state.fraction:4.0%}  {state.text}{_time_left(state)}"
        if is_tty:
            self._has_line = True
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be taken away again
            self._to_stderr(f"\r\x1b[K{line[:width]}", end="")
        else:
            self._to_stderr(line)

    def _to_stdout(self, line: str) -> None:
        """Print a line; work that is done stays done where nobody reads it any more."""
        try:
            print(line, flush=True)
        except BrokenPipeError:
            drop(sys.stdout)
        except OSError as error:
            drop(sys.stdout)
            raise OutputError(
                f"The standard output could not be written ({error.strerror or error}); send it elsewhere."
            ) from error

    def _to_stderr(self, text: str, end: str = "\n") -> None:
        """Print a text; the work goes on where nobody reads it any more."""
        try:
            print(text, end=end, file=sys.stderr, flush=True)
        except OSError:
            drop(sys.stderr)


def count_in_words(count: int, noun: str) -> str:
    """Return a number of things in words: ``1 note``, ``2 notes``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _time_left(state: ProgressState) -> str:
    if state.remaining_s is None:
        return ""
    seconds = round(state.remaining_s)
    return f"  ({seconds // 60} min {seconds % 60:02d} s left)" if seconds >= 60 else f"  ({seconds} s left)"
