"""Which notes of MusicXML have no pitch although one is written: drums, told by sound id, MIDI channel, clef and name.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021: list of standard sounds, elements ``midi-channel``,
``midi-unpitched``, ``clef``, https://www.w3.org/2021/06/musicxml40/
General MIDI System Level 1, MIDI Manufacturers Association, 1991: channel 10 holds drums.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from xml.etree.ElementTree import Element

from scoresep.files.scores.instruments import (
    PITCHED_PERCUSSION,
    is_drum_name,
    is_pitched_percussion_name,
    program_of_name,
    program_of_sound,
)
from scoresep.files.scores.musicxml_attributes import StaffTimeline
from scoresep.files.scores.raw import RawPart

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
