"""The sounds of General MIDI, by family and by program.

References
----------
MIDI Manufacturers Association (1991), General MIDI System Level 1, table 2: sound set.
"""

from __future__ import annotations

FAMILIES: dict[str, tuple[str, ...]] = {
    "Piano": (
        "Piano", "Bright piano", "Electric grand piano", "Honky-tonk piano",
        "Electric piano 1", "Electric piano 2", "Harpsichord", "Clavinet",
    ),
    "Chromatic percussion": (
        "Celesta", "Glockenspiel", "Music box", "Vibraphone",
        "Marimba", "Xylophone", "Tubular bells", "Dulcimer",
    ),
    "Organ": (
        "Drawbar organ", "Percussive organ", "Rock organ", "Church organ",
        "Reed organ", "Accordion", "Harmonica", "Tango accordion",
    ),
    "Guitar": (
        "Nylon-string guitar", "Steel-string guitar", "Jazz guitar", "Clean electric guitar",
        "Muted electric guitar", "Overdriven guitar", "Distorted guitar", "Guitar harmonics",
    ),
    "Bass": (
        "Acoustic bass", "Fingered electric bass", "Picked electric bass", "Fretless bass",
        "Slap bass 1", "Slap bass 2", "Synth bass 1", "Synth bass 2",
    ),
    "Strings": ("Violin", "Viola", "Cello", "Double bass", "Tremolo strings", "Plucked strings", "Harp", "Timpani"),
    "Ensemble and voices": (
        "String ensemble", "Slow string ensemble", "Synth strings 1", "Synth strings 2",
        "Choir", "Voice", "Synth voice", "Orchestra hit",
    ),
    "Brass": (
        "Trumpet", "Trombone", "Tuba", "Muted trumpet",
        "Horn", "Brass section", "Synth brass 1", "Synth brass 2",
    ),
    "Reed": (
        "Soprano saxophone", "Alto saxophone", "Tenor saxophone", "Baritone saxophone",
        "Oboe", "English horn", "Bassoon", "Clarinet",
    ),
    "Pipe": ("Piccolo", "Flute", "Recorder", "Pan flute", "Blown bottle", "Shakuhachi", "Whistle", "Ocarina"),
    "Synth lead": (
        "Square lead", "Sawtooth lead", "Calliope lead", "Chiff lead",
        "Charang lead", "Voice lead", "Fifths lead", "Bass and lead",
    ),
    "Synth pad": (
        "New age pad", "Warm pad", "Polysynth pad", "Choir pad",
        "Bowed pad", "Metallic pad", "Halo pad", "Sweep pad",
    ),
    "Synth effects": (
        "Rain", "Soundtrack", "Crystal", "Atmosphere",
        "Brightness", "Goblins", "Echoes", "Science fiction",
    ),
    "Ethnic": ("Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai"),
    "Percussive": (
        "Tinkle bell", "Agogo", "Steel drums", "Woodblock",
        "Taiko drum", "Melodic tom", "Synth drum", "Reverse cymbal",
    ),
    "Sound effects": (
        "Guitar fret noise", "Breath noise", "Seashore", "Bird tweet",
        "Telephone ring", "Helicopter", "Applause", "Gunshot",
    ),
}  # fmt: skip
"""The sixteen families, each of eight programs."""

NAMES: tuple[str, ...] = tuple(name for names in FAMILIES.values() for name in names)
"""What the programs are called, by their numbers from 0."""

# What a part is called that only tells its program: its instrument, where it needs no number or kind beside it.
_OF_PARTS = {
    19: "Organ", 24: "Guitar", 25: "Guitar", 33: "Electric bass", 43: "Contrabass", 45: "Pizzicato strings",
    48: "Strings", 61: "Brass",
}  # fmt: skip
_KNOWN_BY_NAME = frozenset(
    {0, 6, 8, 9, 11, 12, 13, 21, 32, *range(40, 43), 46, 47, 52, 53, 56, 57, 58, 60, *range(64, 75)}
)


def part_name(program: int) -> str:
    """Return what to call a part of which nothing but its program is known: the instrument, or its family."""
    if program in _OF_PARTS:
        return _OF_PARTS[program]
    if program in _KNOWN_BY_NAME:
        return NAMES[program]
    return list(FAMILIES)[program // 8].partition(" and ")[0]
