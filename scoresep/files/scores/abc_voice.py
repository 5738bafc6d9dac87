"""One voice of an ABC tune: its symbols become notes and measures.

References
----------
ABC music standard 2.1, December 2011, sections 4 (the tune body), 7.4 (voice overlay), 11.3 (accidentals).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from scoresep.files.scores.abc_repeats import BarLine, VoiceSigns
from scoresep.files.scores.abc_tunes import STEPS, Pitching, alteration, length_factor
from scoresep.files.scores.jump_words import ending_numbers
from scoresep.files.scores.raw import PassedOver, RawMeasure, RawNote, RawPart, RawTempo
from scoresep.model.score import Instrument

NAN = float("nan")
DRUM_CHANNEL = 10
MAX_MEASURES = 100_000
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_COMPOUND_BEATS = (6, 9, 12)


@dataclass
class VoiceState:
    """What fields set for a voice, each until it is set again."""

    pitching: Pitching = field(default_factory=Pitching)
    metre: tuple[int, int] | None = None
    unit_quarter: float = 0.5
    accidental_scope: str = "pitch"
    program: int | None = None
    channel: int | None = None
    symbols: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Head:
    """One note as it was spelled: letter and octave, the accidental that holds for it, and the length behind it."""

    note: RawNote
    spelled: str
    shift: float
    length: float


@dataclass
class _Event:
    """The last note, chord or rest: a broken rhythm may still change it, a tie lead on from it."""

    measure_index: int
    heads: list[_Head]
    start_quarter: float
    duration_quarter: float


class VoiceReader:
    """Takes the symbols of one voice in order.

    Parameters
    ----------
    state : VoiceState
        At its beginning; is changed by the fields of the voice.
    warn : callable
        Is told in words what is not understood.

    Attributes
    ----------
    measures, notes, tempi, passed_over : list
        What is read so far.
    signs : VoiceSigns
    """

    def __init__(self, state: VoiceState, warn: Callable[[str], None]) -> None:
        self.state = state
        self.measures: list[RawMeasure] = []
        self.notes: list[RawNote] = []
        self.tempi: list[RawTempo] = []
        self.passed_over: list[PassedOver] = []
        self.signs = VoiceSigns(self.measures)
        self._warn = warn
        self._is_open = False  # whether the last measure still takes notes
        self._at = 0  # the measure that is written: the last one, or one before it where an overlay goes back
        self._is_behind = False  # an overlay writes into measures that are complete
        self._offset = 0.0
        self._layer = 1
        self._overlay_start: tuple[int, float] | None = None
        self._accidentals: dict[str, float] = {}
        self._last: _Event | None = None
        self._ties: dict[str, float] = {}  # accidentals that ties carry on, by letter and octave
        self._ties_at_endings: dict[str, float] = {}
        self._broken = 1.0
        self._tuplet: tuple[float, int] = (1.0, 0)
        self._is_grace = False
        self._chord: list[_Head] | None = None
        self._chord_length: float | None = None  # of what stands first in the chord

    # ------------------------------------------------------------------------------------------ measures

    @property
    def place(self) -> tuple[int, float]:
        """Index of the present measure (or the one to come) and quarters from its start."""
        return (self._at, self._offset) if self._is_open or self._is_behind else (len(self.measures), 0.0)

    def _measure(self) -> RawMeasure:
        """Return the measure that is written; open a new one behind a bar line."""
        if not self._is_open and not self._is_behind:
            if len(self.measures) >= MAX_MEASURES:
                raise OverflowError(f"more than {MAX_MEASURES} bars")
            self.measures.append(RawMeasure("", self.state.metre))
            self._is_open, self._at, self._offset = True, len(self.measures) - 1, 0.0
            if self._overlay_start is None:
                self._layer = 1
            self.signs.begin_measure()
        return self.measures[self._at]

    def read_bar(self, line: BarLine) -> None:
        """Read a bar line, with the repeat signs at it and the number of the ending behind it."""
        self.end_chord("")
        self._accidentals = {}
        if self._at < len(self.measures) - 1:  # an overlay passes through measures that are there
            self._at, self._offset = self._at + 1, 0.0
            return
        self._is_open = self._is_behind = False
        self.signs.read_bar(line)
        if line.endings:
            self._begin_ending(line.endings)

    def read_ending(self, text: str) -> None:
        """Read the number of an ending that stands alone, ``[1``; in the midst of a bar it divides the bar."""
        if self._is_open and self._offset > 0:
            self._is_open = False
        self._begin_ending(ending_numbers(text))

    def _begin_ending(self, numbers: tuple[int, ...]) -> None:
        if 1 in numbers:
            self._ties_at_endings = dict(self._ties)
        elif numbers and not self._ties:  # a tie that leads into the first ending leads into the others, too
            self._ties = dict(self._ties_at_endings)
        self.signs.begin_ending(numbers)

    def divide(self) -> None:
        """End the present measure without a bar line."""
        self.end_chord("")
        self._is_open = self._is_behind = False

    def set_metre(self, metre: tuple[int, int] | None) -> None:
        """Take a new metre, for the present measure if it is still empty."""
        self.state.metre = metre
        if self._is_open and self._offset == 0 and self._at == len(self.measures) - 1:
            self.measures[-1].metre = metre

    def set_pitching(self, pitching: Pitching) -> None:
        """Take a new key, clef or transposition; accidentals before it end."""
        self.state.pitching = pitching
        self._accidentals = {}

    def set_tempo(self, quarters_per_minute: float) -> None:
        """Take a tempo from here on."""
        index, offset = self.place
        self.tempi.append(RawTempo(index, offset, quarters_per_minute))

    def pass_over(self, what: str) -> None:
        """Note that something which sounds is not read as it stands."""
        self.passed_over.append(PassedOver(self.place[0], what))

    def finish(self) -> None:
        """Settle what only the whole voice tells."""
        self.end_chord("")
        self.signs.settle()
        self.tempi = [t for t in self.tempi if t.measure_index < len(self.measures)]
        number_measures(self.measures)

    # ------------------------------------------------------------------------------------- notes and rests

    def read_note(self, found: re.Match[str]) -> None:
        """Read one note, also in a chord or among grace notes."""
        self._measure()
        letter, length = found["step"].upper(), length_factor(found["note"])
        octave = 5 + found["step"].islower() + found["octave"].count("'") - found["octave"].count(",")
        spelled = f"{letter}{octave}"
        shift = self._shift(letter, spelled, found["sign"], found["amount"])
        pitch = 12.0 * octave + STEPS[letter] + shift + self.state.pitching.shift_semitones
        if not 0 <= pitch < 128:
            self._warn(f"'{found[0]}' lies beyond all instruments and is left out")
            self.read_rest("z", found["note"])
            return
        is_unpitched = self.state.pitching.is_percussion or self.state.channel == DRUM_CHANNEL
        note = RawNote(self._at, self._offset, 0.0, NAN if is_unpitched else pitch, 1, self._layer, self._is_grace)
        note.tied_from_previous = not self._is_grace and self._ties.get(spelled) == shift
        head = _Head(note, spelled, shift, length)
        if self._chord is None:
            self._sound([head], length, 1.0)
            return
        self._chord.append(head)
        self._chord_length = length if self._chord_length is None else self._chord_length

    def _shift(self, letter: str, spelled: str, sign: str | None, amount: str | None) -> float:
        """Semitones of the accidental that holds: the note's own, of a note tied to it, of the bar, of the key."""
        scope = self.state.accidental_scope
        name = letter if scope == "pitch" else spelled
        if sign:
            shift = alteration(sign, amount)
            if scope != "not":
                self._accidentals[name] = shift
            return shift
        if spelled in self._ties and not self._is_grace:
            return self._ties[spelled]
        return self._accidentals.get(name, self.state.pitching.signature.get(letter, 0.0))

    def _sound(self, heads: list[_Head], length: float, factor: float) -> None:
        """Add a note or chord, and go on by the length of what stands first in it."""
        self._measure().note_count += len(heads)
        self.signs.place_at_event(self._at)
        self.notes += [head.note for head in heads]
        if not self._is_grace:
            quarters = self._advance(length * factor, heads) / length if length else 0.0
            for head in heads:
                head.note.duration_quarter = quarters * head.length
            self._ties = {h.spelled: h.shift for h in heads if h.note.tied_to_next}

    def read_rest(self, symbol: str, length: str) -> None:
        """Read a rest: ``z``, or ``Z`` for so many whole measures."""
        if symbol in "ZX":
            self.end_chord("")
            for i in range(int(length_factor(length))):
                if i:
                    self.read_bar(BarLine())
                self._rest_whole_measure()
        elif self._chord is not None:
            self._chord_length = length_factor(length) if self._chord_length is None else self._chord_length
        elif not self._is_grace:
            self._measure()
            self._advance(length_factor(length), [])

    def _rest_whole_measure(self) -> None:
        measure = self._measure()
        beats, beat_type = self.state.metre or (4, 4)
        measure.rests_throughout = measure.note_count == 0 and self._offset == 0
        self._offset += 4.0 * beats / beat_type
        measure.content_quarter = max(measure.content_quarter, self._offset)
        self._last, self._ties = None, {}

    def _advance(self, factor: float, heads: list[_Head]) -> float:
        """Go on by one note, chord or rest; return its length in quarters."""
        in_tuplet, left = self._tuplet
        duration = factor * self._broken * (in_tuplet if left else 1.0) * self.state.unit_quarter
        self._tuplet = (in_tuplet, left - 1) if left else (1.0, 0)
        self._broken = 1.0
        self._last = _Event(self._at, heads, self._offset, duration)
        self._ties = {}
        self._offset += duration
        measure = self.measures[self._at]
        measure.content_quarter = max(measure.content_quarter, self._offset)
        return duration

    def begin_chord(self) -> None:
        """Read ``[``."""
        self.end_chord("")
        self._chord, self._chord_length = [], None

    def end_chord(self, length: str) -> None:
        """Read ``]`` and the length behind it; end a chord that is still open."""
        heads, self._chord = self._chord, None
        if heads:
            self._sound(heads, self._chord_length or heads[0].length, length_factor(length))

    @property
    def is_in_chord(self) -> bool:
        """Whether a chord is open."""
        return self._chord is not None

    # ---------------------------------------------------------------------------- what changes notes and rests

    def read_tie(self) -> None:
        """Tie the last note or chord to the next one of the same pitch."""
        if self._chord:
            self._chord[-1].note.tied_to_next = True
        elif self._chord is None and self._last is not None and not self._is_grace:
            for head in self._last.heads:
                head.note.tied_to_next = True
            self._ties = {head.spelled: head.shift for head in self._last.heads}

    def read_broken(self, signs: str) -> None:
        """Read ``>`` or ``<``: the note before and the one behind share their time unequally."""
        short = 0.5 ** min(len(signs), 8)
        before, after = (2.0 - short, short) if signs[0] == ">" else (short, 2.0 - short)
        last = self._last
        is_behind_bar = not self._is_open and not self._is_behind
        if last is None or is_behind_bar or last.measure_index != self._at or self._broken != 1.0:
            self._warn(f"'{signs}' stands behind no note")
            return
        for head in last.heads:
            head.note.duration_quarter *= before
        self._offset = last.start_quarter + last.duration_quarter * before
        measure = self.measures[self._at]
        measure.content_quarter = max(measure.content_quarter, self._offset)
        self._broken = after

    def begin_tuplet(self, notes: str, in_time: str | None, count: str | None) -> None:
        """Read ``(p:q:r``: p notes in the time of q, for the next r.

        Parameters
        ----------
        notes, in_time, count : str, optional
        """
        p = int(notes[:3])
        default = _IN_TIME_OF.get(p, 3 if (self.state.metre or (4, 4))[0] in _COMPOUND_BEATS else 2)
        q = int(in_time[:3]) if in_time else default
        r = int(count[:3]) if count else p
        if not p or not q:
            self._warn(f"'({notes}' is no tuplet")
            return
        self._tuplet = (q / p, r)

    def set_grace(self, is_grace: bool) -> None:
        """Enter or leave grace notes."""
        self.end_chord("")
        self._is_grace = is_grace

    def begin_overlay(self) -> None:
        """Read ``(&``, where overlays of several bars go back to."""
        self._overlay_start = self.place

    def read_overlay(self, bars: int) -> None:
        """Read ``&``, which goes back by one bar line, or to where the overlay began."""
        self.end_chord("")
        if not self.measures:
            self._warn("'&' stands before all notes")
            return
        last = len(self.measures) - 1
        start, offset = self._overlay_start or (max(last - bars + 1, 0), 0.0)
        self._layer += 1
        self._at, self._offset = min(start, last), offset
        self._is_behind = not self._is_open
        self._accidentals, self._last, self._ties, self._tuplet = {}, None, {}, (1.0, 0)

    def end_overlay(self) -> None:
        """Read ``&)``."""
        self.end_chord("")
        self._overlay_start = None
        if self.measures:
            self._at = len(self.measures) - 1
            self._offset = self.measures[-1].content_quarter
            self._layer = 1


def number_measures(measures: list[RawMeasure]) -> None:
    """Number measures as they would be printed: a pick-up is 0, and two that make up one bar have one number."""
    count, before = 0, 0.0
    for i, measure in enumerate(measures):
        metre = measure.metre
        bar = 4.0 * metre[0] / metre[1] if metre else measure.content_quarter
        is_short = 0 < measure.content_quarter < bar - 1e-6
        is_pickup = i == 0 and is_short and len(measures) > 1
        is_rest_of_bar = is_short and before > 0 and abs(before + measure.content_quarter - bar) < 1e-6
        measure.is_implicit = is_pickup or is_rest_of_bar
        count += not measure.is_implicit
        measure.number = str(count)
        before = measure.content_quarter if is_short and not is_rest_of_bar and not is_pickup else 0.0


@dataclass
class Voice:
    """One voice, with what ``V:`` says of it; `labels` are the parts of the tune that begin in it, by measure."""

    reader: VoiceReader
    voice_id: str
    name: str = ""
    abbreviation: str = ""
    programs: list[int] = field(default_factory=list)
    labels: list[tuple[int, str]] = field(default_factory=list)


def grouped_into_parts(
    voices: Mapping[str, Voice], declared: Collection[str], groups: Sequence[Sequence[str]]
) -> list[list[Voice]]:
    """Put voices in the order of the printed score; those of one brace are one part unless their names differ.

    Parameters
    ----------
    voices : mapping of Voice
        By id, in the order in which they begin; those without measures are left out.
    declared : collection of str
        Ids in the order in which the header names them.
    groups : sequence of sequence of str
        What ``%%score`` says.
    """
    left = {i: v for i, v in voices.items() if v.reader.measures}
    order = [i for i in declared if i in left] + [i for i in left if i not in declared]
    parts: list[list[Voice]] = []
    for ids in [*groups, *[[i] for i in order]]:
        group = [left.pop(i) for i in ids if i in left]
        names = {v.name for v in group if v.name}
        programs = {v.programs[0] for v in group if v.programs}
        is_one = len(names) <= 1 and len(programs) <= 1
        parts += [group] if is_one and group else [[v] for v in group]
    return parts


def part_of_voices(voices: Sequence[Voice], index: int, channel_programs: Mapping[int, int]) -> RawPart:
    """Make one part, each voice a staff of it.

    Parameters
    ----------
    voices : sequence of Voice
    index : int
        Of the part, counted from 0.
    channel_programs : mapping of int
        General MIDI programs by MIDI channel.
    """
    first = voices[0]
    name = next((v.name for v in voices if v.name), "")
    if not name and len(voices) == 1 and not first.voice_id.isdigit():
        name = first.voice_id
    part = RawPart(name or f"Part {index + 1}", next((v.abbreviation for v in voices if v.abbreviation), ""))
    for staff, voice in enumerate(voices, 1):
        reader = voice.reader
        for i, measure in enumerate(reader.measures):
            if i == len(part.measures):
                part.measures.append(measure)
            else:
                _merge(part.measures[i], measure)
        for note in reader.notes:
            note.staff = staff
        part.notes += reader.notes
        part.tempi += reader.tempi
        part.passed_over += reader.passed_over
    state = first.reader.state
    programs = [p for v in voices for p in v.programs]
    program = programs[0] if programs else channel_programs.get(state.channel or 0, state.program)
    is_percussion = bool(part.notes) and all(math.isnan(n.pitch_midi) for n in part.notes)
    part.instrument = Instrument("Drums", None, True) if is_percussion else Instrument("", program)
    return part


def _merge(measure: RawMeasure, other: RawMeasure) -> None:
    """Add what another staff of the part says of a measure."""
    measure.content_quarter = max(measure.content_quarter, other.content_quarter)
    measure.note_count += other.note_count
    measure.rests_throughout &= other.rests_throughout
    measure.ends_section |= other.ends_section
    measure.starts_repeat |= other.starts_repeat
    measure.repeat_passes = max(measure.repeat_passes, other.repeat_passes)
    measure.endings = measure.endings or other.endings
    measure.marks += [mark for mark in other.marks if mark not in measure.marks]
