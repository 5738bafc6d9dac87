"""The built-in demo piece: its score, its recording, and that they cannot drift apart."""

from __future__ import annotations

import itertools
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parent.parent
SCORE = ROOT / "resources" / "demo" / "demo.musicxml"
RECORDING = ROOT / "resources" / "demo" / "demo.ogg"

sys.path.insert(0, str(ROOT / "packaging"))
try:
    import demo_musicxml
    import demo_performance
    import demo_piece
    import make_demo
finally:
    sys.path.remove(str(ROOT / "packaging"))


def sounding_at(part_index: int, quarter: float) -> int | None:
    """MIDI pitch of a part at a place in the performance, None in a rest."""
    for note in demo_piece.played_notes():
        if note.part_index == part_index and note.onset_quarter <= quarter < note.end_quarter:
            return note.midi
    return None


def test_score_in_resources_is_what_the_script_writes() -> None:
    written = SCORE.read_bytes().replace(b"\r\n", b"\n")  # a checkout on Windows may have changed the line ends
    assert written == demo_musicxml.score_xml()


def test_script_makes_the_files_that_are_tested() -> None:
    assert make_demo.DEMO_FOLDER / make_demo.SCORE_NAME == SCORE
    assert make_demo.DEMO_FOLDER / make_demo.RECORDING_NAME == RECORDING


def test_score_shows_what_a_score_can_hold() -> None:
    root = ET.parse(SCORE).getroot()
    assert root.get("version") == "4.0"
    assert "CC0" in root.findtext("identification/rights")
    assert len(root.findall("part")) == len(root.findall("part-list/score-part/part-abbreviation")) == 4
    for part in root.findall("part"):
        first = part.find("measure")
        assert (first.get("number"), first.get("implicit")) == ("0", "yes")
        assert [r.get("direction") for r in part.iter("repeat")] == ["forward", "backward"]
        endings = [(e.get("number"), e.get("type")) for e in part.iter("ending")]
        assert endings == [("1", "start"), ("1", "stop"), ("2", "start"), ("2", "discontinue")]
    assert [t.findtext("chromatic") for t in root.iter("transpose")] == ["-2", "-7"]


def test_music21_reads_the_notes_that_were_played() -> None:
    music21 = pytest.importorskip("music21")
    score = music21.converter.parse(SCORE, forceSource=True)
    assert [part.partName for part in score.parts] == [part.name for part in demo_piece.PARTS]
    unfolded = score.expandRepeats().toSoundingPitch().stripTies()
    read = sorted(
        (index, note.pitch.midi, float(note.offset), float(note.offset + note.quarterLength))
        for index, part in enumerate(unfolded.parts)
        for note in part.flatten().notes
    )
    played = demo_piece.played_notes()
    assert read == sorted((n.part_index, n.midi, n.onset_quarter, n.end_quarter) for n in played)
    assert unfolded.highestTime == max(n.end_quarter for n in played)


def test_voices_never_move_in_parallel_fifths_or_octaves() -> None:
    onsets = sorted({note.onset_quarter for note in demo_piece.played_notes()})
    beats = [onset for onset in onsets if onset == int(onset)]
    lines = {q: [sounding_at(part, q) for part in range(4)] for q in onsets}
    for grid in (onsets, beats):
        for before, after in itertools.pairwise(grid):
            for one, other in itertools.combinations(range(4), 2):
                a, b, c, d = (lines[q][part] for part in (one, other) for q in (before, after))
                if None in (a, b, c, d) or a == b or c == d:
                    continue
                same_interval = (a - c) % 12 == (b - d) % 12
                assert not (same_interval and (a - c) % 12 in (0, 7)), f"quarter {before}, parts {one} and {other}"


def test_every_part_plays_alone_somewhere_and_all_rest_once() -> None:
    beats = range(109)
    sets = {tuple(p for p in range(4) if sounding_at(p, beat) is not None) for beat in beats}
    assert {(0,), (1,), (2,), (3,), (0, 1, 2, 3), ()} <= sets
    assert {len(parts) for parts in sets} == {0, 1, 2, 3, 4}


def test_performance_keeps_the_order_of_the_score_and_ends_as_the_recording_does() -> None:
    notes = demo_performance.perform(make_demo.SEED)
    assert notes == demo_performance.perform(make_demo.SEED)
    for index in range(4):
        own = [note for note in notes if note.part_index == index]
        assert all(a.onset_s < b.onset_s for a, b in itertools.pairwise(own))
        assert all(a.end_s < b.onset_s for a, b in itertools.pairwise(own) if a.midi == b.midi)
        assert all(note.end_s > note.onset_s for note in own)
    info = soundfile.info(RECORDING)
    assert info.duration == pytest.approx(max(n.end_s for n in notes) + make_demo.TAIL_S, abs=0.001)


def test_recording_is_short_small_and_not_clipped() -> None:
    samples, rate_hz = soundfile.read(RECORDING, always_2d=True)
    assert RECORDING.stat().st_size < 3_000_000
    assert (rate_hz, samples.shape[1]) == (44100, 2)
    assert 40 <= len(samples) / rate_hz <= 70
    assert 0.7 <= np.abs(samples).max() <= 0.9
    assert np.abs(samples[: int(0.9 * rate_hz)]).max() < 1e-3
    assert np.abs(samples[-rate_hz // 10 :]).max() < 1e-3


def test_silence_of_the_recording_is_where_the_performance_has_it() -> None:
    samples, rate_hz = soundfile.read(RECORDING, always_2d=True)
    notes = demo_performance.perform(make_demo.SEED)
    pause_s = max(n.end_s for n in notes if n.onset_quarter < 72), min(n.onset_s for n in notes if n.onset_quarter > 72)
    assert 1.0 < pause_s[1] - pause_s[0] < 3.0
    still = samples[int((pause_s[0] + 0.8) * rate_hz) : int((pause_s[1] - 0.05) * rate_hz)]
    assert np.abs(still).max() < 0.02
