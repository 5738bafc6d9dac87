"""Notations of MusicXML that change what sounds (harmonics, tremolos), and those that are noted as read otherwise.

Trills, turns, mordents and arpeggios are read as their main notes at their written place, as people count them.

Also here: which notes of MusicXML have no pitch although one is written: drums, told by sound id, MIDI channel, clef
and name.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021: elements ``tremolo``, ``harmonic``, ``glissando``, ``notehead``,
https://www.w3.org/2021/06/musicxml40/
MusicXML 4.0, W3C Music Notation Community Group, 2021: list of standard sounds, elements ``midi-channel``,
``midi-unpitched``, ``clef``, https://www.w3.org/2021/06/musicxml40/
General MIDI System Level 1, MIDI Manufacturers Association, 1991: channel 10 holds drums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from xml.etree.ElementTree import Element

from scoresep.files.scores.instruments import (
    PITCHED_PERCUSSION,
    is_drum_name,
    is_pitched_percussion_name,
    program_of_name,
    program_of_sound,
)
from scoresep.files.scores.musicxml_attributes import UNREADABLE_PITCH, StaffTimeline, number_of, text_of
from scoresep.files.scores.raw import PassedOver, RawNote, RawPart, notes_by_measure, take_out

NAN = float("nan")
_DRUM_CHANNEL = "10"
_UNPITCHED_FAMILIES = ("drum.", "effect.", "metal.", "rattle.", "wood.")
# Of these families, what has a pitch, or is made with one as often as without.
_MAYBE_PITCHED = (
    "metal.bells.almglocken", "metal.bells.bell-plate", "metal.bells.carillon", "metal.bells.chimes",
    "metal.bells.church", "metal.bells.temple", "metal.bowl", "metal.crotale", "metal.gong", "metal.hang",
    "drum.tabla", "drum.roto-tom",
)  # fmt: skip


class PitchKind(Enum):
    """What is known of an instrument: percussion with pitch keeps its pitches on any clef."""

    UNKNOWN = 0
    PITCHED = 1
    PITCHED_PERCUSSION = 2
    DRUM = 3


def pitch_kinds(description: Element | None) -> dict[str, PitchKind]:
    """Tell of every instrument in an entry of the part list whether what it plays has a pitch.

    Returns
    -------
    kinds : dict of PitchKind
        By id; the first one also under the empty id, for notes that name none.
    """
    if description is None:
        return {}
    part_name = description.findtext("part-name") or ""
    midi = {e.get("id", ""): e for e in description.iterfind("midi-instrument")}
    instruments = {e.get("id", ""): e for e in description.iterfind("score-instrument")}
    if len(instruments) == len(midi) == 1:  # whatever they call each other
        midi = dict(zip(instruments, midi.values(), strict=True))
    kinds: dict[str, PitchKind] = {}
    for key in [*instruments, *(k for k in midi if k not in instruments)]:
        kinds[key] = _kind(instruments.get(key), midi.get(key), part_name, len(instruments) > 1)
    kinds[""] = next(iter(kinds.values()), _kind_of_name(part_name))
    return kinds


def _kind(instrument: Element | None, midi: Element | None, part_name: str, has_others: bool) -> PitchKind:
    sound = (instrument.findtext("instrument-sound") or "").strip() if instrument is not None else ""
    by_sound = _kind_of_sound(sound)
    if by_sound is not PitchKind.UNKNOWN:
        return by_sound
    name = (instrument.findtext("instrument-name") or "").strip() if instrument is not None else ""
    by_name = _kind_of_name(name)
    if by_name is PitchKind.UNKNOWN and not has_others:
        by_name = _kind_of_name(part_name)
    if midi is None:
        return by_name
    if by_name is PitchKind.PITCHED_PERCUSSION:
        return by_name
    if midi.find("midi-unpitched") is not None:
        return PitchKind.DRUM
    if (midi.findtext("midi-channel") or "").strip() == _DRUM_CHANNEL:
        return by_name if by_name is PitchKind.PITCHED else PitchKind.DRUM  # some number their parts 1 to 16
    program = (midi.findtext("midi-program") or "").strip()
    number = int(program) - 1 if program.isdecimal() and len(program) < 4 else 0
    if number in PITCHED_PERCUSSION:
        return PitchKind.PITCHED_PERCUSSION
    return by_name


def _kind_of_sound(sound: str) -> PitchKind:
    if not sound or sound.startswith(_MAYBE_PITCHED):
        return PitchKind.UNKNOWN
    if sound.startswith(("pitched-percussion.", "drum.timpani")):
        return PitchKind.PITCHED_PERCUSSION
    if sound.startswith(_UNPITCHED_FAMILIES):
        return PitchKind.DRUM
    return PitchKind.PITCHED if program_of_sound(sound) is not None else PitchKind.UNKNOWN


def _kind_of_name(name: str) -> PitchKind:
    if is_pitched_percussion_name(name):
        return PitchKind.PITCHED_PERCUSSION
    if is_drum_name(name):
        return PitchKind.DRUM
    return PitchKind.UNKNOWN if program_of_name(name) is None else PitchKind.PITCHED


def unpitch_drums(
    part: RawPart,
    kinds: Mapping[str, PitchKind],
    percussion_clefs: StaffTimeline[bool],
    instrument_of: Mapping[int, str],
) -> None:
    """Take the pitch from notes of drums.

    Parameters
    ----------
    part : RawPart
    kinds : mapping of PitchKind
        As `pitch_kinds` tells them.
    percussion_clefs : StaffTimeline of bool
        Where the clef is that of percussion. There all but pitched percussion has no pitch.
    instrument_of : mapping of str
        Id of the instrument by the identity of the note, where the note names one.
    """
    first = kinds.get("", PitchKind.UNKNOWN)
    has_clef = any(percussion_clefs.values())
    if not has_clef and PitchKind.DRUM not in kinds.values():
        return
    for note in part.notes:
        kind = kinds.get(instrument_of.get(id(note), ""), first)
        if kind is PitchKind.PITCHED_PERCUSSION:
            continue
        on_clef = has_clef and percussion_clefs.at(note.measure_index, note.offset_quarter, note.staff)
        if kind is PitchKind.DRUM or on_clef:
            note.pitch_midi = NAN


TREMOLO = "the tremolo is read as a held note"
TREMOLO_OF_TWO = "the tremolo between two notes is read as both of them held"
GLISSANDO = "the glissando is read as the notes at its ends"
SLASH_HEADS = "notes with slashes for heads are read as they are written"
_SAME_QUARTER = 1e-6
_STRINGS = {**dict.fromkeys(range(24, 32), "guitar"), **dict.fromkeys(range(32, 40), "bass"), 40: "violin", 41: "viola",
            42: "cello", 43: "bass", 44: "", 45: "", 46: "", 48: "", 49: ""}  # fmt: skip
# Sounding pitches of the open strings, the first string first.
_OPEN_STRINGS = {
    "guitar": (64, 59, 55, 50, 45, 40), "bass": (43, 38, 33, 28), "violin": (76, 69, 62, 55),
    "viola": (69, 62, 55, 48), "cello": (57, 50, 43, 36),
}  # fmt: skip


class NotationReader:
    """Collects the notations of one part and settles them when the part has been read.

    Parameters
    ----------
    part : RawPart
    """

    def __init__(self, part: RawPart) -> None:
        self._part = part
        self._tremolos: list[tuple[RawNote, bool]] = []  # notes of tremolos between two, and whether they come first
        self._harmonics: list[tuple[HarmonicNote, int]] = []  # and the number of the string, 0 where it is not given
        self._fretted: list[tuple[RawNote, int, float]] = []  # notes without a pitch, their strings and frets

    def is_sounding_harmonic(self, element: Element) -> bool:
        """Whether a note shows what a harmonic sounds like; that is played in whatever size it is printed."""
        return element.find("notations/technical/harmonic/sounding-pitch") is not None

    def is_fretted(self, element: Element) -> bool:
        """Whether a note says on which fret of which string it is played."""
        return all(element.find(f"notations/technical/{tag}") is not None for tag in ("string", "fret"))

    def read(self, note: RawNote, element: Element, children: Mapping[str, Element]) -> None:
        """Read the notations and the head of a note.

        Parameters
        ----------
        note : RawNote
            May be changed.
        element : Element
        children : mapping of str to Element
            The first child of each name.
        """
        head = text_of(children.get("notehead"))
        if head == "slash":
            self._pass_over(note, SLASH_HEADS)
        has_harmonic = False
        string = 0
        for child in (c for notations in element if notations.tag == "notations" for c in notations):
            if child.tag == "ornaments":
                self._read_tremolo(note, child.find("tremolo"))
            elif child.tag == "technical":
                string = int(number_of(child.findtext("string"), 0.0)) or string
                if note.pitch_midi != note.pitch_midi and "unpitched" not in children:
                    self._fretted.append((note, string, number_of(child.findtext("fret"), 0.0)))
                harmonic = child.find("harmonic")
                if harmonic is not None:
                    self._read_harmonic(note, harmonic, head, string)
                    has_harmonic = True
            elif child.tag == "glissando" and child.get("type") == "start":
                self._pass_over(note, GLISSANDO)
        if head == "diamond" and not has_harmonic:
            self._harmonics.append((HarmonicNote(note, Touch.UNTOLD, is_marked=False, is_diamond=True), 0))

    def _pass_over(self, note: RawNote, what: str) -> None:
        self._part.passed_over.append(PassedOver(note.measure_index, what))

    def _read_tremolo(self, note: RawNote, tremolo: Element | None) -> None:
        if tremolo is None:
            return
        kind = tremolo.get("type", "single")
        if kind in ("start", "stop"):
            self._tremolos.append((note, kind == "start"))
            self._pass_over(note, TREMOLO_OF_TWO)
        elif text_of(tremolo) != "0" or kind == "unmeasured":
            self._pass_over(note, TREMOLO)

    def _read_harmonic(self, note: RawNote, harmonic: Element, head: str, string: int) -> None:
        touch = next((t for t in Touch if t and harmonic.find(t) is not None), Touch.UNTOLD)
        is_artificial = harmonic.find("artificial") is not None
        found = HarmonicNote(note, touch, True, head.startswith("diamond"), is_artificial)
        self._harmonics.append((found, string))

    def settle(self, tunings: Mapping[int, Mapping[int, float]]) -> None:
        """Let every harmonic sound once and both notes of a tremolo throughout.

        Parameters
        ----------
        tunings : mapping of mapping of float
            Sounding pitches of the open strings by staff and string, where the file tells them.
        """
        program = self._part.instrument.program
        strings = _OPEN_STRINGS.get(_STRINGS.get(-1 if program is None else program, ""), ())
        of_instrument = {i + 1: float(pitch) for i, pitch in enumerate(strings)}
        known = next(iter(tunings.values()), of_instrument)
        self._find_fretted(tunings, known)
        if self._harmonics:
            harmonics = [_on_strings(h, tunings.get(h.note.staff, known), string) for h, string in self._harmonics]
            sound_harmonics(self._part, harmonics, program is None or program in _STRINGS)
        if self._tremolos:
            self._hold_tremolos()

    def _find_fretted(self, tunings: Mapping[int, Mapping[int, float]], known: Mapping[int, float]) -> None:
        """Give notes that only tell string and fret their pitch; those on strings that nobody tells are left out."""
        unknown = []
        for note, string, fret in self._fretted:
            open_pitch = tunings.get(note.staff, known).get(string)
            if open_pitch is None:
                unknown.append(note)
                self._pass_over(note, UNREADABLE_PITCH)
            else:
                note.pitch_midi = open_pitch + fret
        take_out(self._part, unknown)

    def _hold_tremolos(self) -> None:
        """Let both notes (or chords) of a tremolo sound from the start of the first to the end of the second."""
        by_measure = notes_by_measure(self._part)
        waiting: dict[tuple[int, int], RawNote] = {}
        for note, is_first in self._tremolos:
            place = (note.staff, note.voice)
            if is_first:
                waiting[place] = note
                continue
            first = waiting.pop(place, None) or (waiting.popitem()[1] if waiting else None)
            if (
                first is None
                or first.measure_index != note.measure_index
                or note.offset_quarter <= first.offset_quarter
            ):
                continue
            notes = by_measure.get(note.measure_index, ())
            end = note.offset_quarter + note.duration_quarter
            start = first.offset_quarter
            chord = _chord_of(first, notes)
            for member in _chord_of(note, notes):
                same = next((n for n in chord if n.pitch_midi == member.pitch_midi), None)
                if same is not None:  # one key for both: its second note goes on from the first
                    chord = [n for n in chord if n is not same]
                    same.tied_to_next = member.tied_from_previous = True
                else:
                    member.offset_quarter, member.duration_quarter = start, end - start
            for member in chord:
                member.duration_quarter = end - start


def _chord_of(note: RawNote, notes: list[RawNote] | tuple[RawNote, ...]) -> list[RawNote]:
    return [
        n
        for n in notes
        if n.voice == note.voice and n.is_grace == note.is_grace
        and abs(n.offset_quarter - note.offset_quarter) < _SAME_QUARTER
        and abs(n.duration_quarter - note.duration_quarter) < _SAME_QUARTER
    ]  # fmt: skip


def _on_strings(harmonic: HarmonicNote, tuning: Mapping[int, float], string: int) -> HarmonicNote:
    """Tell a touched note which open strings it may be played on."""
    if harmonic.is_artificial or not harmonic.is_marked:
        return harmonic
    open_pitches = (tuning[string],) if string in tuning else tuple(tuning.values()) if not string else ()
    return HarmonicNote(harmonic.note, harmonic.touch, True, harmonic.is_diamond, False, open_pitches)


AS_WRITTEN = "the harmonic is read at the pitch that is written, since the file does not tell which one sounds"
# Semitones from the stopped (or open) string to the touched place, and from there to what sounds. The nodes of the
# partials 2 to 6 and the eighth, 12 log2(k / (k - i)) and 12 log2(k), to whole semitones.
_SOUNDING_OF_TOUCH = {2: 36, 3: 31, 4: 28, 5: 24, 7: 19, 9: 28, 12: 12, 16: 28, 19: 19, 24: 24, 28: 28, 31: 31, 36: 36}
_IN_CHORDS = frozenset({3, 4, 5, 7, 12})  # what hands reach: a diamond at another interval is something else
_SAME_ONSET_QUARTER = 1e-6


class Touch(StrEnum):
    """What a note of a harmonic shows."""

    BASE = "base-pitch"
    TOUCHING = "touching-pitch"
    SOUNDING = "sounding-pitch"
    UNTOLD = ""


@dataclass(frozen=True)
class HarmonicNote:
    """A note that is marked as belonging to a harmonic.

    Attributes
    ----------
    note : RawNote
    touch : Touch
    is_marked : bool
        By an element of its own; False where only a head shaped like a diamond tells.
    is_diamond : bool
    is_artificial : bool
    open_pitches : tuple of float
        Sounding pitches of the open strings that it may be played on: one where the string is given.
    """

    note: RawNote
    touch: Touch
    is_marked: bool = True
    is_diamond: bool = False
    is_artificial: bool = False
    open_pitches: tuple[float, ...] = ()


def sound_harmonics(part: RawPart, harmonics: Sequence[HarmonicNote], is_string: bool) -> None:
    """Leave of every harmonic the note that sounds.

    Parameters
    ----------
    part : RawPart
        With sounding pitches as far as transposition goes; notes of the hand are taken out or moved to what sounds.
    harmonics : sequence of HarmonicNote
    is_string : bool
        Whether the part may be played on strings. On others (percussion, piano, winds) a diamond alone means something
        else.
    """
    harmonics = [h for h in harmonics if h.is_marked or is_string]
    if not harmonics:
        return
    by_measure = notes_by_measure(part)
    groups: dict[tuple[int, float, int], list[HarmonicNote]] = {}
    for h in harmonics:
        key = (h.note.measure_index, round(h.note.offset_quarter, 6), h.note.staff)
        groups.setdefault(key, []).append(h)
    leaving: list[RawNote] = []
    for (measure_index, offset, staff), group in groups.items():
        together = [
            n
            for n in by_measure[measure_index]
            if abs(n.offset_quarter - offset) <= _SAME_ONSET_QUARTER and n.staff == staff
            and n.is_grace == group[0].note.is_grace and n.pitch_midi == n.pitch_midi
        ]  # fmt: skip
        left_out, is_told = _settled(group, together)
        leaving += left_out
        if not is_told:
            part.passed_over.append(PassedOver(measure_index, AS_WRITTEN))
    take_out(part, leaving)


def _settled(group: Sequence[HarmonicNote], together: Sequence[RawNote]) -> tuple[list[RawNote], bool]:
    """Settle the harmonics of one moment and staff: the notes that do not sound, and whether all is told."""
    sounding = _of(group, Touch.SOUNDING)
    touching = _touching(group, together)
    bases = _of(group, Touch.BASE)
    if sounding:
        hand = [*bases, *touching]
        hand += [b for t in touching if (b := _base_of(t, touching, bases or _without(together, sounding))) is not None]
        return _without(hand, sounding), True
    leaving: list[RawNote] = []
    is_told = True
    for touch in sorted(touching, key=lambda n: n.pitch_midi):
        base = _base_of(touch, touching, bases or _without(together, leaving))
        if base is not None:
            pitch = base.pitch_midi + _SOUNDING_OF_TOUCH[round(touch.pitch_midi - base.pitch_midi)]
            is_written = any(n.pitch_midi == pitch for n in together if n is not touch)  # small, beside the hand
            leaving += [touch, base] if is_written else [touch]
            base.pitch_midi = pitch
            bases = _without(bases, [base])
            continue
        found = _on_open_strings(touch.pitch_midi, next((h.open_pitches for h in group if h.note is touch), ()))
        touch.pitch_midi = found if found is not None else touch.pitch_midi
        is_told &= found is not None
    is_stopped_only = not touching and any(h.touch is Touch.BASE or h.is_artificial for h in group)
    return leaving, is_told and not is_stopped_only


def _on_open_strings(touch_pitch: float, open_pitches: Iterable[float]) -> float | None:
    """Return what sounds where an open string is touched; None if no string has a node there, or they disagree."""
    sounding = {
        open_pitch + _SOUNDING_OF_TOUCH[touched]
        for open_pitch in open_pitches
        if (touched := round(touch_pitch - open_pitch)) in _SOUNDING_OF_TOUCH
    }
    return sounding.pop() if len(sounding) == 1 else None


def _without(notes: Iterable[RawNote], others: Iterable[RawNote]) -> list[RawNote]:
    ids = {id(n) for n in others}
    return [n for n in notes if id(n) not in ids]


def _of(group: Iterable[HarmonicNote], touch: Touch) -> list[RawNote]:
    return [h.note for h in group if h.touch is touch]


def _touching(group: Sequence[HarmonicNote], together: Sequence[RawNote]) -> list[RawNote]:
    """Notes where the string is touched: those that say so, and unsaid ones with a diamond or above a stopped note."""
    found = _of(group, Touch.TOUCHING)
    for h in group:
        if h.touch is not Touch.UNTOLD or h.note in found:
            continue
        has_base = _base_of(h.note, found, together) is not None
        is_lone = h.is_marked and (h.is_diamond or len(h.open_pitches) == 1)
        if (has_base and (h.is_diamond or h.is_artificial)) or is_lone:
            found.append(h.note)
    if not found:  # only the stopped note is marked: the one at a node above it is where the string is touched
        for h in group:
            if h.touch is Touch.BASE or (h.is_artificial and h.touch is Touch.UNTOLD):
                found += [
                    n for n in together if round(n.pitch_midi - h.note.pitch_midi) in _IN_CHORDS and n not in found
                ]
    return found


def _base_of(touch: RawNote, touching: Sequence[RawNote], candidates: Sequence[RawNote]) -> RawNote | None:
    """Return the stopped note below a touched one: the nearest at an interval that has a node."""
    below = [
        n
        for n in candidates
        if n is not touch and n not in touching and round(touch.pitch_midi - n.pitch_midi) in _IN_CHORDS
    ]
    return max(below, key=lambda n: n.pitch_midi, default=None)
