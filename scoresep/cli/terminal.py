"""What the command line shows: progress and warnings on the error stream, results on the standard output."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from scoresep.errors import ScoreSepError
from scoresep.progress import Progress, ProgressState

TTY_INTERVAL_S = 0.1
LOG_INTERVAL_S = 5.0


class Terminal:
    """The terminal (or the file, or the script) that reads along.

    Parameters
    ----------
    is_quiet : bool
        No progress.
    is_json : bool
        Progress, warnings and errors as one JSON object a line, and the result as one.
    """

    def __init__(self, is_quiet: bool = False, is_json: bool = False) -> None:
        self.is_quiet = is_quiet
        self.is_json = is_json
        self._shown_s = 0.0
        self._shown_text = ""
        self._has_line = False

    def progress(self) -> Progress:
        """Return a progress that is shown here."""
        return Progress(None if self.is_quiet else self._show)

    def say(self, text: str) -> None:
        """Print one line of a result for people; not in JSON mode."""
        self.clear()
        if not self.is_json:
            print(text)

    def result(self, values: dict[str, Any]) -> None:
        """Print the result for scripts; only in JSON mode."""
        if self.is_json:
            print(json.dumps(values, ensure_ascii=False), flush=True)

    def warn(self, text: str) -> None:
        """Show one sentence of warning."""
        self.clear()
        self._to_stderr(json.dumps({"warning": text}, ensure_ascii=False) if self.is_json else f"Warning: {text}")

    def fail(self, error: ScoreSepError) -> int:
        """Show one sentence that says what went wrong, and return the exit code."""
        self.clear()
        text = str(error)
        self._to_stderr(json.dumps({"error": text}, ensure_ascii=False) if self.is_json else f"scoresep: {text}")
        return error.exit_code

    def clear(self) -> None:
        """Take the line of progress away."""
        if self._has_line:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._has_line = False

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
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._has_line = True
        else:
            self._to_stderr(line)

    def _to_stderr(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _time_left(state: ProgressState) -> str:
    if state.remaining_s is None:
        return ""
    seconds = round(state.remaining_s)
    return f"  ({seconds // 60} min {seconds % 60:02d} s left)" if seconds >= 60 else f"  ({seconds} s left)"
