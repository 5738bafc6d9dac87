"""Humdrum (``**kern``) to raw parts: verovio lays the spines out as MEI, the tokens themselves give pitches and ties.

verovio (6.4.1) follows spine paths, tuplets, tremolos, section labels and their lists (``*>[A,A,B]``) rightly; music21
10.5 loses notes where spines split again, and knows no lists. What verovio writes of accidentals has been wrong in some
versions (https://github.com/humdrum-tools/verovio-humdrum-viewer/issues/915), hence the pitches come from the tokens.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from itertools import takewhile
from xml.etree.ElementTree import Element

from scoresep.errors import ScoreFileError
from scoresep.files.scores.archives import parse_xml
from scoresep.files.scores.instruments import program_of_name
from scoresep.files.scores.mei import read_mei
from scoresep.files.scores.mei_layer import NoteToken
from scoresep.files.scores.mei_tree import XML_ID, with_plain_names
from scoresep.files.scores.raw import PassedOver, RawScore
from scoresep.model.score import Instrument
from scoresep.progress import Progress

_CONVERTED = 0.7  # share of the work that is done when verovio has converted the file


def read_humdrum(text: str, name: str, progress: Progress) -> RawScore:
    """Read a Humdrum file. Every ``**kern`` spine is a part, the highest staff first.

    Parameters
    ----------
    text : str
        The whole file.
    name : str
        Of the file, for messages.
    progress : Progress

    Raises
    ------
    ScoreFileError
        If it holds no ``**kern`` spine, or its spines are broken.
    """
    progress.update(0.0, "Reading the score")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff").split("\n")
    lines = [line for line in lines if line.strip()]
    starts_of_pieces = piece_starts(lines)
    lines = lines[: starts_of_pieces[1]] if len(starts_of_pieces) > 1 else lines
    spines = read_spines(lines, name)
    _refuse_without_notes(spines, name)
    root = _converted(lines, name)
    progress.update(_CONVERTED)
    _mend(root, spines)
    _close_gaps(root)
    played = _spines_of_staves(root, spines)
    converted = {e.get(XML_ID, "") for e in root.iter("note")}
    starts = _measure_lines(root)
    raw = read_mei(root, name, progress.part(_CONVERTED, 1.0), spines.tokens)
    raw.title, raw.composer = _record(lines, "OTL") or raw.title, _record(lines, "COM") or raw.composer
    if len(played) == len(raw.parts):
        for i, (part, spine) in enumerate(zip(raw.parts, played, strict=True)):
            part.name = spine.name or f"Part {i + 1}"
            part.instrument = _instrument(spine, part.instrument)
    if len(starts_of_pieces) > 1:
        raw.warnings.append(f"The file holds {len(starts_of_pieces)} pieces; the first one is read.")
    if spines.jumps:
        places = ", ".join(f"{token} (line {line})" for line, token in list(spines.jumps.items())[:5])
        raw.warnings.append(f"Jumps in interpretations are not played: {places}; set them in Edit > Repeats.")
    _note_losses(raw, spines, converted, starts)
    return raw


def _refuse_without_notes(spines: Spines, name: str) -> None:
    kinds = {spine.kind for spine in spines.spines}
    if KERN in kinds:
        return
    if "**mens" in kinds:
        raise ScoreFileError(
            f"'{name}' is written in mensural notation (**mens), where a note's length depends on its neighbours; "
            "choose a transcription in modern notation (**kern)."
        )
    raise ScoreFileError(f"'{name}' holds no spine of notes (**kern); choose a Humdrum file with notes.")


def _converted(lines: list[str], name: str) -> Element:
    """Let verovio write MEI."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": "humdrum", "breaks": "none", "expandNever": True, "xmlIdSeed": 1})
    is_loaded = bool(toolkit.loadData("\n".join(map(_as_it_sounds, lines)) + "\n"))
    root = parse_xml(toolkit.getMEI().encode(), name) if is_loaded else None
    if root is None or root.find(".//{*}measure") is None:
        raise ScoreFileError(f"'{name}' cannot be read as Humdrum: it is damaged or unusual; choose another copy.")
    return with_plain_names(root)


def _as_it_sounds(line: str) -> str:
    """Take out of a line what only tells how to draw it (tremolos), or lets a viewer alter the music (filters)."""
    if line.startswith("*"):
        return "\t".join("*" if token in ("*tremolo", "*Xtremolo") else token for token in line.split("\t"))
    return re.sub(r"^(!!!?)filter", r"\1Xfilter", line)


def _mend(root: Element, spines: Spines) -> None:
    """Take out what verovio adds of its own: staves braced together, tempi that nobody wrote, bars without a number."""
    for group in root.iter("staffGrp"):
        group.attrib.pop("symbol", None)
    is_opening_tempo = any(line < spines.first_note_line for line in spines.tempo_lines)
    for element in root.iter():
        if not spines.tempo_lines or (element.tag == "scoreDef" and not is_opening_tempo):
            element.attrib.pop("midi.bpm", None)
    measures = list(root.iter("measure"))
    first = next((m.get("n") for m in measures if m.get("n")), None)
    printed = "0" if first == "1" and measures and not measures[0].get("n") else first
    for measure in measures:
        printed = measure.get("n") or printed  # what a repeat sign cuts off belongs to the bar before it
        if printed is not None:
            measure.set("n", printed)


def _instrument(spine: Spine, converted: Instrument) -> Instrument:
    """Tell the instrument by the name of a spine, else by its code, else as verovio does."""
    by_code = program_of_name(INSTRUMENT_CODES.get(spine.code, ""))
    program = by_code if program_of_name(spine.name) is None else None  # a name that is known counts later on
    if program is None and spine.code and program_of_name(spine.name) is None:
        return converted
    return Instrument("", program, converted.is_percussion and bool(spine.code))


def _close_gaps(root: Element) -> None:
    """Take back the space that verovio (6.4.1) puts before bars where spines are added or do not add up.

    It stands for what reaches over the bar line, and is in the bar before already.
    """
    for measure in root.iter("measure"):
        layers = list(measure.iter("layer"))
        gaps = [list(takewhile(lambda e: e.tag == "space" and e.get("type") == "straddle", layer)) for layer in layers]
        looks = {tuple((space.get("dur"), space.get("dots")) for space in gap) for gap in gaps}
        if len(looks) == 1:
            for layer, gap in zip(layers, gaps, strict=True):
                for space in gap:
                    layer.remove(space)


def _spines_of_staves(root: Element, spines: Spines) -> list[Spine]:
    """Return the spine of every staff, in verovio's order: the id of a staff tells where its spine begins."""
    by_place = {(spine.line, spine.field): spine for spine in spines.spines}
    places = [re.search(r"-L(\d+)F(\d+)", s.get(XML_ID, "")) for s in root.iter("staffDef")]
    found = [by_place.get((int(p[1]), int(p[2]))) for p in places if p is not None]
    return [spine for spine in found if spine is not None]


def _record(lines: list[str], key: str) -> str:
    """Return a reference record, such as the title (``!!!OTL``)."""
    for line in lines:
        found = re.match(rf"!!!{key}(?:@+[A-Za-z]+)?:\s*(.*\S)", line)
        if found is not None:
            return found[1]
    return ""


def _measure_lines(root: Element) -> list[int]:
    """Line of the file that every measure begins on."""
    lines: list[int] = []
    for measure in root.iter("measure"):
        found = re.search(r"-L(\d+)", measure.get(XML_ID, ""))
        lines.append(int(found[1]) if found is not None else (lines[-1] if lines else 0))
    return lines


def _note_losses(raw: RawScore, spines: Spines, converted: set[str], starts: list[int]) -> None:
    """Tell of notes in the file that verovio did not convert."""
    lost = [line for note_id, line in spines.lines.items() if note_id not in converted]
    if not raw.parts or not starts:
        return
    for line in lost:
        index = max(bisect.bisect_right(starts, line) - 1, 0)
        raw.parts[0].passed_over.append(PassedOver(index, "notes are written in a way that is not known, and left out"))


NAN = float("nan")
KERN = "**kern"
_LONGEST_QUARTERS = 256.0  # what is longer is a mistake
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_JUMP = re.compile(r"\*(?:d\.?[cs]\.?|da_?capo|dal_?segno|segno|fine|(?:to_?|al_?)?coda)", re.IGNORECASE)
_PITCH = re.compile(r"([a-g])\1*|([A-G])\2*")
# Instrument codes of the Humdrum reference manual.
INSTRUMENT_CODES = {
    "bass": "Bass", "barit": "Baritone", "tenor": "Tenor", "calto": "Alto", "alto": "Alto", "mezzo": "Mezzo-soprano",
    "soprn": "Soprano", "cant": "Cantus", "vox": "Voice", "piano": "Piano", "cemba": "Harpsichord", "organ": "Organ",
    "harp": "Harp", "guitr": "Guitar", "violn": "Violin", "viola": "Viola", "cello": "Cello", "cbass": "Contrabass",
    "flt": "Flute", "picco": "Piccolo", "oboe": "Oboe", "cangl": "English horn", "clars": "Clarinet",
    "clarb": "Clarinet", "clara": "Clarinet", "fagot": "Bassoon", "cor": "Horn", "tromp": "Trumpet",
    "tromb": "Trombone", "tuba": "Tuba",
    "timpa": "Timpani", "sax": "Saxophone",
}  # fmt: skip


@dataclass
class Spine:
    """One spine, with all that it is split into.

    Attributes
    ----------
    kind : str
        Such as ``**kern``.
    line, field : int
        Where it begins, counted from 1.
    name : str
        Of its instrument; empty where it has none.
    code : str
        Of its instrument (``*Ivioln``).
    transposed_by : int
        Semitones that its tokens were moved by (``*Tr``). Of transposing instruments (``*ITr``) they are what sounds.
    """

    kind: str
    line: int
    field: int
    name: str = ""
    code: str = ""
    transposed_by: int = 0


@dataclass
class Spines:
    """All that is read from a file besides what verovio converts.

    Attributes
    ----------
    spines : list of Spine
        In the order of the file.
    tokens : dict of NoteToken
        All notes, by the ids that verovio gives them: their line, field and place in a chord.
    lines : dict of int
        The line of every note, by the same ids.
    tempo_lines : list of int
        Where a tempo stands (``*MM``).
    first_note_line : int
        0 without notes.
    jumps : dict of str
        Interpretations that name a jump or its aim (``*segno``, ``*fine``), by their lines.
    """

    spines: list[Spine] = field(default_factory=list)
    tokens: dict[str, NoteToken] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    tempo_lines: list[int] = field(default_factory=list)
    first_note_line: int = 0
    jumps: dict[int, str] = field(default_factory=dict)


def piece_starts(lines: list[str]) -> list[int]:
    """Return the index of the line where every piece of a file begins: of most files that is one."""
    starts: list[int] = []
    is_over = True
    for i, line in enumerate(lines):
        if is_over and line.startswith("**"):
            starts.append(i)
            is_over = False
        elif line.startswith("*-") and set(line.split("\t")) == {"*-"}:
            is_over = True
    return starts


def read_spines(lines: list[str], name: str) -> Spines:
    """Follow the spines through their splits, joins and exchanges.

    Raises
    ------
    ScoreFileError
        If a line has more or fewer fields than spines run there.
    """
    found = Spines()
    running: list[Spine] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("!"):
            continue
        fields = line.split("\t")
        if not running and line.startswith("**"):
            running = [Spine(kind, number, i) for i, kind in enumerate(fields, start=1)]
            found.spines += running
            continue
        if len(fields) != len(running):
            raise ScoreFileError(
                f"Line {number} of '{name}' has {len(fields)} fields where {len(running)} spines run: "
                "the file is damaged; choose another copy."
            )
        if line.startswith("*"):
            _read_interpretations(found, running, fields, number)
            running = _led_on(running, fields, number, found)
        elif not line.startswith("="):
            _read_tokens(found, running, fields, number)
    return found


def _read_interpretations(found: Spines, running: list[Spine], fields: list[str], line: int) -> None:
    for spine, token in zip(running, fields, strict=True):
        if re.match(r"\*MM\d", token):
            found.tempo_lines.append(line)
        if _JUMP.fullmatch(token):
            found.jumps.setdefault(line, token)
        moved = re.fullmatch(r"\*Trd-?\d+c(-?\d+)", token)
        if moved is not None:
            spine.transposed_by = int(moved[1])
        if found.first_note_line:
            continue  # players who change their instrument keep their name
        written = re.fullmatch(r'\*I"\s*(.+)|\*I:\s*\[?([^\]]+)\]?', token)
        code = INSTRUMENT_CODES.get(token[2:]) if token.startswith("*I") else None
        if re.match(r"\*I[a-z]", token):
            spine.code = spine.code or token[2:]
        if written is not None:
            words = " ".join((written[1] or written[2]).split())
            spine.name = words.capitalize() if words.isupper() or words.islower() else words
        elif code is not None and not spine.name:
            spine.name = code


def _led_on(running: list[Spine], fields: list[str], line: int, found: Spines) -> list[Spine]:
    """Return the spines that run after a line of spine paths."""
    after: list[Spine] = []
    exchanged: int | None = None
    is_joining = False
    for spine, token in zip(running, fields, strict=True):
        joins, is_joining = token == "*v" and is_joining, token == "*v"
        if token == "*-" or joins:
            continue
        after.append(spine)
        if token == "*^":
            after.append(spine)
        elif token == "*+":
            after.append(Spine("", line + 1, len(after) + 1))
        elif token == "*x":
            if exchanged is None:
                exchanged = len(after) - 1
            else:
                after[exchanged], after[-1] = after[-1], after[exchanged]
                exchanged = None
        elif token.startswith("**"):
            after[-1].kind = token
            found.spines.append(after[-1])
    return after


def _read_tokens(found: Spines, running: list[Spine], fields: list[str], line: int) -> None:
    for i, (spine, token) in enumerate(zip(running, fields, strict=True), start=1):
        if spine.kind != KERN or token == ".":
            continue
        found.first_note_line = found.first_note_line or line
        notes = token.split(" ")
        for j, note in enumerate(notes, start=1):
            value = note_token(note, spine.transposed_by)
            if value is not None:
                note_id = f"note-L{line}F{i}" + (f"S{j}" if len(notes) > 1 else "")
                found.tokens[note_id] = value
                found.lines[note_id] = line


def note_token(token: str, transposed_by: int = 0) -> NoteToken | None:
    """Read what a token of ``**kern`` says of pitch, length and ties; None for rests and what is no note.

    The pitch is the sounding one, also of transposing instruments and under octave lines; NaN where it is unpitched.
    """
    pitch = _PITCH.search(token)
    if pitch is None or "r" in token:
        return None
    letters = pitch[0]
    octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
    alteration = token.count("#") - token.count("-")  # usually behind the letters, but they mean nothing else anywhere
    midi = 12.0 * (octave + 1) + _STEPS[letters[0].lower()] + alteration - transposed_by
    ties = set(token)
    return NoteToken(NAN if "R" in token else midi, _quarters(token), bool(ties & set("]_")), bool(ties & set("[_")))


def _quarters(token: str) -> float | None:
    """Length of a token: ``4.``, ``3%2`` (two thirds of a whole note), ``0`` (a breve); None where it says none."""
    found = re.search(r"(\d+)(?:%(\d+))?(\.*)", token)
    if found is None or "q" in token.lower():
        return None
    digits, dots = found[1], min(len(found[3]), 8)
    value = int(digits)
    quarters = 4.0 * int(found[2] or 1) / value if value else 4.0 * 2 ** min(len(digits), 6)
    return quarters * (2.0 - 0.5**dots) if quarters <= _LONGEST_QUARTERS else None
