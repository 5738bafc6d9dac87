"""Which General MIDI program a part is played by, told from its name or from MusicXML's sound ids.

References
----------
General MIDI System Level 1, MIDI Manufacturers Association, 1991 (the numbers, here counted from 0).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from scoresep.model.score import Instrument

CHOIR, BASS, CONTRABASS = 52, 32, 43

# The first that fits counts, hence the longer names before those that are contained in them. English, German, Italian,
# French, Spanish, and the usual abbreviations. \b is added in front of every pattern.
_PATTERNS: tuple[tuple[str, int], ...] = (
    (r"(english|engl?\.?)\s*h(or)?n|englischhorn|corno inglese|cor anglais|c\. ?ing|eng\. ?hn", 69),
    (r"basset|(bass|alto|contra\w*)[- ]?(clarinet|klarinette|clarinett?o)|clarin(?![oi]\b)\w*|klarin\w*"
     r"|cl(\.|ar\b|\b)|kl\.", 71),
    (r"(double ?bass|contra|kontra)[- ]?(fagott?o?|bassoon|fag)|bassoon|fagott?\w*|basson\b|bsn|bn\b|fg\b|fag\b", 70),
    (r"(soprano|sopran)[- ]?sax\w*|s(\.|op)[. ]*sax", 64),
    (r"(tenor|t\.)[- ]?sax\w*", 66),
    (r"(bariton\w*|bari|b\.)[- ]?sax\w*", 67),
    (r"(alto?|a\.)?[- ]?sax\w*", 65),
    (r"oboe?|hautboi?s?|ob\b|oboi", 68),
    (r"piccolo(?! (trumpet|tromp))|ottavino|picc?\b|petite fl", 72),
    (r"(sopran\w*|alt\w*|tenor\w*|bass\w*)?[- ]?(recorder|blockfl\w*|flauto dolce|fl[uû]te [aà] bec)|recorder", 74),
    (r"pan ?fl\w*|panpipes?", 75),
    (r"(alto |bass )?fl(ute|[oö]te|auto|[uû]te|auti|\.|\b)|traverso\w*|querfl\w*", 73),
    (r"shakuhachi", 77),
    (r"ocarina", 79),
    (r"(piccolo |bass )?(trumpet|trompet\w*|tromba\b|trombe|tpt|trp|trpt|tr\b)|clarin[oi]\b|cornett?o?\b|kornett"
     r"|flugel\w*", 56),
    (r"(bass |alto |tenor |contra\w* )?(trombon\w*|posaune\w*|tbn|trb|pos\b)|sackbut", 57),
    (r"tuba|euphonium|sousaphon\w*|ophic\w*|bombard\w*|tba\b", 58),
    (r"(french |wald)?horn\w*|corn[oi]\b|cors?\b|hn\b|hrn|cor\.", 60),
    (r"brass", 61),
    (r"violon?cell\w*|cell[oi]\b|cell\.|vcl?\b|violonc\w*", 42),
    (r"violone\b|contra-?bas\w*|kontrabass?\w*|double ?bass\w*|string bass|upright bass|cb\b|d\.?b\b|kb\b", 43),
    (r"viola da gamba|gamba\b|viol\b|bass viol", 42),
    (r"viol(a|e|as)\b|bratsch\w*|vla\b|va\b|alto viol\w*", 41),
    (r"viol(in|ino|ini|ine|ins|on|ons)\b|geige\w*|fiddle|vln?s?\b|vno\b|vni\b", 40),
    (r"strings|streicher|archi\b", 48),
    (r"harpsi\w*|cembal\w*|clavecin|clavichord|klavichord|spinett?", 6),
    (r"celesta|c[eé]lesta", 8),
    (r"glockensp\w*|glsp", 9),
    (r"music ?box", 10),
    (r"vibra\w*|vib\b", 11),
    (r"marimba\w*", 12),
    (r"xylo\w*", 13),
    (r"tubular bells|chimes|r[oö]hrenglocken|campane", 14),
    (r"harmonium|reed organ", 20),
    (r"organ\w*|orgel|orgue|org\b|positiv", 19),
    (r"accord[ei]on|akkordeon|fisarmonica|bandoneon", 21),
    (r"harmonica|mundharm\w*", 22),
    (r"harp\b|harfe|arpa|harpe|hp\b", 46),
    (r"(electric|e)[- .]?piano|rhodes", 4),
    (r"piano|pian[io]forte|klavier|clavier|keyboards?|pno|pf\b|hammerklavier|primo|secondo", 0),
    (r"(electric|e|elec\.?)[- .]?guitar\w*|e-?gitarre|jazz guitar", 27),
    (r"(acoustic|steel)\w* guitar", 25),
    (r"guitar\w*|gitarre|chitarra|guitare|gtr|git\b|gt\b|lute|laute|liuto|theorb\w*|tiorba|vihuela", 24),
    (r"ukulele|banjo|mandolin\w*", 105),
    (r"sitar", 104),
    (r"(electric|e|slap|fretless|elec\.?)[- .]?bass|bass guitar|bassgitarre", 33),
    (r"timp\w*|pauken?|timbales", 47),
    (r"bagpipe\w*|dudelsack", 109),
    (r"(mezzo|sopran\w*|alt|alto|alti|altus|contralto|counter ?tenor|tenor\w*|t[eé]nor|bariton\w*|cantus|canto"
     r"|superius|discantus|contratenor|quint[ou]s?|sext[ou]s?|sesto|tiple|^[sat]\.?\s*\d?$|sop\b|ten\b|bar\b"
     r"|bassus)", 52),
    (r"voice\w*|voc\w*|vox|voix|chor\w*|coro\b|choir|chant|singer|gesang|singstimme|stimme|voce|ooh|aah|women|men\b",
     52),
    (r"synth\w*", 88),
    (r"bass? continuo|basso continuo|continuo|b\.? ?c\b|generalbass", 42),
)  # fmt: skip
_COMPILED = tuple((re.compile(r"\b(" + pattern + ")", re.IGNORECASE), program) for pattern, program in _PATTERNS)

_VOICES = re.compile(r"^\W*(sop|alt|ten|s\b|a\b|t\b|mezzo|cantus)", re.IGNORECASE)
_BASS = re.compile(r"^\W*(b\b|bass?[oeiu]?s?)\W*[\dIVX]*\W*$", re.IGNORECASE)

# Percussion with pitch: celesta to dulcimer, timpani, kalimba, tinkle bell, steel drums.
PITCHED_PERCUSSION = frozenset({*range(8, 16), 47, 108, 112, 114})
_TUNED = re.compile(
    r"\b(steel ?(drum|pan)\w*|kettle ?drum\w*|crotal\w*|kalimba|(orchestra\w*|church|hand|plate|tubular) ?bells?"
    r"|almglocken|cencerros|hand ?pan|lithophone?|tuned \w+|antique cymbals?|roto-?toms?|cimbalom|hackbrett)",
    re.IGNORECASE,
)
_DRUMS = re.compile(
    r"\b(\w*drums?(et|[ -]?set|[ -]?kit)?\b|drumline|batter(y|ie|ia)\b|bater[ií]a|schlagzeug|snares?\b"
    r"|cymbal(s|e|es)?\b|hi-?hats?\b|tom-?toms?\b|toms\b|congas?\b|bongos?\b|cow ?bells?\b|(wood|temple) ?blocks?\b"
    r"|triang(le|el|olo|ulo)s?\b|tambourine?s?\b|tamburin\w*|maracas?\b|claves\b|castan\w*|kastag\w*|gu[iï]ro\b"
    r"|shakers?\b|cabasa|ratchet|tam-?tam|gong\b|(wind|bar) chimes|mark tree|sleigh ?bells|agog[oô]\b|caj[oó]n|djembe"
    r"|(hand ?)?claps?\b|becken\b|\w*trommeln?\b|(grosse )?caisse( claire)?|tamburo|piatti|gran ?cassa|redoblante)",
    re.IGNORECASE,
)

# MusicXML 4.0 sound ids, by their first words.
_SOUNDS: tuple[tuple[str, int], ...] = (
    ("brass.alphorn", 60), ("brass.french-horn", 60), ("brass.natural-horn", 60), ("brass.trombone", 57),
    ("brass.trumpet", 56), ("brass.cornet", 56), ("brass.flugelhorn", 56), ("brass.tuba", 58),
    ("brass.euphonium", 58), ("brass", 61),
    ("keyboard.harpsichord", 6), ("keyboard.clavichord", 6), ("keyboard.celesta", 8), ("keyboard.organ", 19),
    ("keyboard.accordion", 21), ("keyboard.harmonium", 20), ("keyboard", 0),
    ("pitched-percussion.glockenspiel", 9), ("pitched-percussion.vibraphone", 11),
    ("pitched-percussion.marimba", 12), ("pitched-percussion.xylophone", 13),
    ("pitched-percussion.tubular-bells", 14), ("drum.timpani", 47),
    ("pluck.bass.electric", 33), ("pluck.bass", 32), ("pluck.harp", 46), ("pluck.guitar.electric", 27),
    ("pluck.guitar", 24), ("pluck.banjo", 105), ("pluck", 24),
    ("strings.violin", 40), ("strings.viola", 41), ("strings.cello", 42), ("strings.contrabass", 43),
    ("strings.viol", 42), ("strings", 48), ("synth", 88), ("voice", 52),
    ("wind.flutes.recorder", 74), ("wind.flutes.flute.piccolo", 72), ("wind.flutes.panpipes", 75),
    ("wind.flutes", 73),
    ("wind.reed.bassoon", 70), ("wind.reed.contrabassoon", 70), ("wind.reed.clarinet", 71),
    ("wind.reed.basset-horn", 71), ("wind.reed.english-horn", 69), ("wind.reed.oboe", 68),
    ("wind.reed.saxophone.soprano", 64),
    ("wind.reed.saxophone.tenor", 66), ("wind.reed.saxophone.baritone", 67), ("wind.reed.saxophone", 65),
    ("wind.reed.harmonica", 22), ("wind.pipes.bagpipes", 109), ("wind", 73),
)  # fmt: skip


def program_of_name(name: str) -> int | None:
    """Guess the General MIDI program, counted from 0, from the name of a part; None where the name tells nothing.

    A bare "bass" is left open: it depends on its neighbours (`completed_instruments`).
    """
    if _BASS.match(name):
        return None
    return next((program for pattern, program in _COMPILED if pattern.search(name)), None)


def is_drum_name(name: str) -> bool:
    """Whether a name is that of percussion without pitch; "Percussion" alone may be either."""
    return bool(_DRUMS.search(name)) and not is_pitched_percussion_name(name)


def is_pitched_percussion_name(name: str) -> bool:
    """Whether a name is that of percussion with pitch, such as timpani and glockenspiel."""
    return bool(_TUNED.search(name)) or program_of_name(name) in PITCHED_PERCUSSION


def program_of_sound(sound_id: str) -> int | None:
    """Return the program for one of MusicXML's sound ids, such as ``wind.reed.oboe``."""
    return next((program for start, program in _SOUNDS if sound_id.startswith(start)), None)


def completed_instruments(parts: Sequence[tuple[str, Instrument]]) -> list[Instrument]:
    """Give every part a name for its instrument, and a program where one can be guessed.

    Parameters
    ----------
    parts : sequence of (str, Instrument)
        Name of the part, and what the file says of its instrument.
    """
    is_choir = any(_VOICES.match(name) for name, _ in parts)
    completed = []
    for name, instrument in parts:
        program = instrument.program
        if _BASS.match(name) and not instrument.is_percussion and not program:
            program = CHOIR if is_choir else BASS
        elif program is None and not instrument.is_percussion:
            program = program_of_name(name)
            if program is None:
                program = program_of_name(instrument.name)
        completed.append(replace(instrument, name=instrument.name or name, program=program))
    return completed
