"""A law of the MusicXML reader: every note that sounds is a note of the score, is heard in another one, or is told of.

What another note stands for (a tablature beside the staff, the hand in a harmonic, a tied note) is merged, and must be
found there; all else that is not read must have a warning that names its bar.
"""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from musicxml_text import FOUR_FOUR, document, note, part

from scoresep.files.scores import parse_score

HARMONIC = "<notations><technical><harmonic><artificial/><{}-pitch/></harmonic></technical></notations>"
TREMOLO = '<notations><ornaments><tremolo type="{}">3</tremolo></ornaments></notations>'
CLEFS = "<clef number='1'><sign>G</sign></clef><clef number='2'><sign>TAB</sign></clef>"
ALTERNATE = "<staff-details number='2'><staff-type>alternate</staff-type></staff-details>"

midi = st.integers(45, 90)
# Every kind of quarter note, by its name; what the law expects of each stands in `expected`.
kinds = st.sampled_from(
    ["plain", "grace", "rest", "cue", "tremolo", "unpitched", "broken", "harmonic", "hidden", "chord"]
)
bars = st.lists(st.lists(st.tuples(kinds, midi), min_size=4, max_size=4), min_size=1, max_size=4)


def written(kind: str, pitch: int) -> str:
    base, touch = HARMONIC.format("base"), HARMONIC.format("touching")
    texts = {
        "rest": note(None, 2),
        "cue": note(pitch, 2, before="<cue/>"),
        "grace": note(pitch, None, before="<grace/>") + note(pitch + 1, 2),
        "tremolo": note(pitch, 2, TREMOLO.format("single")),
        "unpitched": "<note><unpitched/><duration>2</duration></note>",
        "broken": "<note><pitch><step>H</step><octave>4</octave></pitch><duration>2</duration></note>",
        "harmonic": note(pitch, 2, base) + note(pitch + 5, 2, touch, before="<chord/>"),
        "hidden": note(pitch, 2).replace("<note>", '<note print-object="no">'),
        "chord": note(pitch, 2) + note(pitch + 6, 2, before="<chord/>"),
    }
    return texts.get(kind, note(pitch, 2))


def expected(kind: str, pitch: int) -> list[float | None]:
    """Pitches that must be read for one quarter."""
    found: dict[str, list[float | None]] = {
        "rest": [], "cue": [], "broken": [], "grace": [pitch, pitch + 1], "unpitched": [None],
        "harmonic": [pitch + 24], "chord": [pitch, pitch + 6],
    }  # fmt: skip
    return found.get(kind, [pitch])


def told_bars(warnings: tuple[str, ...], what: str) -> set[int]:
    """Bars that the one warning of a kind names."""
    matching = [w for w in warnings if what in w]
    assert len(matching) <= 1
    bars: set[int] = set()
    for w in matching:
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", w.split(":")[0]):
            bars |= set(range(int(first), int(last or first) + 1))
    return bars


@settings(deadline=None)
@given(bars)
def test_every_note_that_sounds_is_read_merged_or_told(music: list[list[tuple[str, int]]]) -> None:
    score = parse_score(document(part(*("".join(written(*q) for q in bar) for bar in music))), "x.musicxml")
    for index, bar in enumerate(music):
        here = score.notes.measure_index == index
        read = [None if math.isnan(p) else p for p in score.notes.pitch_midi[here].tolist()]
        assert sorted(read, key=str) == sorted(
            (float(p) if p is not None else p for q in bar for p in expected(*q)), key=str
        )
    for kind, what in (("tremolo", "tremolo"), ("broken", "cannot be read")):
        places = {i + 1 for i, bar in enumerate(music) if any(k == kind for k, _ in bar)}
        assert told_bars(score.warnings, what) == places


@settings(deadline=None)
@given(
    st.lists(st.tuples(midi, st.booleans()), min_size=1, max_size=12),
    st.sampled_from(["", ALTERNATE]),
)
def test_what_a_tablature_shows_is_in_the_staff_or_read_or_told(shown: list[tuple[int, bool]], details: str) -> None:
    """Of every bar the staff has one note; the tablature has the same or another one."""
    attributes = FOUR_FOUR.replace("</attributes>", CLEFS + details + "</attributes>")
    back = "<backup><duration>8</duration></backup>"
    music = [
        note(m, 8, "<staff>1</staff>") + back + note(m if same else m + 1, 8, "<staff>2</staff>") for m, same in shown
    ]
    score = parse_score(document(part(*music, attributes=attributes)), "x.musicxml")
    told = told_bars(score.warnings, "second form")
    for index, (pitch, _same) in enumerate(shown):
        read = sorted(score.notes.pitch_midi[score.notes.measure_index == index].tolist())
        other = shown[index][0] + (0 if shown[index][1] else 1)
        assert float(pitch) in read
        assert other in read or index + 1 in told
        assert read.count(float(pitch)) <= 2
    if all(same for _, same in shown):
        assert len(score.notes) == len(shown) and not score.warnings
