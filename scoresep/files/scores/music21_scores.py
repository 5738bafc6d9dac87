"""Formats that music21 reads (Capella, NoteWorthy and others) to raw parts. The only module that imports music21.

MusicXML, MIDI, ABC, MEI and Humdrum have readers of their own.
"""

from __future__ import annotations

import math
import re
import warnings
from typing import Any

from scoresep.errors import ScoreFileError
from scoresep.files.scores.jump_words import ending_numbers, marks_in_words, passes_of
from scoresep.files.scores.raw import FASTEST_QPM, SLOWEST_QPM, RawMeasure, RawNote, RawPart, RawScore, RawTempo
from scoresep.files.scores.sign_placing import place_coda_signs
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
# music21's reader of Capella makes a kind of these that its own bar lines do not know (10.5.1).
_SINGLE_BAR_LINE = re.compile(r"<barline\s[^>]*type=\"single\"[^>]*/>")
_SECTION_ENDS = {"final", "double", "heavy", "heavy-heavy", "heavy-light"}


def read_with_music21(text: str, music21_format: str, name: str, progress: Progress) -> RawScore:
    """Read a score in one of music21's formats.

    Parameters
    ----------
    text : str
        The whole file.
    music21_format : str
        As music21 calls it, such as ``tinyNotation`` or ``capella``.
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
        if "Opus" in stream.classes:
            stream = _first_score(stream, name, raw.warnings)
            raw.title, raw.composer = _title_and_composer(stream)
        staves = _staves_of_parts(stream)
        for i, inner in zip(range(len(staves)), progress.part(0.5, 1.0).parts(max(len(staves), 1)), strict=False):
            inner.check()
            raw.parts.append(_part(staves[i], i))
    return raw


def _first_score(opus: Any, name: str, warnings_found: list[str]) -> Any:
    """Choose the score of a file that holds several."""
    pieces = list(opus.scores)
    if not pieces:
        raise ScoreFileError(f"'{name}' holds no score; choose a file with notes.")
    if len(pieces) > 1:
        warnings_found.append(f"The file holds {len(pieces)} pieces; the first one is read.")
    return pieces[0]


def _parsed(text: str, music21_format: str, name: str) -> Any:
    try:
        stream = _stream_of(text, music21_format)
    except Exception as error:  # whatever music21 stumbles over, the person can only do one thing
        raise ScoreFileError(
            f"'{name}' cannot be read as {music21_format}: it is damaged or unusual; export it as MusicXML instead."
        ) from error
    try:
        return stream.toSoundingPitch()
    except Exception:  # it fails on some scores without transposing parts
        return stream


def _stream_of(text: str, music21_format: str) -> Any:
    """Let music21 read a text; two of its readers only take files otherwise (10.5.1)."""
    if music21_format == "noteworthytext":
        from music21.noteworthy.translate import NoteworthyTranslator

        translator: Any = NoteworthyTranslator()  # type: ignore[no-untyped-call]
        return translator.parseString(text)
    if music21_format == "capella":
        from music21.capella.fromCapellaXML import CapellaImporter

        importer: Any = CapellaImporter()  # type: ignore[no-untyped-call]
        importer.parseXMLText(_SINGLE_BAR_LINE.sub("", text))
        return importer.partScoreFromSystemScore(importer.systemScoreFromScore(importer.mainDom))
    from music21 import converter

    return converter.parseData(text, format=music21_format)


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


def _part(staves: list[Any], index: int) -> RawPart:
    first = staves[0]
    instrument = first.getInstrument(returnDefault=False)
    name = str(first.partName or (instrument.instrumentName if instrument else None) or f"Part {index + 1}")
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


ANALYSES = frozenset({"romantext", "clercqTemperley"})
_TINY_WORD = re.compile(
    r"(?:tinynotation:)?(?:\d+/\d+|(?:tri|quad)p?\{|(?:\w+\{)?(?:r|[A-G]+|[a-g]'*)[()#n-]*\d*\.*~?(?:[=_*]\S*?)?\}*)?",
    re.IGNORECASE,
)
_NAMED_WORDS = 5
_NWC_PASSED_OVER = {
    "RestMultiBar": "a rest of several bars is not read, and the part is too early from there on",
    "RestChord": "a chord beside a rest is not read",
}


def read_other_score(text: str, music21_format: str, name: str, progress: Progress) -> RawScore:
    """Read a score in a format that only music21 reads.

    Parameters
    ----------
    text : str
        The whole file; of a Capella file (``.capx``) the XML in it.
    music21_format : str
        As music21 calls it: ``tinyNotation``, ``volpiano``, ``capella``, ``noteworthytext``, ``romantext``, ...
    name : str
        Of the file, for messages.
    progress : Progress

    Raises
    ------
    ScoreFileError
        If it cannot be read, or holds an analysis and no notes.
    """
    if music21_format in ANALYSES:
        raise ScoreFileError(
            f"'{name}' is an analysis of chords without the notes that are played; choose the score it was made of."
        )

    raw = read_with_music21(text, music21_format, name, progress)
    if music21_format == "volpiano":
        raw.warnings.append("Volpiano does not tell how long notes are; all are read as quarters.")
        raw.warnings += _passed_over("Volpiano", re.findall(r"[^\s1-9a-zA-Z()-]|[tuvTUV]", text))
    elif music21_format == "tinyNotation":
        words = [word for word in text.split() if not _TINY_WORD.fullmatch(word)]
        raw.warnings += _passed_over("tinyNotation", words)
    elif music21_format == "capella" and re.search(r'<barline\s[^>]*type="rep', text):
        raw.warnings.append(
            "The repeat signs of a Capella file are not read; export it as MusicXML to have them played."
        )
    elif music21_format == "noteworthytext":
        _complete_noteworthy(raw, text)
    for part in raw.parts:
        if len(part.measures) > 1 and len({m.number for m in part.measures}) < len(part.measures):
            _number_anew(raw)
            break
    return raw


def _passed_over(notation: str, unknown: list[str]) -> list[str]:
    """Tell what music21 passes over without a word because it is none of the notation."""
    found = list(dict.fromkeys(unknown))
    if not found:
        return []
    more = f" and {len(found) - _NAMED_WORDS} more" if len(found) > _NAMED_WORDS else ""
    return [f"What is no {notation} is passed over: {', '.join(found[:_NAMED_WORDS])}{more}."]


def _complete_noteworthy(raw: RawScore, text: str) -> None:
    """Read what music21 leaves in a NoteWorthy text: quotation marks, transpositions; and tell what it passes over."""
    raw.title, raw.composer = raw.title.strip('"'), raw.composer.strip('"')
    transpositions: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        command = line[1:].split("|", 1)[0] if line.startswith("|") else ""
        if command == "AddStaff":
            transpositions.append(0)
        elif command == "StaffInstrument" and transpositions:
            found = re.search(r"\|Trans:(-?\d{1,3})\b", line)
            transpositions[-1] = int(found[1]) if found else transpositions[-1]
        elif command in _NWC_PASSED_OVER:
            raw.warnings.append(f"Line {number}: {_NWC_PASSED_OVER[command]}.")
    for part in raw.parts:
        part.name, part.abbreviation = part.name.strip('"'), part.abbreviation.strip('"')
    if len(transpositions) == len(raw.parts):
        for part, semitones in zip(raw.parts, transpositions, strict=True):
            part.transposition_semitones = semitones
            for note in part.notes:
                note.pitch_midi += 0 if math.isnan(note.pitch_midi) else semitones


def _number_anew(raw: RawScore) -> None:
    for part in raw.parts:
        for i, measure in enumerate(part.measures, 1):
            measure.number = str(i)
