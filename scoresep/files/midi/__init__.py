"""Standard MIDI files as players read them: what is sound is kept, what is damaged is passed over and told.

mido, which writes our MIDI files, reads by the letter: one event without sense, one length that is wrong, and the whole
file is refused. A pass that repairs the bytes before mido would have to read every event itself to find the faults, so
that is what is done here, and nothing is left over for mido. `chunks` finds the tracks in the bytes, `track_events`
the events of a track, `channels` what the channels are set to, `key_strokes` the notes, and `performance` puts all
that together. What becomes of it (bars, parts; seconds) is left to those who ask.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
"""

from scoresep.files.midi.performance import (
    DEFAULT_METRE,
    DEFAULT_TEMPO_US,
    Performance,
    Voice,
    read_midi_performance,
)
from scoresep.files.midi.tracks import MIDI_SUFFIXES, holds_midi, is_midi

__all__ = [
    "DEFAULT_METRE",
    "DEFAULT_TEMPO_US",
    "MIDI_SUFFIXES",
    "Performance",
    "Voice",
    "holds_midi",
    "is_midi",
    "read_midi_performance",
]
