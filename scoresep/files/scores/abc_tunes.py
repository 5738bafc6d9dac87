"""The lines of an ABC file: which of them are fields, directives and music, and where tunes begin and end.

What the fields mean is told in `abc_fields`, how music is read in `abc_voice`.

References
----------
ABC music standard 2.1, December 2011, sections 2 (files and tunes), 3.3 (continuation), 9 (macros).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from scoresep.files.scores.jump_words import MAX_PASSES

DIRECTIVE = "%"
_FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)", re.DOTALL)  # in a tune "E:|" and "G::" are notes before a repeat sign
_TEXT_FIELDS = "wWsd"  # words under the notes may begin with bar lines
_MUSIC_LINE = re.compile(r"[\sA-Ga-gxyzXZ0-9,'/^_=|:\[\](){}<>.~HLMOPSTuv&$`\\-]*")
_ASIDES = re.compile(r'"[^"]*"|!\w[^!]*!|\[[A-Za-z]:[^\]]*\]')
_MAX_LINE = 200_000
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "c": "\u0327", "v": "\u030c"}
_LIGATURES = {"ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "/o": "ø", "/O": "Ø"}


@dataclass(frozen=True)
class AbcLine:
    """One line without its comment.

    Attributes
    ----------
    number : int
        In the file, counted from 1.
    field : str
        The letter of a field, ``%`` for a directive (``%%`` and ``I:`` alike), empty for music.
    text : str
    """

    number: int
    field: str
    text: str


@dataclass
class AbcTune:
    """One tune: its header (that of the file before its own) and its body."""

    header: list[AbcLine] = field(default_factory=list)
    body: list[AbcLine] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def values(self, letter: str) -> list[str]:
        """Return what all fields of one letter say, in the header first."""
        return [line.text for line in (*self.header, *self.body) if line.field == letter]


def read_tunes(text: str) -> list[AbcTune]:
    """Divide an ABC file into its tunes; a text without ``X:`` is one tune.

    Parameters
    ----------
    text : str

    Returns
    -------
    tunes : list of AbcTune
    """
    blocks = _blocks(_without_texts(text.splitlines()))
    file_header: list[AbcLine] = []
    tunes: list[AbcTune] = []
    has_numbers = any(line.field == "X" for block in blocks for line in block)
    for block in blocks:
        begins = bool(block) and (block[0].field == "X" or (not has_numbers and not tunes))
        if begins:
            tunes.append(AbcTune(header=list(file_header)))
        elif not tunes:
            file_header += [line for line in block if line.field]
            continue
        elif tunes[-1].body and not _is_more_of_the_tune(block):
            continue  # free text between tunes
        elif tunes[-1].body:
            at = block[0].number
            tunes[-1].warnings.append(f"Line {at}: the tune goes on after an empty line; it is read as one tune.")
        _add_block(tunes[-1], block)
    return tunes


def _add_block(tune: AbcTune, block: list[AbcLine]) -> None:
    """Add lines to a tune: to the header up to and with the key, which ends it, or up to the first music."""
    in_body = bool(tune.body) or any(line.field == "K" for line in tune.header)
    has_key = in_body or any(line.field == "K" for line in block)
    for line in block:
        if not line.field and not in_body and has_key and "|" not in line.text:
            continue  # a remark in the header
        in_body = in_body or not line.field
        (tune.body if in_body else tune.header).append(line)
        in_body = in_body or line.field == "K"
    if not has_key and tune.body:
        tune.warnings.append("The tune names no key (K:); it is read in C major.")


def _without_texts(lines: list[str]) -> list[tuple[int, str]]:
    """Number the lines and leave out blocks of text, PostScript and the like (``%%begin...`` to ``%%end...``)."""
    kept: list[tuple[int, str]] = []
    until = ""
    for number, line in enumerate(lines, 1):
        begun = re.match(r"%%\s*begin(\w+)", line)
        if until:
            until = "" if re.match(rf"%%\s*end{until}\b", line) else until
        elif begun is not None and any(re.match(rf"%%\s*end{begun[1]}\b", after) for after in lines[number:]):
            until = begun[1]
        else:
            kept.append((number, line))
    return kept


def _blocks(lines: list[tuple[int, str]]) -> list[list[AbcLine]]:
    """Divide lines at empty ones and before every ``X:``, and join continued fields with what they continue."""
    blocks: list[list[AbcLine]] = [[]]
    for number, raw in lines:
        if not raw.strip():
            blocks.append([])
            continue
        line = _read_line(number, raw)
        if line is None:
            continue
        if line.field == "X" and blocks[-1]:
            blocks.append([])
        if line.field == "+":
            if blocks[-1]:
                before = blocks[-1].pop()
                blocks[-1].append(AbcLine(before.number, before.field, f"{before.text} {line.text}"))
            continue
        blocks[-1].append(line)
    return [block for block in blocks if block]


def _read_line(number: int, raw: str) -> AbcLine | None:
    """Read one line; None for a comment."""
    if raw.startswith("%%"):
        return AbcLine(number, DIRECTIVE, _directive(_without_comment(raw[2:], False)))
    if raw.lstrip().startswith("%"):
        return None
    found = _FIELD.match(raw.lstrip())
    if found is None and raw.lstrip()[:2] in [f"{letter}:" for letter in _TEXT_FIELDS]:
        return AbcLine(number, raw.lstrip()[0], "")
    if found is None:
        return AbcLine(number, "", _without_comment(raw, True))
    letter, text = found[1], _without_comment(found[2], False).strip()
    return AbcLine(number, DIRECTIVE, _directive(text)) if letter == "I" else AbcLine(number, letter, text)


def _directive(text: str) -> str:
    """Bring the two ways to write a directive, ``MIDI program 1`` and ``MIDI=program 1``, to one."""
    return " ".join(re.sub(r"^(\s*[\w-]+)\s*=", r"\1 ", text).split())


def _without_comment(text: str, is_music: bool) -> str:
    quoted = False
    for i, c in enumerate(text):
        if c == '"' and is_music:
            quoted = not quoted
        elif c == "%" and not quoted and (i == 0 or text[i - 1] != "\\"):
            return text[:i]
    return text


def _is_more_of_the_tune(block: list[AbcLine]) -> bool:
    """Whether lines behind an empty one are music for certain."""
    music = [line.text for line in block if not line.field]
    is_music = all(_MUSIC_LINE.fullmatch(_ASIDES.sub("", text)) for text in music)
    return bool(music) and is_music and any("|" in text for text in music)


# -------------------------------------------------------------------------------------------------------- macros


def expanded_macros(text: str, macros: Iterable[tuple[str, str]]) -> str:
    """Put macros into a line of music; an ``n`` stands for any note, and ``h`` to ``z`` for notes counted from it.

    Raises
    ------
    OverflowError
        If macros in macros make it grow without end.
    """
    for target, replacement in macros:
        if "n" in target:
            pattern = re.escape(target).replace("n", r"([A-Ga-g][,']*)", 1)
            text = re.sub(pattern, lambda found, r=replacement: _moved(found[1], r), text)  # type: ignore[misc]
        else:
            text = text.replace(target, replacement)
        if len(text) > _MAX_LINE:
            raise OverflowError(f"a line of more than {_MAX_LINE} signs when its macros are put in")
    return text


def read_macro(text: str) -> tuple[str, str] | None:
    """Read ``m: ~n2 = (3n/o/n/ m/4n``; None where it says nothing."""
    target, sign, replacement = text.partition("=")
    return (target.strip(), replacement.strip()) if sign and target.strip() else None


def _moved(note: str, replacement: str) -> str:
    step = "CDEFGAB".index(note[0].upper()) + 7 * (note[0].islower() + note.count("'") - note.count(","))

    def spelled(found: re.Match[str]) -> str:
        octave, letter = divmod(step + ord(found[0]) - ord("n"), 7)
        name = "CDEFGAB"[letter]
        return name + "," * -octave if octave < 1 else name.lower() + "'" * (octave - 1)

    return re.sub(r"[h-z]", spelled, replacement)


def decoded_text(text: str) -> str:
    r"""Decode the accents of a text (``\'e``, ``&eacute;``, ``\u00e9``) and bring its white space together."""
    text = re.sub(
        r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)) if not 0xD7 < int(m[1][:2], 16) < 0xE0 else "", text
    )
    text = re.sub(r"\\(ss|ae|AE|oe|OE|aa|AA|/o|/O)", lambda m: _LIGATURES[m[1]], text)
    text = re.sub(r"\\([`'^~\"cv])([A-Za-z])", lambda m: _composed(m[2], m[1]), text)
    return " ".join(html.unescape(text.replace("\\%", "%").replace("\\n", " ")).split())


def _composed(letter: str, accent: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", letter + _ACCENTS[accent])


STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_SHARPS = "FCGDAEB"
_CLEF = re.compile(
    r"(?:treble|alto|tenor|baritone|bass|mezzo(?:-?soprano)?|soprano|perc(?:ussion)?|drum|none|auto|[GFCP][1-5]?)"
    r"[1-5]?([+^_-](?:8|15))?",
    re.IGNORECASE,
)
_TONIC = re.compile(r"([A-Ga-g])([#b♯♭]?)\s*([A-Za-z]*)")
_SIGNED = re.compile(r"(\^\^?|__?|=)(\d+/?\d*|/\d*)?([A-Ga-g])")
_SIGNS = {"^^": 2.0, "^": 1.0, "=": 0.0, "_": -1.0, "__": -2.0}
_PARAMETER = re.compile(r'(?<![\^_=A-Za-z])(?![A-G]\s*=|[a-g]\s*=)([A-Za-z]+)\s*=\s*("[^"]*"|\S+)')
_MAX_LABELS = 10_000


@dataclass(frozen=True)
class Pitching:
    """How letters become sounding pitches.

    Attributes
    ----------
    signature : dict of float
        Semitones by letter, ``{"F": 1.0}`` in G major.
    clef_octaves : int
        From the clef (``treble-8``).
    octaves : int or None
        From ``octave=``, which counts instead of the clef.
    semitones : int
        From ``transpose=`` or ``%%MIDI transpose``, whichever came last.
    is_percussion : bool
        A clef for instruments without pitch.
    """

    signature: Mapping[str, float] = field(default_factory=dict)
    clef_octaves: int = 0
    octaves: int | None = None
    semitones: int = 0
    is_percussion: bool = False

    @property
    def shift_semitones(self) -> int:
        """Sounding minus written pitch."""
        octaves = self.clef_octaves if self.octaves is None else self.octaves
        return 12 * octaves + self.semitones


def alteration(sign: str, amount: str | None) -> float:
    """Convert an accidental to semitones: ``^`` 1, ``_/`` or ``_1/2`` -0.5, ``^3/2`` 1.5."""
    semitones = _SIGNS[sign]
    if not amount:
        return semitones
    upper, _, lower = amount.partition("/")
    denominator = int(lower[:4] or 2) if "/" in amount else 1
    return semitones * (int(upper[:4]) if upper else 1) / max(denominator, 1)


def read_key(text: str, before: Pitching) -> tuple[Pitching, bool]:
    """Read what ``K:`` says of the key, the clef and transposition.

    Returns
    -------
    pitching : Pitching
    is_understood : bool
        Whether all of a key was understood; a field without any key only changes the clef.
    """
    pitching = read_pitch_parameters(text, before)
    rest = _PARAMETER.sub(" ", text).strip()
    first = rest.split(maxsplit=1)[0] if rest else ""
    if first in ("HP", "Hp"):
        return replace(pitching, signature={"F": 1.0, "C": 1.0}), True
    if first.lower() == "none":
        return replace(pitching, signature={}), True
    tonic = _TONIC.match(rest)
    mode = "".join(tonic[3][:3].lower()) if tonic else ""
    is_clef = _CLEF.fullmatch(first) is not None and not re.fullmatch("[GFC]", first)
    if tonic is None or is_clef:
        return _with_signs(pitching, rest), not rest or is_clef or bool(_SIGNED.match(rest)) or "exp" in rest
    if mode == "exp":
        return _with_signs(replace(pitching, signature={}), rest[tonic.end() :]), True
    is_known = mode in _MODES or not mode or _CLEF.fullmatch(tonic[3]) is not None
    fifths = _FIFTHS[tonic[1].upper()] + 7 * (tonic[2] in ("#", "♯") and bool(tonic[2])) - 7 * (tonic[2] in ("b", "♭"))
    signature = _signature(fifths + _MODES.get(mode, 0))
    return _with_signs(replace(pitching, signature=signature), rest[tonic.end() :]), is_known


def _signature(fifths: int) -> dict[str, float]:
    letters = _SHARPS if fifths > 0 else _SHARPS[::-1]
    signature: dict[str, float] = {}
    for i in range(abs(fifths)):
        letter = letters[i % 7]
        signature[letter] = signature.get(letter, 0.0) + (1.0 if fifths > 0 else -1.0)
    return signature


def _with_signs(pitching: Pitching, text: str) -> Pitching:
    signs = {found[3].upper(): alteration(found[1], found[2]) for found in _SIGNED.finditer(text)}
    return replace(pitching, signature={**pitching.signature, **signs}) if signs else pitching


def read_pitch_parameters(text: str, before: Pitching) -> Pitching:
    """Read clef, ``octave=``, ``transpose=``, ``sound=``, ``shift=`` of ``K:`` or ``V:``; ``middle=`` is only drawn."""
    pitching = before
    clefs = [word for word in _PARAMETER.sub(" ", text).split() if _CLEF.fullmatch(word)]
    clefs = [word for word in clefs if not re.fullmatch("[GFC][1-5]?|auto", word, re.IGNORECASE)]
    parameters = [(name, value.strip('"')) for name, value in _PARAMETER.findall(text)]
    for clef in [*clefs, *[value for name, value in parameters if name == "clef"]]:
        pitching = _with_clef(pitching, clef)
    for name, value in parameters:
        if name == "octave" and re.fullmatch(r"[+-]?\d{1,2}", value):
            pitching = replace(pitching, octaves=int(value))
        elif name in ("transpose", "t") and re.fullmatch(r"[+-]?\d{1,3}", value):
            pitching = replace(pitching, semitones=int(value))
        elif name in ("sound", "shift", "instrument"):
            pitching = _with_interval(pitching, name, value)
    return pitching


def _with_clef(pitching: Pitching, name: str) -> Pitching:
    found = _CLEF.match(name)
    shift = (found[1] or "") if found else ""
    octaves = (2 if shift.endswith("15") else 1 if shift else 0) * (-1 if shift[:1] == "-" else 1)
    octaves = 0 if shift[:1] in ("^", "_") else octaves  # drawn, and written as it sounds
    kept = None if shift[:1] in ("+", "-") and shift else pitching.octaves
    is_percussion = name.lower().startswith(("p", "drum"))
    return replace(pitching, clef_octaves=octaves, octaves=kept, is_percussion=is_percussion)


def _with_interval(pitching: Pitching, name: str, value: str) -> Pitching:
    """Read two notes: ``sound=cA`` sounds a minor third lower; ``instrument=`` names what a written c sounds like."""
    notes = [_note_to_midi(found) for found in re.finditer(r"([\^_=]*)([A-Ga-g])([#b]?)([,']*)", value)]
    if not notes:
        return pitching
    if name == "instrument":
        return replace(pitching, semitones=notes[-1] - 72)
    low = 72 if len(notes) == 1 else notes[0]
    return replace(pitching, semitones=notes[-1] - low)


def _note_to_midi(note: re.Match[str]) -> int:
    signs = note[1].count("^") - note[1].count("_") + (note[3] == "#") - (note[3] == "b")
    octave = 5 + note[2].islower() + note[4].count("'") - note[4].count(",")
    return 12 * octave + STEPS[note[2].upper()] + signs


# ------------------------------------------------------------------------------------------------ metre and length


def read_metre(text: str) -> tuple[bool, tuple[int, int] | None]:
    """Read ``M:``: whether it is understood, and beats and beat type, None where the metre is free."""
    text = text.strip().strip('"')
    if text.lower() in ("none", ""):
        return True, None
    if text.startswith(("C|", "c|")):
        return True, (2, 2)
    if re.match(r"[Cc](?![A-Za-z])", text):
        return True, (4, 4)
    found = re.match(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3})*)\s*\)?\s*/\s*(\d{1,3})", text)
    if found is None:
        return False, None
    beats, beat_type = sum(int(n) for n in re.findall(r"\d+", found[1])), int(found[2])
    if not (0 < beats < 100 and beat_type in (1, 2, 4, 8, 16, 32, 64)):
        return False, None
    return True, (beats, beat_type)


def default_unit(metre: tuple[int, int] | None) -> float:
    """Return the unit note length, in quarters, of a tune without ``L:``: a sixteenth below 3/4, else an eighth."""
    return 0.25 if metre is not None and metre[0] / metre[1] < 0.75 else 0.5


def read_unit(text: str) -> float | None:
    """Read ``L:`` as quarters; None where it is not understood."""
    found = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,4}))?", text)
    if found is None or not int(found[1]) or (found[2] is not None and not int(found[2])):
        return None
    return 4.0 * int(found[1]) / int(found[2] or 1)


def read_tempo(text: str, unit_quarter: float) -> float | None:
    """Read ``Q:`` as quarters per minute; None where it only holds words.

    The old forms count in unit lengths (``Q:C=120``, ``Q:C3=40``) or, with a bare number, in quarters.
    """
    text = re.sub(r'"[^"]*"', " ", text).strip()
    found = re.match(r"((?:\d{1,3}\s*/\s*\d{1,3}\s*)+|C\s*\d{0,3}\s*)=\s*(\d{1,4}(?:\.\d+)?)", text)
    if found is None:
        bare = re.match(r"(?:ca?\.?\s*)?(\d{1,4}(?:\.\d+)?)\s*$", text)
        return float(bare[1]) if bare else None
    if found[1].startswith("C"):
        return float(found[2]) * unit_quarter * int(re.sub(r"\D", "", found[1]) or 1)
    lengths = re.findall(r"(\d+)\s*/\s*(\d+)", found[1])
    return float(found[2]) * sum(4.0 * int(n) / max(int(d), 1) for n, d in lengths)


# --------------------------------------------------------------------------------------------- voices and parts


def voice_parameters(text: str) -> tuple[str, dict[str, str], str]:
    """Divide a ``V:`` field into the voice's id, what it says of the voice by name, and the whole rest."""
    found = re.match(r'\s*("[^"]*"|\S+)\s*(.*)', text, re.DOTALL)
    if found is None:
        return "1", {}, ""
    return found[1].strip('"'), {n.lower(): v.strip('"') for n, v in _PARAMETER.findall(found[2])}, found[2]


def grouped_voices(text: str) -> list[list[str]]:
    """Read ``%%score`` or ``%%staves``: voices in order, those in one brace (a keyboard instrument) together."""
    groups: list[list[str]] = []
    in_brace = False
    for token in re.findall(r"[{}]|[^\s{}()\[\]|*+]+", text):
        if token in "{}":
            in_brace = token == "{"
            if in_brace:
                groups.append([])
        elif in_brace:
            groups[-1].append(token)
        else:
            groups.append([token])
    return [group for group in groups if group]


def read_parts_order(text: str) -> list[str] | None:
    """Read the order of parts in a header, ``A(BC)2.D`` as A B C B C D; None where it is not one."""
    if re.search(r"[A-Z][a-z]", text):
        return None  # words
    stack: list[list[str]] = [[]]
    last: list[str] = []
    for token in re.findall(r"[A-Za-z()]|\d+|\S", text.strip().strip('"')):
        if token == "(":
            stack.append([])
            last = []
        elif token == ")" and len(stack) > 1:
            last = stack.pop()
            stack[-1] += last
        elif token.isdigit() and last:
            stack[-1] += last * (min(int(token), MAX_PASSES) - 1)
            last = []
        elif token.isalpha():
            last = [token]
            stack[-1] += last
        elif token not in ".,":
            return None
        if sum(map(len, stack)) > _MAX_LABELS:
            return None
    return [label for group in stack for label in group] or None


_LENGTH = r"\d*(?:/+\d*)?"
_TOKEN = re.compile(
    r"""
    (?P<space>[\s`$\\#*;?@]+)
    | \[(?P<field>[A-Za-z]):(?P<value>[^\[\]]{0,500})\]
    | \[(?P<ending>\d[\d,-]*)\.?
    | \.?(?P<close>:*)(?P<bar>(?:\[?\|+\]?)+)(?P<open>(?::+(?![|:]))?)
        (?:(?P<number>\d+(?:[,-]\d+)*)|\s*\[(?P<number_2>\d[\d,-]*)\.?)?
    | (?P<double>::+)(?:\[?(?P<number_3>\d+(?:[,-]\d+)*))?
    | "(?P<quoted>[^"]*)"
    | !(?P<decoration>[^!|\s:]+|[DF][^!|:]{2,30})!
    | \+(?P<plus>[^+\s|]+)\+
    | \{/?(?P<grace>)
    | (?P<grace_end>\})
    | \((?P<tuplet>\d+)(?::(?P<in_time>\d*))?(?::(?P<count>\d*))?
    | (?P<overlay_start>\(&)
    | (?P<overlay_end>&\))
    | (?P<overlay>&+)
    | (?P<sign>\^\^?|__?|=)?(?:(?<=[\^_=])(?P<amount>\d+/?\d*|/\d*))?(?P<step>[A-Ga-g])(?P<octave>[,']*)(?P<note>LENGTH)
    | (?P<rest>[zxZX])(?P<rest_length>LENGTH)
    | (?P<spacer>y)LENGTH
    | (?P<chord>\[)
    | (?P<chord_end>\])(?P<chord_length>LENGTH)
    | (?P<broken>[<>]+)
    | (?P<tie>\.?-)
    | \.?(?P<slur>[()])
    | (?P<symbol>[~H-Wh-w.!])
    | (?P<unknown>.)
    """.replace("LENGTH", _LENGTH),
    re.VERBOSE,
)
# What a symbol is, where the last of its groups bears another name.
_KIND_OF_GROUP = {
    "value": "field", "open": "bar", "number": "bar", "number_2": "bar", "number_3": "double", "in_time": "tuplet",
    "count": "tuplet", "rest_length": "rest", "chord_length": "chord_end",
}  # fmt: skip


def tokens(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Cut a line of music into symbols.

    Parameters
    ----------
    text : str

    Yields
    ------
    kind : str
        Such as ``note``, ``bar``, ``chord``, ``tuplet``; ``unknown`` for what is no ABC.
    found : re.Match
        With the parts of the symbol as groups.
    """
    for found in _TOKEN.finditer(text):
        kind = _KIND_OF_GROUP.get(found.lastgroup or "", found.lastgroup or "unknown")
        if kind != "space":
            yield kind, found


def length_factor(text: str) -> float:
    """Convert a length behind a note to a factor: ``3/2`` 1.5, ``/`` 0.5, ``//`` 0.25, nothing 1."""
    if not text:
        return 1.0
    found = re.match(r"(\d*)(/*)(\d*)", text)
    upper, slashes, lower = found.groups() if found else ("", "", "")
    factor = float(upper[:6] or 1)
    if not slashes:
        return factor
    divisor = int(lower[:6]) * 2 ** (min(len(slashes), 12) - 1) if lower else 2 ** min(len(slashes), 12)
    return factor / max(float(divisor), 1.0)
