"""Tuning and key of a recording whose notes' times are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from separation_audio import RATE, notes_of, played
from small_scores import scale_score

from scoresep.engines.alignment.align import sounding_pitch
from scoresep.model.alignment import NoteTimes
from scoresep.model.audio import ArraySource
from scoresep.model.path import performance_path, unfold


@pytest.mark.parametrize(("semitones", "cents"), [(0, 0.0), (2, 0.0), (-5, 30.0), (0, -40.0), (6, 10.0)])
def test_key_and_tuning_are_heard(semitones: int, cents: float) -> None:
    score = scale_score(4)
    notes = unfold(score, performance_path(score)[0]).notes
    onset_s = 0.2 + 0.3 * notes.onset_quarter
    rows = [
        (0, pitch + semitones + cents / 100, start, start + 0.28)
        for pitch, start in zip(notes.pitch_midi.tolist(), onset_s.tolist(), strict=True)
    ]
    sounding = notes_of(rows, 1)
    samples = played(sounding, int((onset_s.max() + 1.0) * RATE), [[1.0, 0.6, 0.4, 0.2]])
    count = len(notes.pitch_midi)
    times = NoteTimes(sounding.onset_frame, sounding.offset_frame, np.ones(count, np.float32), np.ones(count, np.bool_))
    found_cents, found_semitones = sounding_pitch(ArraySource(samples, RATE), notes, times)
    assert found_semitones == semitones
    assert abs(found_cents - cents) < 6.0
    silent = replace(times, is_present=np.zeros(count, np.bool_))
    assert sounding_pitch(ArraySource(samples, RATE), notes, silent)[1] == 0


def test_silence_is_taken_as_written() -> None:
    score = scale_score(1)
    path_notes = unfold(score, performance_path(score)[0]).notes
    count = len(path_notes.pitch_midi)
    frames = np.arange(count) * 4000
    times = NoteTimes(frames, frames + 3000, np.ones(count, np.float32), np.ones(count, np.bool_))
    assert sounding_pitch(ArraySource(np.zeros((1, 30_000), np.float32), RATE), path_notes, times)[1] == 0
