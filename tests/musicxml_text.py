"""Tiny MusicXML documents as text, for tests of the reader."""

from __future__ import annotations

from collections.abc import Sequence

_LETTERS = (
    ("C", 0),
    ("C", 1),
    ("D", 0),
    ("E", -1),
    ("E", 0),
    ("F", 0),
    ("F", 1),
    ("G", 0),
    ("A", -1),
    ("A", 0),
    ("B", -1),
    ("B", 0),
)

FOUR_FOUR = "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
SECOND_HALF = "<backup><duration>4</duration></backup>"


def note(
    midi: float | None = 60, duration: int | None = 8, extra: str = "", *, before: str = "", after: str = ""
) -> str:
    """Write one note; `midi` None writes a rest. `before` goes in front of the pitch, `extra` behind the duration."""
    if midi is None:
        what = "<rest/>"
    else:
        letter, alter = _LETTERS[int(midi) % 12]
        alter_text = f"<alter>{alter + midi % 1}</alter>" if alter or midi % 1 else ""
        what = f"<pitch><step>{letter}</step>{alter_text}<octave>{int(midi) // 12 - 1}</octave></pitch>"
    length = "" if duration is None else f"<duration>{duration}</duration>"
    return f"<note>{before}{what}{length}{extra}</note>{after}"


def tie(*types: str) -> str:
    """Write the ties of a note."""
    return "".join(f'<tie type="{kind}"/>' for kind in types)


def barline(content: str, location: str = "right") -> str:
    """Write one bar line."""
    return f'<barline location="{location}">{content}</barline>'


OPENS = barline('<repeat direction="forward"/>', "left")
CLOSES = barline('<repeat direction="backward"/>')


def ending(numbers: str, kind: str, *, closes: bool = False) -> str:
    """Write the start or stop of an ending."""
    location = "left" if kind == "start" else "right"
    repeat = '<repeat direction="backward"/>' if closes else ""
    return barline(f'<ending number="{numbers}" type="{kind}"/>{repeat}', location)


def words(text: str, sound: str = "") -> str:
    """Write a direction of words, with playback attributes such as ``dacapo="yes"``."""
    playback = f"<sound {sound}/>" if sound else ""
    return f"<direction><direction-type><words>{text}</words></direction-type>{playback}</direction>"


def part(*measures: str, numbers: Sequence[str] | None = None, attributes: str = FOUR_FOUR) -> str:
    """Write the measures of a part; a measure that starts with an attribute list ``@implicit="yes"|`` gets it."""
    text = ""
    for i, measure in enumerate(measures):
        extra = ""
        if measure.startswith("@"):
            extra, measure = measure[1:].split("|", 1)
        number = numbers[i] if numbers else str(i + 1)
        text += f'<measure number="{number}" {extra}>{attributes if i == 0 else ""}{measure}</measure>'
    return text


def document(*parts: str, names: Sequence[str] = (), header: str = "", listed: Sequence[str] = ()) -> bytes:
    """Write a partwise document."""
    entries = ""
    bodies = ""
    for i, body in enumerate(parts):
        name = names[i] if i < len(names) else f"Part {i + 1}"
        more = listed[i] if i < len(listed) else ""
        entries += f'<score-part id="P{i}"><part-name>{name}</part-name>{more}</score-part>'
        bodies += f'<part id="P{i}">{body}</part>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0">{header}'
        f"<part-list>{entries}</part-list>{bodies}</score-partwise>"
    ).encode()
