"""ABC that is made up: tunes of several voices against a model of their own, and texts that are hardly ABC."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.errors import ScoreFileError
from scoresep.files.scores.abc_tunes import read_parts_order
from scoresep.files.scores.reader import parse_score
from scoresep.model.path import performance_path, unfold

NATURAL = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
SIGNS = {"": None, "^": 1, "_": -1, "=": 0, "^^": 2, "__": -2, "^/": 0.5}
KEYS: dict[str, dict[str, int]] = {
    "C": {}, "G": {"F": 1}, "Dm": {"B": -1}, "A": {"F": 1, "C": 1, "G": 1}, "Cmix": {"B": -1},
    "Eb": {"B": -1, "E": -1, "A": -1},
}  # fmt: skip
LENGTHS = {"": 1.0, "2": 2.0, "/": 0.5, "3/2": 1.5, "/4": 0.25}

pitches = st.tuples(st.sampled_from(list(SIGNS)), st.sampled_from("CDEFGAB"), st.integers(3, 6))
events = st.tuples(st.lists(pitches, max_size=3, unique_by=lambda p: p[1:]), st.sampled_from(list(LENGTHS)))
bars = st.lists(events, min_size=1, max_size=5)


@dataclass(frozen=True)
class Section:
    """Some bars, how often they are played, and whether each time ends in a bar of its own."""

    passes: int
    has_endings: bool


@st.composite
def tunes(draw: st.DrawFn) -> tuple[list[Section], list[list[list[list[object]]]], list[str], list[int]]:
    """Sections; bars by voice and section; key and octave of each voice."""
    sections = [
        Section(draw(st.sampled_from([1, 2, 2, 3])), draw(st.booleans())) for _ in range(draw(st.integers(1, 3)))
    ]
    voices = draw(st.integers(1, 3))
    music = []
    for _ in range(voices):
        counts = [1 + (s.passes if s.has_endings and s.passes > 1 else 0) for s in sections]
        music.append([[draw(bars) for _ in range(n)] for n in counts])
    keys = [draw(st.sampled_from(list(KEYS))) for _ in range(voices)]
    return sections, music, keys, [draw(st.integers(-1, 1)) for _ in range(voices)]


def spelled(bar: list, padding: float) -> str:  # type: ignore[type-arg]
    words = []
    for chord, length in bar:
        notes = [sign + (letter + "," * (4 - octave) if octave < 5 else letter.lower() + "'" * (octave - 5))
                 for sign, letter, octave in chord]  # fmt: skip
        words.append((f"[{''.join(notes)}]" if len(notes) > 1 else notes[0] if notes else "z") + length)
    return " ".join([*words, *[f"z{int(padding * 4)}/4"] * (padding > 0)])


def sounding(bar: list, key: str, octaves: int) -> list[tuple[float, float, float]]:  # type: ignore[type-arg]
    """Onset in the bar, pitch and length of its notes: an accidental holds in all octaves to the end of the bar."""
    held: dict[str, float] = {}
    onset, found = 0.0, []
    for chord, length in bar:
        for sign, letter, octave in chord:
            shift = SIGNS[sign]
            if shift is None:
                shift = held.get(letter, KEYS[key].get(letter, 0))
            held[letter] = shift
            found.append((onset, NATURAL[letter] + 12 * (octave - 4 + octaves) + shift, LENGTHS[length]))
        onset += LENGTHS[length]
    return found


def bar_length(bar: list) -> float:  # type: ignore[type-arg]
    return sum(LENGTHS[length] for _, length in bar)


@settings(max_examples=150)
@given(tunes(), st.booleans())
def test_a_tune_is_read_as_the_model_plays_it(tune, is_inline) -> None:  # type: ignore[no-untyped-def]
    sections, music, keys, octaves = tune
    lines, expected = [], []
    for v, voice in enumerate(music):
        words = [f"[V:{v + 1}]" if is_inline else f"V:{v + 1}\n", f"[K:{keys[v]} octave={octaves[v]}]"]
        moment = 0.0
        for s, section in enumerate(sections):
            lengths = [max(bar_length(other[s][b]) for other in music) for b in range(len(voice[s]))]
            texts = [spelled(bar, lengths[b] - bar_length(bar)) for b, bar in enumerate(voice[s])]
            colons = ":" * (section.passes - 1)
            opening = f"|{colons}" if colons else "||"
            if len(texts) == 1:
                words += [opening, texts[0], f"{colons}|" if colons else "||"]
            else:
                words += [opening, texts[0], "|"]
                words += [f"[{i} {t} {'||' if i == section.passes else ':|'}" for i, t in enumerate(texts[1:], 1)]
            for played in range(section.passes):
                for b in [0] if len(texts) == 1 else [0, played + 1]:
                    expected += [(v, moment + at, p, n) for at, p, n in sounding(voice[s][b], keys[v], octaves[v])]
                    moment += lengths[b]
        lines.append(" ".join(words))
    if not expected:
        return
    score = parse_score(("X:1\nM:none\nL:1/4\nK:C\n" + "\n".join(lines) + "\n").encode(), "x.abc")
    notes = unfold(score, performance_path(score)[0]).notes
    part = {v: i for i, v in enumerate(range(len(music)))}
    got = zip(notes.part_index, notes.onset_quarter, notes.pitch_midi, notes.duration_quarter, strict=True)
    assert sorted((int(a), round(float(b), 6), float(c), float(d)) for a, b, c, d in got) == sorted(
        (part[v], round(at, 6), float(pitch), length) for v, at, pitch, length in expected
    )
    assert not score.warnings


def repeated(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """A group in brackets with a number behind it: as written and as played."""
    groups = st.tuples(st.lists(inner, min_size=1, max_size=3), st.integers(1, 4))
    return groups.map(lambda g: (f"({'.'.join(t for t, _ in g[0])}){g[1]}", "".join(o for _, o in g[0]) * g[1]))


@given(st.recursive(st.sampled_from("ABC").map(lambda c: (c, c)), repeated, max_leaves=6))
def test_orders_of_parts_unfold(order: tuple[str, str]) -> None:
    assert "".join(read_parts_order(order[0]) or []) == order[1]


SYMBOLS = [
    *"ABcdz|:[]()&{}<>-^_=/23 \n'\",!+~SOyXZ.§", "|:", ":|", "[1", "[2", "(&", "&)", "[V:2]", "\nP:A\n", "[K:", "K:D\n",
    "Z4", "(3", "\nM:3/8\n", "!fine!", "!D.C.!", "&&", "%%MIDI ", "\n\n", "X:2\n",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(SYMBOLS), max_size=40), st.sampled_from(["", "P:AAB\n", "M:none\n", "%%score {1 2}\n"]))
def test_any_text_is_a_score_or_refused_in_a_sentence(symbols: list[str], head: str) -> None:
    text = f"X:1\nT:t\n{head}L:1/4\nK:C\n{''.join(symbols)}"
    try:
        score = parse_score(text.encode(), "x.abc")
    except ScoreFileError as error:
        assert str(error).endswith(".")
        return
    path, _ = performance_path(score)
    assert (unfold(score, path).notes.duration_quarter >= 0).all()
    assert all(w.endswith(".") for w in score.warnings)


@pytest.mark.parametrize("times", [1, 300])
def test_long_tunes_take_no_more_than_their_share(times: int) -> None:
    """As many notes as there are in the text, whatever their number."""
    text = "X:1\nM:4/4\nL:1/8\nK:G\n" + "|:GABc dedB|[CE]>[DF] (3ABc {g}z2 ^f2-|f2 F6:|\n" * times
    score = parse_score(text.encode(), "x.abc")
    assert len(score.notes) == 19 * times and len(score.measures) == 3 * times
