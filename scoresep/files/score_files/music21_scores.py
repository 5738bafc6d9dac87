"""Formats that music21 reads (ABC, Humdrum, MEI and others) to raw parts. The only module that imports music21.

MusicXML and MIDI have readers of their own.
"""

from __future__ import annotations

import math
import re
import warnings
from itertools import pairwise
from typing import Any

from scoresep.errors import ScoreFileError
from scoresep.files.score_files.musicxml_signs import place_coda_signs
from scoresep.files.score_files.raw import FASTEST_QPM, SLOWEST_QPM, RawMeasure, RawNote, RawPart, RawScore, RawTempo
from scoresep.files.score_files.signs import ending_numbers, marks_in_words, passes_of
from scoresep.model.score import Instrument, Mark
from scoresep.progress import Progress

NAN = float("nan")
_MARK_CLASSES = {
    "Segno": Mark.SEGNO,
    "Fine": Mark.FINE,
    "DaCapo": Mark.DA_CAPO,
    "DaCapoAlFine": Mark.DA_CAPO_AL_FINE,
    "DaCapoAlCoda": Mark.DA_CAPO_AL_CODA,
    "DalSegno": Mark.DAL_SEGNO,
    "DalSegnoAlFine": Mark.DAL_SEGNO_AL_FINE,
    "DalSegnoAlCoda": Mark.DAL_SEGNO_AL_CODA,
    "AlSegno": Mark.DAL_SEGNO,
}
# Instrument codes of the Humdrum reference manual.
_HUMDRUM_CODES = {
    "bass": "Bass", "barit": "Baritone", "tenor": "Tenor", "calto": "Alto", "alto": "Alto", "mezzo": "Mezzo-soprano",
    "soprn": "Soprano", "cant": "Cantus", "vox": "Voice", "piano": "Piano", "cemba": "Harpsichord", "organ": "Organ",
    "harp": "Harp", "guitr": "Guitar", "violn": "Violin", "viola": "Viola", "cello": "Cello", "cbass": "Contrabass",
    "flt": "Flute", "picco": "Piccolo", "oboe": "Oboe", "cangl": "English horn", "clars": "Clarinet",
    "clarb": "Clarinet", "clara": "Clarinet", "fagot": "Bassoon", "cor": "Horn", "tromp": "Trumpet",
    "tromb": "Trombone", "tuba": "Tuba",
    "timpa": "Timpani", "sax": "Saxophone",
}  # fmt: skip
_SECTION_ENDS = {"final", "double", "heavy", "heavy-heavy", "heavy-light"}


def read_with_music21(text: str, music21_format: str, name: str, progress: Progress) -> RawScore:
    """Read a score in one of music21's formats.

    Parameters
    ----------
    text : str
        The whole file.
    music21_format : str
        As music21 calls it, such as ``abc`` or ``humdrum``.
    name : str
        Of the file, for messages.
    progress : Progress

    Raises
    ------
    ScoreFileError
        If music21 cannot read it.
    """
    progress.update(0.0, "Reading the score")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for programmers, not for the people who read our messages
        stream = _parsed(text, music21_format, name)
        progress.update(0.5)
        raw = RawScore(*_title_and_composer(stream))
        names: list[str] = []
        if music21_format == "humdrum":
            names = humdrum_part_names(text)
        if "Opus" in stream.classes:
            names = voices_of_one_piece(text) if music21_format == "abc" else []
            stream = _one_score(stream, bool(names), name, raw.warnings)
            raw.title, raw.composer = _title_and_composer(stream)
        staves = _staves_of_parts(stream)
        for i, inner in zip(range(len(staves)), progress.part(0.5, 1.0).parts(max(len(staves), 1)), strict=False):
            inner.check()
            raw.parts.append(_part(staves[i], i, names[i] if len(names) == len(staves) else ""))
    if music21_format == "humdrum":
        for part in raw.parts:
            _undo_invented_repeats(part)
    return raw


def _undo_invented_repeats(part: RawPart) -> None:
    """Take back the sign that music21 sets after every repeat that closes, and the number 0 of the rest of that bar."""
    for before, measure in pairwise(part.measures):
        if before.repeat_passes:
            measure.starts_repeat = False
        if measure.number == "0":
            measure.number = before.number


def _one_score(opus: Any, is_one_piece: bool, name: str, warnings_found: list[str]) -> Any:
    """Choose (or put together) the score of a file that holds several."""
    pieces = list(opus.scores)
    if not pieces:
        raise ScoreFileError(f"'{name}' holds no score; choose a file with notes.")
    if is_one_piece:
        return opus.mergeScores()
    if len(pieces) > 1:
        warnings_found.append(f"The file holds {len(pieces)} pieces; the first one is read.")
    return pieces[0]


def voices_of_one_piece(abc: str) -> list[str]:
    """Return the names of the voices of an ABC file whose tunes are the voices of one piece; else nothing.

    Such tunes share their first title and have a second one each, which names the voice.
    """
    titles = [
        re.findall(r"^T:[ \t]*(.*?)[ \t]*$", tune, re.MULTILINE)
        for tune in re.split(r"^X:", abc, flags=re.MULTILINE)[1:]
    ]
    if len(titles) < 2 or any(len(t) < 2 for t in titles):
        return []
    is_one = len({t[0] for t in titles}) == 1 and len({t[1] for t in titles}) == len(titles)
    return [t[1] for t in titles] if is_one else []


def humdrum_part_names(text: str) -> list[str]:
    """Return the names of the spines with notes, highest first: from ``*I"Name`` or the codes of instruments."""
    spines: list[str] = []
    names: list[str] = []
    for line in text.splitlines():
        tokens = line.split("\t")
        if line.startswith("**"):
            spines, names = tokens, [""] * len(tokens)
        elif line.startswith("*") and len(tokens) == len(spines):
            for i, token in enumerate(tokens):
                written = re.fullmatch(r'\*I"\s*(.+)|\*I:\s*\[?([^\]]+)\]?', token)
                code = _HUMDRUM_CODES.get(token[2:]) if token.startswith("*I") else None
                if written is not None:
                    names[i] = (written.group(1) or written.group(2)).strip().capitalize()
                elif code is not None and not names[i]:
                    names[i] = code
        elif spines and not line.startswith(("!", "=")):
            break  # the notes begin
    return [name for spine, name in zip(spines, names, strict=True) if spine == "**kern"][::-1]


def _parsed(text: str, music21_format: str, name: str) -> Any:
    from music21 import converter

    try:
        stream = converter.parseData(text, format=music21_format)
    except Exception as error:  # whatever music21 stumbles over, the person can only do one thing
        raise ScoreFileError(
            f"'{name}' cannot be read as {music21_format}: it is damaged or unusual; export it as MusicXML instead."
        ) from error
    try:
        return stream.toSoundingPitch()
    except Exception:  # it fails on some scores without transposing parts
        return stream


def _title_and_composer(stream: Any) -> tuple[str, str]:
    metadata = stream.metadata
    if metadata is None:
        return "", ""
    return str(metadata.bestTitle or ""), str(metadata.composer or "")


def _staves_of_parts(stream: Any) -> list[list[Any]]:
    """All parts with notes or rests, each with all its staves."""
    groups: dict[str, list[Any]] = {}
    for i, part in enumerate(list(getattr(stream, "parts", [])) or [stream]):
        if part.recurse().notesAndRests:
            groups.setdefault(str(part.id).split("-Staff")[0] if "-Staff" in str(part.id) else str(i), []).append(part)
    return list(groups.values())


def _part(staves: list[Any], index: int, known_name: str) -> RawPart:
    first = staves[0]
    instrument = first.getInstrument(returnDefault=False)
    name = known_name or str(
        first.partName or (instrument.instrumentName if instrument else None) or f"Part {index + 1}"
    )
    program = instrument.midiProgram if instrument else None
    part = RawPart(" ".join(name.split()), str(first.partAbbreviation or ""), Instrument("", program))
    for number, staff in enumerate(staves, start=1):
        _read_staff(part, staff, number)
    if part.notes and all(math.isnan(n.pitch_midi) for n in part.notes):
        part.instrument = Instrument("", None, True)
    return part


def _read_staff(part: RawPart, staff: Any, staff_number: int) -> None:
    measures = list(staff.getElementsByClass("Measure"))
    if not measures:
        measures = list(staff.makeMeasures().getElementsByClass("Measure"))
    metre: tuple[int, int] | None = None
    coda_signs: list[int] = []
    for i, source in enumerate(measures):
        if i == len(part.measures):
            part.measures.append(RawMeasure(str(source.measureNumberWithSuffix())))
        measure = part.measures[i]
        signature = source.timeSignature
        if signature is not None:
            metre = (int(signature.numerator), int(signature.denominator))
        measure.metre = metre
        measure.content_quarter = max(measure.content_quarter, float(source.highestTime))
        _read_bar_lines(measure, source)
        _read_signs(part, i, source, coda_signs)
        _read_notes(part, i, source, staff_number)
    place_coda_signs([m.marks for m in part.measures], coda_signs)
    _read_endings(part, staff, measures)


def _read_notes(part: RawPart, index: int, source: Any, staff_number: int) -> None:
    voices = list(source.voices)
    containers = [(v, j + 1) for j, v in enumerate(voices)] or []
    containers.append((source, 1))
    for container, voice in containers:
        start = 0.0 if container is source else float(container.offset)
        for general in container.notes:
            if "Harmony" in general.classes:  # chord symbols are not played
                continue
            is_grace = bool(general.duration.isGrace)
            duration = 0.0 if is_grace else float(general.quarterLength)
            for note in getattr(general, "notes", None) or (general,):
                pitch = getattr(note, "pitch", None)
                tie = note.tie.type if note.tie is not None and not is_grace else ""
                part.measures[index].note_count += 1
                part.notes.append(
                    RawNote(
                        index,
                        start + float(general.offset),
                        duration,
                        NAN if pitch is None else float(pitch.ps),
                        staff_number,
                        voice,
                        is_grace or duration == 0,
                        tie in ("stop", "continue"),
                        tie in ("start", "continue"),
                    )
                )


def _read_bar_lines(measure: RawMeasure, source: Any) -> None:
    for line, is_left in ((source.leftBarline, True), (source.rightBarline, False)):
        if line is None:
            continue
        direction = getattr(line, "direction", None)
        if direction == "start":
            measure.starts_repeat = True
        elif direction == "end":
            measure.repeat_passes = max(measure.repeat_passes, passes_of(str(line.times or 2)))
        elif not is_left and line.type in _SECTION_ENDS:
            measure.ends_section = True


def _read_signs(part: RawPart, index: int, source: Any, coda_signs: list[int]) -> None:
    measure = part.measures[index]
    for element in source:
        classes = element.classes
        if "RepeatExpression" in classes:
            if classes[0] == "Coda":
                coda_signs.append(index + int(float(element.offset) > 0))
            elif classes[0] in _MARK_CLASSES:
                measure.marks.append(_MARK_CLASSES[classes[0]])
        elif "TextExpression" in classes:
            measure.marks += marks_in_words(str(element.content))
        elif "MetronomeMark" in classes:
            tempo = element.getQuarterBPM()
            if tempo and element.number is not None and SLOWEST_QPM <= tempo <= FASTEST_QPM:
                part.tempi.append(RawTempo(index, float(element.offset), float(tempo)))


def _read_endings(part: RawPart, staff: Any, measures: list[Any]) -> None:
    places = {id(m): i for i, m in enumerate(measures)}
    for bracket in staff.recurse().getElementsByClass("RepeatBracket"):
        numbers = ending_numbers(str(bracket.number))
        for spanned in bracket.getSpannedElements():
            place = places.get(id(spanned))
            if place is not None and numbers:
                part.measures[place].endings = numbers
