"""Clicks and the synthesised score lie where the alignment says, whatever blocks they are read in."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score, straight

from scoresep.model.audio import ArraySource
from scoresep.playback.audition import (
    BAR_CLICK_HZ,
    CLICK_HZ,
    AuditionMix,
    AuditionMode,
    make_audition_mix,
    synthesize_clicks,
    synthesize_score,
)

RATE = 8000
PIECE = straight(scale_score(2))
ALIGNMENT = even_alignment(PIECE, 4000, 1000)
FRAMES = 1000 + 8 * 4000 + 2000
SOUND = ArraySource(np.random.default_rng(0).normal(0, 0.1, (2, FRAMES)).astype(np.float32), RATE)


def mix(check: AuditionMode, share: float = 0.0) -> AuditionMix:
    return make_audition_mix(SOUND, PIECE, ALIGNMENT, check, share, 1.0)


@given(st.lists(st.integers(0, FRAMES), max_size=8), st.sampled_from([AuditionMode.CLICKS, AuditionMode.SCORE]))
def test_blocks_make_no_difference(cuts: list[int], check: AuditionMode) -> None:
    material = mix(check)
    whole = material.render(-500, FRAMES + 500)[0]
    edges = [-500, *sorted(cuts), FRAMES + 500]
    parts = [material.render(a, b)[0] for a, b in pairwise(edges)]
    assert np.allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    assert not whole[:, :500].any() and not whole[:, -500:].any()


def test_the_recording_is_left_and_the_score_right() -> None:
    total, levels = mix(AuditionMode.SCORE).render(0, FRAMES)
    assert np.allclose(total[0], SOUND.read(0, FRAMES).mean(axis=0), atol=1e-6)
    assert total[1, 1000:5000].any() and not total[1, :1000].any() and np.abs(total).max() <= 1.0
    assert levels.peak[-1] == pytest.approx(np.abs(total).max(axis=1))


def test_every_note_sounds_at_its_pitch_from_its_onset_on() -> None:
    alone = replace(ALIGNMENT, tuning_cents=30.0, transposition_semitones=2)
    tones = synthesize_score(PIECE, alone, RATE)
    assert tones.start_frame.tolist() == ALIGNMENT.note_times.onset_frame.tolist()
    for place in (0, 7, 14):
        start = int(tones.start_frame[place])
        spectrum = np.abs(np.fft.rfft(tones.render(start, start + 4000) * np.hanning(4000)))
        here = round(float(tones.frequency_hz[place]) / RATE * 4000)
        assert spectrum[here - 2 : here + 3].max() > 0.3 * spectrum.max()
    expected = 440 * 2 ** ((PIECE.notes.pitch_midi + 2.3 - 69) / 12)
    assert sorted(tones.frequency_hz.tolist()) == pytest.approx(sorted(expected.tolist()))


def test_absent_notes_are_silent_and_unpitched_ones_knock() -> None:
    notes = replace(PIECE.notes, pitch_midi=np.full(len(PIECE.notes), np.nan))
    present = np.arange(len(notes)) == 4
    alignment = replace(ALIGNMENT, note_times=replace(ALIGNMENT.note_times, is_present=present))
    tones = synthesize_score(replace(PIECE, notes=notes), alignment, RATE)
    heard = tones.render(0, FRAMES)
    onset = int(ALIGNMENT.note_times.onset_frame[4])
    assert len(tones.start_frame) == 1 and not heard[:onset].any() and heard[onset : onset + 400].any()


def test_clicks_mark_every_onset_once_and_bars_higher() -> None:
    clicks = synthesize_clicks(PIECE, ALIGNMENT, RATE)
    assert clicks.start_frame.tolist() == [1000 + 4000 * beat for beat in range(8)]
    assert [f == BAR_CLICK_HZ for f in clicks.frequency_hz] == [True, False, False, False] * 2
    assert CLICK_HZ in clicks.frequency_hz


def test_the_balance_goes_from_the_recording_alone_to_the_score_alone() -> None:
    recording, _ = mix(AuditionMode.SCORE, -1.0).render(0, FRAMES)
    score, _ = mix(AuditionMode.SCORE, 1.0).render(0, FRAMES)
    both, _ = mix(AuditionMode.SCORE).render(0, FRAMES)
    assert not recording[1].any() and not score[0].any()
    assert np.allclose(recording + score, both, atol=1e-6)
    clicks, _ = mix(AuditionMode.CLICKS, 1.0).render(0, FRAMES)
    assert np.array_equal(clicks[0], clicks[1])


def test_a_full_orchestra_is_rendered_faster_than_it_sounds() -> None:
    from time import process_time

    piece = straight(scale_score(4, [f"P{i}" for i in range(40)]))
    tones = synthesize_score(piece, even_alignment(piece, 22050, 0), 44100)
    began = process_time()
    for start in range(0, 88_200, 2048):
        tones.render(start, start + 2048)
    assert process_time() - began < 2.0
