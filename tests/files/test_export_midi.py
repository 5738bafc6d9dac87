"""The exported MIDI file: read by mido, every note, bar and beat lies where the alignment has it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score, score_of, straight

from scoresep.files.midi.alignment import MidiPart, midi_bytes
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.path import unfold
from scoresep.model.score import Instrument, PerformancePath, UnfoldedScore
from scoresep.model.timemap import TimeMap

RATE = 44100
PARTS = (MidiPart("Violin", Instrument("Violin", 40)), MidiPart("Pauken – tief", Instrument("Timpani", 47)))


def performed(unfolded: UnfoldedScore, seconds: list[float], jitter_s: float = 0.02, seed: int = 0) -> Alignment:
    """Align so that quarter i lies at seconds[i], and each note a little before or after its place."""
    rng, notes = np.random.default_rng(seed), unfolded.notes
    frames = np.rint(np.array(seconds) * RATE).astype(np.int64)
    time_map = TimeMap(np.arange(len(seconds)) * 1.0, frames, np.zeros(len(seconds), bool))
    onset = time_map.quarters_to_frames(notes.onset_quarter)
    onset = onset + np.rint(rng.uniform(-jitter_s, jitter_s, len(notes)) * RATE).astype(np.int64)
    offset = time_map.quarters_to_frames(notes.onset_quarter + 0.9 * notes.duration_quarter)
    sure = np.ones(len(notes), np.float32)
    return Alignment(time_map, NoteTimes(onset, np.maximum(offset, onset + 1), sure, onset >= 0))


def read(data: bytes) -> tuple[list[dict[str, Any]], Any]:
    """Return for every track its name and its notes as (onset_s, offset_s, key), and the file; tempi as MIDI has it."""
    file = mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
    tempi, tick = [], 0
    for message in file.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            tempi.append((tick, message.tempo))
    ticks = np.array([t for t, _ in tempi] + [1 << 40])
    us = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * [t for _, t in tempi] / file.ticks_per_beat)])

    def second(at: int) -> float:
        return float(np.interp(at, ticks, us)) / 1e6

    tracks = []
    for track in file.tracks:
        tick, down = 0, {}
        found: dict[str, Any] = {"name": track.name, "notes": [], "markers": [], "metres": []}
        for message in track:
            tick += message.time
            if message.type == "note_on":
                down[message.note] = tick
            elif message.type == "note_off":
                found["notes"].append((second(down.pop(message.note)), second(tick), message.note))
            elif message.type == "marker":
                found["markers"].append((second(tick), message.text))
            elif message.type == "time_signature":
                found["metres"].append((tick / file.ticks_per_beat, message.numerator, message.denominator))
            elif message.type == "program_change":
                found["program"] = message.program
        found["notes"].sort()
        tracks.append(found)
    return tracks, file


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.05, 3.0), min_size=16, max_size=16),
    st.sampled_from([0.0, 0.013, 0.4, 3.0, 70.0]),
    st.integers(0, 99),
)
def test_every_note_sounds_where_it_is_aligned(gaps: list[float], lead: float, seed: int) -> None:
    unfolded = straight(scale_score(4))
    alignment = performed(unfolded, (lead + np.concatenate([[0], np.cumsum(gaps)])).tolist(), seed=seed)
    tracks, _ = read(midi_bytes(unfolded, alignment, PARTS, RATE))
    times, part_index = alignment.note_times, unfolded.notes.part_index
    for part in (0, 1):
        rows = np.flatnonzero((part_index == part) & times.is_present)
        rows = rows[np.argsort(times.onset_frame[rows], kind="stable")]
        onset, offset, _ = np.array(tracks[part + 1]["notes"]).T
        np.testing.assert_allclose(onset, times.onset_frame[rows] / RATE, atol=0.001)
        np.testing.assert_allclose(offset, times.offset_frame[rows] / RATE, atol=0.0012)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 3.0), min_size=16, max_size=16), st.sampled_from([0.0, 0.4, 70.0]))
def test_bars_and_beats_lie_on_the_grid_and_where_they_sound(gaps: list[float], lead: float) -> None:
    unfolded = straight(scale_score(4))
    seconds = lead + np.concatenate([[0], np.cumsum(gaps)])
    tracks, _ = read(midi_bytes(unfolded, performed(unfolded, seconds.tolist()), PARTS, RATE, "A piece"))
    assert tracks[0]["name"] == "A piece" and [m[1] for m in tracks[0]["markers"]] == ["1", "2", "3", "4"]
    np.testing.assert_allclose([m[0] for m in tracks[0]["markers"]], seconds[[0, 4, 8, 12]], atol=5e-4)
    metres = tracks[0]["metres"]
    assert metres[-1][1:] == (4, 4) and metres[-1][0] in ((0,) if lead == 0 else (0, 1, 2, 3))
    assert metres[0][1] == (metres[-1][0] or 4), "before the score an incomplete bar, then full ones only"


def test_tracks_have_names_and_programs_and_parts_of_their_own_channels() -> None:
    names = [f"Part {i}" for i in range(20)]
    score = scale_score(1, names)
    unfolded = straight(score)
    parts = tuple(MidiPart(n, Instrument("", i % 128)) for i, n in enumerate(names))
    tracks, file = read(midi_bytes(unfolded, even_alignment(unfolded), parts, RATE))
    assert [t["name"] for t in tracks[1:]] == names and [t["program"] for t in tracks[1:]] == list(range(20))
    used = {m.channel for track in file.tracks for m in track if m.type == "note_on"}
    assert 9 not in used and len(used) == 15
    ports = [m.port for track in file.tracks for m in track if m.type == "midi_port"]
    assert ports == [1] * 5, "beyond fifteen parts another port"


def test_repeated_bars_pick_ups_and_drums() -> None:
    rows = [(0, 0, 0.0, 1.0, 60.0), (0, 1, 0.0, 4.0, 62.0), (1, 1, 0.0, 1.0, float("nan"))]
    score = score_of(rows, 2)
    measures = (replace(score.measures[0], number="0", duration_quarter=1.0, lead_quarter=3.0), score.measures[1])
    score = replace(score, measures=measures)
    unfolded = unfold(score, PerformancePath((0, 1, 1)))
    parts = (PARTS[0], MidiPart("Drum", Instrument("Drums", None, True)))
    tracks, file = read(midi_bytes(unfolded, even_alignment(unfolded, RATE // 2, 0), parts, RATE))
    assert tracks[0]["metres"] == [(0.0, 1, 4), (1.0, 4, 4)]
    assert tracks[0]["markers"] == [(pytest.approx(s, abs=1e-4), t) for s, t in ((0, "0"), (0.5, "2"), (2.5, "2 (2)"))]
    assert [n[2] for n in tracks[2]["notes"]] == [38, 38] and "program" not in tracks[2]
    assert {m.channel for m in file.tracks[2] if m.type == "note_on"} == {9}


def test_a_very_long_silence_puts_in_whole_bars() -> None:
    unfolded = straight(scale_score(2))
    seconds = [0.5 * i for i in range(5)] + [200.0 + 0.5 * i for i in range(4)]
    tracks, _ = read(midi_bytes(unfolded, performed(unfolded, seconds, 0.0), PARTS, RATE))
    assert tracks[1]["notes"][4][0] == pytest.approx(2.0, abs=0.001)
    assert tracks[1]["notes"][5][0] == pytest.approx(200.0, abs=0.001)
    assert len(tracks[0]["metres"]) == 1


def test_a_key_struck_again_while_down_is_let_go_first() -> None:
    score = score_of([(0, 0, 0.0, 2.0, 60.0), (0, 0, 2.0, 2.0, 60.0)], 1, ("Violin",))
    unfolded = straight(score)
    alignment = even_alignment(unfolded, RATE, 0)
    late = alignment.note_times.offset_frame + np.array([RATE // 10, 0])
    alignment = replace(alignment, note_times=replace(alignment.note_times, offset_frame=late))
    tracks, _ = read(midi_bytes(unfolded, alignment, PARTS[:1], RATE))
    assert [tuple(np.round(n[:2], 3)) for n in tracks[1]["notes"]] == [(0.0, 2.0), (2.0, 4.0)]


def test_a_score_that_begins_before_the_recording() -> None:
    unfolded = straight(scale_score(4))
    alignment = even_alignment(unfolded, RATE // 2, -RATE)  # two quarters are missing
    times = alignment.note_times
    alignment = replace(alignment, note_times=replace(times, is_present=times.onset_frame >= 0))
    tracks, _ = read(midi_bytes(unfolded, alignment, PARTS, RATE))
    assert [n[0] for n in tracks[1]["notes"]] == pytest.approx([0.5 * i for i in range(14)], abs=0.001)
    assert tracks[0]["metres"] == [(0.0, 2, 4), (2.0, 4, 4)]


def test_a_unison_within_a_part_is_struck_twice_and_held_to_its_last_end() -> None:
    from scoresep.files.midi.alignment import read_performance

    score = score_of([(0, 0, 0.0, 1.0, 60.0), (0, 0, 0.0, 4.0, 60.0)], 1, ("Violin",))
    unfolded = straight(score)
    alignment = even_alignment(unfolded, RATE, 0)
    onset = alignment.note_times.onset_frame + np.array([0, RATE // 100])
    alignment = replace(alignment, note_times=replace(alignment.note_times, onset_frame=onset))
    performed = read_performance("unison.mid", midi_bytes(unfolded, alignment, PARTS[:1], RATE))
    assert performed.onset_s == pytest.approx([0.0, 0.01], abs=0.001)
    assert sorted(performed.offset_s) == pytest.approx([1.0, 4.0], abs=0.001)
    assert performed.voice_names == ("Violin",) and performed.quarter[0] == 0
