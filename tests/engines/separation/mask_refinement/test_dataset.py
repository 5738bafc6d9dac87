"""What is learned from: what sounds alone is taken as it is, and mixtures keep the score."""

from __future__ import annotations

import numpy as np

from scoresep.engines.separation.base import SeparationOptions
from scoresep.engines.separation.mask_refinement.dataset import (
    Remixer,
    collect_excerpts,
    sounding_alone,
    stretch_bounds,
)
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress
from tests.separation_audio import QUICK, RATE, duet, notes_of, played


def test_alone_is_where_no_other_part_may_ring() -> None:
    notes = notes_of([(0, 60.0, 0.0, 4.0), (1, 67.0, 1.0, 2.0)], 2)
    alone = sounding_alone(notes, 0, 4 * RATE, RATE)
    at_s = (np.arange(alone.shape[1]) + 0.5) * 0.01
    assert alone[0, (at_s < 0.9) | (at_s > 2.45)].all()
    assert not alone[:, (at_s > 1.0) & (at_s < 2.35)].any()
    assert not alone[1].any()


def test_stretches_of_a_long_recording_are_spread_over_it() -> None:
    bounds = stretch_bounds(3600 * 100, 100, 12.0, 120.0)
    assert len(bounds) == 10
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 3600 * 100
    assert stretch_bounds(50, 100, 12.0, 120.0) == [(0, 50)]


def test_what_sounds_alone_is_the_recording_itself() -> None:
    notes = notes_of([(0, 60.0, 0.0, 3.0), (1, 67.0, 3.0, 4.0), (0, 64.0, 3.0, 4.0)], 2)
    stems = played(notes, 4 * RATE, [[1.0, 0.5], [1.0, 0.3]])
    source = ArraySource(stems.sum(0, keepdims=True), RATE)
    teacher = NmfSeparator(QUICK).fit(source, notes, SeparationOptions("cpu"), Progress())
    (stretch,) = collect_excerpts(source, notes, teacher, 12.0, 120.0, Progress())
    here = slice(int(0.5 * RATE), int(2.5 * RATE))
    assert np.allclose(stretch.stems[0, here], stems[0, here], atol=1e-6)
    assert np.allclose(stretch.stems[1, here], 0.0, atol=1e-6)
    assert np.allclose(stretch.stems.sum(0) + stretch.rest, source.read(0, 4 * RATE)[0], atol=1e-5)


def test_scenes_sound_where_the_score_says() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0, keepdims=True), RATE)
    teacher = NmfSeparator(QUICK).fit(source, notes, SeparationOptions("cpu"), Progress())
    remixer = Remixer(collect_excerpts(source, notes, teacher, 12.0, 120.0, Progress()), notes, RATE)
    scene = remixer.scene(np.random.default_rng(3))
    again = remixer.scene(np.random.default_rng(3))
    assert np.array_equal(scene.stems, again.stems)
    assert scene.stems.shape == stems.shape
    for stem, a, b, midi in zip(notes.stem_index, notes.onset_frame, notes.offset_frame, notes.pitch_midi, strict=True):
        sound = scene.stems[stem, a:b] * np.hanning(b - a)
        peak = np.fft.rfftfreq(8 * len(sound), 1 / RATE)[np.abs(np.fft.rfft(sound, 8 * len(sound))).argmax()]
        partials = 440.0 * 2 ** ((midi - 69) / 12) * np.arange(1, 6)
        assert np.abs(1200 * np.log2(peak / partials)).min() < 60
    before_all = scene.stems[:, : int(0.2 * RATE)]
    assert np.abs(before_all).max() < 1e-6
