"""Sentences for the person that need no answer, and when they are out of date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["info", "warning", "error"]
MAX_MESSAGES = 30

# What a person tried last and was refused at once; the next that goes well settles it.
LAST_TRY = ""


@dataclass(frozen=True)
class Message:
    """One sentence; `key` is the matter that it is about. An error without a key is about what was tried last."""

    level: Level
    text: str
    key: str = ""


class Messages:
    """The sentences that are shown now, oldest first.

    What is said of a matter replaces what was said of it before; an error (of the next try) leaves warnings (of what is
    there) alone, and the other way round. All sentences of a matter go when it is settled.
    """

    def __init__(self) -> None:
        self.shown: tuple[Message, ...] = ()

    def say(self, level: Level, *texts: str, key: str = LAST_TRY) -> None:
        """Show sentences that belong together."""
        is_error = level == "error"

        def is_replaced(old: Message) -> bool:
            is_of_matter = old.key == key and (old.level == "error") == is_error and (key != LAST_TRY or is_error)
            return is_of_matter or (old.level == level and old.text in texts)

        rest = [m for m in self.shown if not is_replaced(m)]
        new = [Message(level, text, key) for text in dict.fromkeys(texts)]
        self.shown = tuple([*rest, *new][-MAX_MESSAGES:])

    def settle(self, keys: Iterable[str]) -> bool:
        """Take away what is said of these matters; of what was tried last only the error. Returns whether any was."""
        matters = frozenset(keys)
        before = self.shown
        self.shown = tuple(m for m in before if m.key not in matters or (m.key == LAST_TRY and m.level != "error"))
        return self.shown != before

    def dismiss(self, message: Message) -> None:
        """Take one away."""
        self.shown = tuple(m for m in self.shown if m is not message)

    def clear(self) -> None:
        """Take all away."""
        self.shown = ()
