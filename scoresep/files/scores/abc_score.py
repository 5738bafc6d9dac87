"""ABC to raw parts: the entry, which hands the symbols of a tune to its voices.

No library at hand reads ABC right. Of 1,000 real tunes music21 10.5.1 gives the same notes as abc2midi for 851, abc2xml
for 932 and this reader for 975 (what the others are: ``docs/formats.md``, section "ABC"); verovio 6.4.1 for 72 of 400,
since it leaves out last bars. abc2xml comes nearest, but knows no order of parts, tells of nothing that it passes over,
and pins libraries of 2024. Hence a reader of our own, over ABC 2.1.

References
----------
ABC music standard 2.1, December 2011.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from scoresep.errors import ScoreFileError
from scoresep.files.scores.abc_repeats import BarLine, stated_order
from scoresep.files.scores.abc_tunes import (
    DIRECTIVE,
    AbcLine,
    AbcTune,
    decoded_text,
    default_unit,
    expanded_macros,
    grouped_voices,
    read_key,
    read_macro,
    read_metre,
    read_parts_order,
    read_pitch_parameters,
    read_tempo,
    read_tunes,
    read_unit,
    tokens,
    voice_parameters,
)
from scoresep.files.scores.abc_voice import Voice, VoiceReader, VoiceState, grouped_into_parts, part_of_voices
from scoresep.files.scores.jump_words import ending_numbers
from scoresep.files.scores.raw import FASTEST_QPM, SLOWEST_QPM, PassedOver, RawPart, RawScore, RawTempo
from scoresep.progress import Progress

_SYMBOLS = {
    "O": "coda",
    "S": "segno",
}  # of the letters that stand for decorations, those that tell the order of playing
_TREMOLO = re.compile(r"/{1,4}|trem\w*")
_OCTAVE_LINE = re.compile(r"(8|15)(va|vb|ma|mb)\(")
_MIDI_ADDITIONS = {
    "drumon": "the drums that the file adds by %%MIDI drumon are not read",
    "droneon": "the drone that the file adds by %%MIDI droneon is not read",
}
_NAMED_LINES = 5  # so many lines are named in a warning; the others are counted


def read_abc(text: str, name: str, progress: Progress) -> RawScore:
    """Read the first tune of an ABC file, or all of them where they are the voices of one piece.

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
        If it holds no tune with notes, or one without end.
    """
    progress.update(0.0, "Reading the score")
    tunes = [tune for tune in read_tunes(text) if tune.body]
    names = voices_of_one_piece(tunes)
    read: list[RawScore] = []
    for tune, inner in zip(tunes, progress.parts(max(len(tunes), 1)), strict=False):
        inner.check()
        try:
            raw = _TuneReader(tune).read()
        except OverflowError as error:
            raise ScoreFileError(f"'{name}' has {error}: it is damaged; export it again.") from error
        if any(part.notes for part in raw.parts):
            read.append(raw)
            if not names:
                break
    if not read:
        raise ScoreFileError(f"'{name}' holds no tune with notes; choose another score.")
    first = read[0]
    if names and len(read) == len(names):
        first.parts = [raw.parts[0] for raw in read]
        for part, voice_name in zip(first.parts, names, strict=True):
            part.name = voice_name
    elif len(tunes) > 1:
        first.warnings.insert(0, f"The file holds {len(tunes)} pieces; the first one is read.")
    return first


def voices_of_one_piece(tunes: list[AbcTune]) -> list[str]:
    """Return the names of the voices of an ABC file whose tunes are the voices of one piece; else nothing.

    Such tunes share their first title and have a second one each, which names the voice.
    """
    titles = [[decoded_text(title) for title in tune.values("T")] for tune in tunes]
    if len(titles) < 2 or any(len(t) < 2 for t in titles):
        return []
    is_one = len({t[0] for t in titles}) == 1 and len({t[1] for t in titles}) == len(titles)
    return [t[1] for t in titles] if is_one else []


class _TuneReader:
    """Goes through the lines of one tune, and hands each symbol to the voice it belongs to."""

    def __init__(self, tune: AbcTune) -> None:
        self._tune = tune
        self._defaults = VoiceState()
        self._symbols = dict(_SYMBOLS)
        self._macros: list[tuple[str, str]] = []
        self._has_unit = False
        self._tempo_text = ""
        self._tempo: float | None = None
        self._groups: list[list[str]] = []
        self._order: list[str] = []
        self._channel_programs: dict[int, int] = {}
        self._header_additions: list[str] = []
        self._declared: dict[str, tuple[dict[str, str], str]] = {}
        self._voices: dict[str, Voice] = {}
        self._voice: Voice | None = None
        self._misread: dict[str, list[int]] = {}
        self._line = 0

    def read(self) -> RawScore:
        """Read the whole tune."""
        for line in self._tune.header:
            self._line = line.number
            self._read_header_field(line)
        if not self._has_unit:
            self._defaults.unit_quarter = default_unit(self._defaults.metre)
        self._tempo = self._read_tempo(self._tempo_text, self._defaults.unit_quarter)
        for line in self._tune.body:
            self._line = line.number
            if line.field:
                self._read_body_field(line.field, line.text)
            else:
                self._read_music(line.text)
        return self._raw_score()

    # -------------------------------------------------------------------------------------------- fields

    def _read_header_field(self, line: AbcLine) -> None:
        kind, text = line.field, line.text
        if kind == "V":
            voice_id, parameters, rest = voice_parameters(text)
            self._declared[voice_id] = (parameters, rest)
        elif kind == "P":
            self._order = read_parts_order(text) or []
            if not self._order and text.strip():
                self._misunderstood(f"the order of parts '{text}' is not understood")
        elif kind == "Q":
            self._tempo_text = text
        else:
            self._read_setting(kind, text, self._defaults)

    def _read_body_field(self, kind: str, text: str) -> None:
        """Read a field of the body, on a line of its own or in square brackets."""
        if kind == "V":
            self._enter_voice(text)
        elif kind == "P":
            voice = self._current()
            if voice.reader.place[1] > 0:
                voice.reader.divide()
            voice.reader.signs.begin_part()
            voice.labels.append((voice.reader.place[0], text.strip().strip('"')))
        elif kind == "Q":
            reader = self._current().reader
            tempo = self._read_tempo(text, reader.state.unit_quarter)
            if tempo is not None:
                reader.set_tempo(tempo)
        elif self._voice is None:
            self._read_setting(kind, text, self._defaults)  # before all music
        else:
            self._read_setting(kind, text, self._current().reader.state)

    def _read_setting(self, kind: str, text: str, state: VoiceState) -> None:
        """Read a field that holds until it is set again."""
        if kind in ("K", "M", "L"):
            self._read_key_or_metre(kind, text, state)
        elif kind == "U":
            found = re.match(r"\s*([~H-Wh-w.])\s*=\s*[!+\"]?([^!+\"]*)", text)
            if found is not None:
                self._symbols[found[1]] = found[2].strip()
        elif kind == "m":
            macro = read_macro(text)
            self._macros += [macro] if macro is not None else []
        elif kind == DIRECTIVE:
            self._read_directive(text, state)

    def _read_key_or_metre(self, kind: str, text: str, state: VoiceState) -> None:
        reader = self._voice.reader if self._voice is not None and self._voice.reader.state is state else None
        if kind == "K":
            pitching, is_understood = read_key(text, state.pitching)
            what = "key"
            if reader is not None:
                reader.set_pitching(pitching)
            state.pitching = pitching
        elif kind == "M":
            is_understood, metre = read_metre(text)
            what = "metre"
            if is_understood and reader is not None:
                reader.set_metre(metre)
            state.metre = metre if is_understood else state.metre
        else:
            unit = read_unit(text)
            is_understood, what = unit is not None, "unit length"
            state.unit_quarter = unit or state.unit_quarter
            self._has_unit |= is_understood
        if not is_understood:
            self._misunderstood(f"the {what} '{text}' is not understood")

    def _read_directive(self, text: str, state: VoiceState) -> None:
        words = text.split()
        keyword = words[0].lower() if words else ""
        if keyword in ("score", "staves") and not self._groups:
            self._groups = grouped_voices(text[len(words[0]) :])
        elif keyword == "propagate-accidentals" and len(words) > 1:
            scope = words[1].lower()
            state.accidental_scope = scope if scope in ("not", "octave", "pitch") else state.accidental_scope
        elif keyword == "midi" and len(words) > 1:
            self._read_midi(words[1].lower(), words[2:], state)

    def _read_midi(self, command: str, arguments: list[str], state: VoiceState) -> None:
        """Read ``%%MIDI``, as abc2midi defined it."""
        numbers = [int(a) for a in arguments if re.fullmatch(r"[+-]?\d{1,4}", a)]
        if command in ("transpose", "rtranspose") and numbers:
            before = state.pitching.semitones if command == "rtranspose" else 0
            state.pitching = replace(state.pitching, semitones=before + numbers[0])
        elif command == "nobarlines":
            state.accidental_scope = "not"
        elif command == "channel" and numbers:
            state.channel = numbers[0]
        elif command == "program" and numbers and 0 <= numbers[-1] <= 127:
            if len(numbers) > 1:
                self._channel_programs[numbers[0]] = numbers[1]
            elif self._voice is not None and self._voice.reader.state is state:
                self._voice.programs.append(numbers[0])
            else:
                state.program = numbers[0]
        elif command in _MIDI_ADDITIONS:
            if self._voice is not None:
                self._voice.reader.pass_over(_MIDI_ADDITIONS[command])
            else:
                self._header_additions.append(_MIDI_ADDITIONS[command])

    def _read_tempo(self, text: str, unit_quarter: float) -> float | None:
        tempo = read_tempo(text, unit_quarter) if text else None
        return tempo if tempo is not None and SLOWEST_QPM <= tempo <= FASTEST_QPM else None

    # -------------------------------------------------------------------------------------------- voices

    def _enter_voice(self, text: str) -> None:
        voice_id, parameters, rest = voice_parameters(text)
        if voice_id not in self._voices:
            self._voices[voice_id] = self._new_voice(voice_id)
        self._voice = self._voices[voice_id]
        self._describe(self._voice, parameters, rest)
        if "|" in rest:
            self._misunderstood(f"the music behind 'V:{voice_id}' belongs on a line of its own and is passed over")

    def _current(self) -> Voice:
        """Return the voice that is read; the first one where none was named yet."""
        if self._voice is None:
            self._enter_voice(next(iter(self._declared), "1"))
        assert self._voice is not None
        return self._voice

    def _new_voice(self, voice_id: str) -> Voice:
        voice = Voice(VoiceReader(replace(self._defaults), self._misunderstood), voice_id)
        if voice_id in self._declared:
            self._describe(voice, *self._declared[voice_id])
        return voice

    def _describe(self, voice: Voice, parameters: dict[str, str], rest: str) -> None:
        voice.name = decoded_text(parameters.get("name", parameters.get("nm", ""))) or voice.name
        short = parameters.get("subname", parameters.get("sname", parameters.get("snm", parameters.get("sub", ""))))
        voice.abbreviation = decoded_text(short) or voice.abbreviation
        state = voice.reader.state
        if parameters.get("program", "").isdigit() and int(parameters["program"]) < 128:
            voice.programs.append(int(parameters["program"]))
        pitching = read_pitch_parameters(rest, state.pitching)
        if pitching != state.pitching:
            voice.reader.set_pitching(pitching)

    # --------------------------------------------------------------------------------------------- music

    def _read_music(self, text: str) -> None:
        for kind, found in tokens(expanded_macros(text, self._macros) if self._macros else text):
            if kind == "field":
                self._read_inline_field(found)
            else:
                self._read_symbol(kind, found, self._current())

    def _read_inline_field(self, found: re.Match[str]) -> None:
        kind, text = found["field"], found["value"].strip()
        if kind == "I":
            kind, text = DIRECTIVE, re.sub(r"^([\w-]+)\s*=\s*", r"\1 ", text)
        self._read_body_field(kind, text)

    def _read_symbol(self, kind: str, found: re.Match[str], voice: Voice) -> None:
        reader = voice.reader
        readers: dict[str, Callable[[], None]] = {
            "note": lambda: reader.read_note(found),
            "bar": lambda: self._read_bar(found, reader),
            "double": lambda: self._read_bar(found, reader),
            "rest": lambda: reader.read_rest(found["rest"], found["rest_length"]),
            "chord": reader.begin_chord,
            "chord_end": lambda: self._read_chord_end(found["chord_length"], reader),
            "tie": reader.read_tie,
            "broken": lambda: reader.read_broken(found["broken"]),
            "tuplet": lambda: reader.begin_tuplet(found["tuplet"], found["in_time"], found["count"]),
            "grace": lambda: reader.set_grace(True),
            "grace_end": lambda: reader.set_grace(False),
            "ending": lambda: reader.read_ending(found["ending"]),
            "overlay": lambda: reader.read_overlay(len(found["overlay"])),
            "overlay_start": reader.begin_overlay,
            "overlay_end": reader.end_overlay,
            "quoted": lambda: reader.signs.read_words(decoded_text(found["quoted"])),
            "decoration": lambda: self._read_decoration(found["decoration"], reader),
            "symbol": lambda: self._read_decoration(self._symbols.get(found["symbol"], ""), reader),
            "plus": lambda: self._read_plus(found["plus"], reader),
            "unknown": lambda: self._misunderstood(f"'{found['unknown']}' is no ABC and is passed over"),
        }
        read = readers.get(kind)  # slurs and spacers say nothing of the notes
        if read is not None:
            read()

    def _read_chord_end(self, length: str, reader: VoiceReader) -> None:
        if not reader.is_in_chord:
            self._misunderstood("']' closes nothing")
        reader.end_chord(length)

    def _read_bar(self, found: re.Match[str], reader: VoiceReader) -> None:
        numbers = found["number"] or found["number_2"] or found["number_3"] or ""
        if found["double"] is not None:
            passes = max(len(found["double"]) // 2, 1)
            reader.read_bar(BarLine(passes, passes, False, ending_numbers(numbers)))
            return
        bar = found["bar"]
        is_section = "||" in bar or "[|" in bar or "|]" in bar
        is_section = is_section and bar != "[|]"  # an invisible bar line
        reader.read_bar(BarLine(len(found["close"]), len(found["open"]), is_section, ending_numbers(numbers)))

    def _read_plus(self, written: str, reader: VoiceReader) -> None:
        """Read ``+...+``: a chord of the first ABC, or a decoration of the next."""
        if not re.fullmatch(r"(?:[\^_=]*[A-Ga-g][,']*\d*/*\d*)+", written):
            self._read_decoration(written, reader)
            return
        reader.begin_chord()
        for kind, found in tokens(written):
            if kind == "note":
                reader.read_note(found)
        reader.end_chord("")

    def _read_decoration(self, name: str, reader: VoiceReader) -> None:
        if _TREMOLO.fullmatch(name):
            reader.pass_over("the tremolo is read as a held note")
        elif _OCTAVE_LINE.fullmatch(name):
            reader.pass_over(f"the notes under {name[:-1]} are read in the octave in which they are written")
        elif name:
            reader.signs.read_decoration(name)

    # -------------------------------------------------------------------------------------------- result

    def _misunderstood(self, what: str) -> None:
        lines = self._misread.setdefault(what, [])
        if self._line not in lines[-1:]:
            lines.append(self._line)

    def _raw_score(self) -> RawScore:
        titles, composers = self._tune.values("T"), self._tune.values("C")
        raw = RawScore(
            decoded_text(titles[0]) if titles else "",
            decoded_text(composers[0]) if composers else "",
            warnings=list(self._tune.warnings),
        )
        for voice in self._voices.values():
            voice.reader.finish()
        for group in grouped_into_parts(self._voices, self._declared, self._groups):
            raw.parts.append(part_of_voices(group, len(raw.parts), self._channel_programs))
        if raw.parts:
            self._add_header_to(raw.parts[0])
        labels = sorted({label for v in self._voices.values() for label in v.labels})
        count = max((len(p.measures) for p in raw.parts), default=0)
        columns = [[p.measures[i] for p in raw.parts if i < len(p.measures)] for i in range(count)]
        raw.stated_order, misfit = stated_order(self._order, labels, columns)
        raw.warnings += [misfit] if misfit else []
        raw.warnings += [f"{_lines_in_words(lines)}: {what}." for what, lines in self._misread.items()]
        return raw

    def _add_header_to(self, part: RawPart) -> None:
        """Give the first part what the header says of all."""
        if self._tempo is not None and not any(t.measure_index == 0 and t.offset_quarter == 0 for t in part.tempi):
            part.tempi.insert(0, RawTempo(0, 0.0, self._tempo))
        part.passed_over += [PassedOver(0, what) for what in self._header_additions]


def _lines_in_words(lines: Sequence[int]) -> str:
    named = ", ".join(map(str, lines[:_NAMED_LINES]))
    more = f" and {len(lines) - _NAMED_LINES} more" if len(lines) > _NAMED_LINES else ""
    return f"Line{'s' if len(lines) > 1 else ''} {named}{more}"
