"""The laws of the engine: stretches meet, nothing is lost, what was learned is taken again, edits stay local."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scoresep.engines.separation.base import SeparationOptions
from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.source_filter.separator import FittedSourceFilter, SourceFilterSeparator
from scoresep.errors import Cancelled, UsageError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress
from tests.separation_audio import RATE, duet, notes_of

QUICK = SourceFilterSettings(track_rounds=1, partials=20, learn_rounds=12, solve_rounds=8)
CPU = SeparationOptions(device="cpu")


def learned(samples: NDArray[np.float32], notes: SoundingNotes, rate: int = RATE) -> FittedSourceFilter:
    return SourceFilterSeparator(QUICK).fit(ArraySource(samples, rate), notes, CPU, Progress())


def si_sdr_db(estimate: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    e, t = estimate.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    scaled = (e @ t) / (t @ t) * t
    return float(10 * np.log10((scaled @ scaled) / ((e - scaled) @ (e - scaled))))


def test_two_melodies_come_apart() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    found = learned(mixture, notes).separate(ArraySource(mixture, RATE), notes, 0, stems.shape[1], Progress())
    assert found.shape == (2, 1, stems.shape[1])
    assert found.dtype == np.float32
    for mine, truth in zip(found, stems, strict=True):
        assert si_sdr_db(mine, truth) > 9.0


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_stretches_meet_without_a_seam(channels: int) -> None:
    notes, stems = duet()
    pan = np.linspace(0.2, 1.0, channels)
    mixture = np.stack([p * stems[0] + (1.2 - p) * stems[1] for p in pan]).astype(np.float32)
    engine, source = learned(mixture, notes), ArraySource(mixture, RATE)
    whole = engine.separate(source, notes, 5000, 70000, Progress())
    pieces = [
        engine.separate(source, notes, a, b, Progress()) for a, b in ((5000, 5001), (5001, 33333), (33333, 70000))
    ]
    assert np.abs(np.concatenate(pieces, 2) - whole).max() < 1e-5


def test_what_was_learned_is_taken_again() -> None:
    notes, stems = duet()
    mixture = np.stack([stems[0] + 0.3 * stems[1], stems[1]]).astype(np.float32)
    source = ArraySource(mixture, RATE)
    kept: list[dict] = []
    separator = SourceFilterSeparator(QUICK)
    first = separator.fit(source, notes, CPU, Progress(), on_checkpoint=lambda arrays: kept.append(dict(arrays)))

    def never() -> bool:
        raise AssertionError("learned a second time")

    again = separator.fit(source, notes, CPU, Progress(is_cancelled=never), checkpoint=kept[-1])
    stems_of = [engine.separate(source, notes, 0, 20000, Progress()) for engine in (first, again)]
    assert np.array_equal(*stems_of)
    assert all(isinstance(array, np.ndarray) for array in first.to_arrays().values())


def test_what_does_not_fit_or_is_damaged_is_ignored() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0, keepdims=True), RATE)
    arrays = learned(stems.sum(0, keepdims=True), notes).to_arrays()
    damaged = {name: array for name, array in arrays.items() if name != "cents"}
    for checkpoint in (
        damaged,
        {**arrays, "partials": arrays["partials"][:-1]},
        {**arrays, "holds_for": np.array("other")},
    ):
        engine = SourceFilterSeparator(QUICK).fit(source, notes, CPU, Progress(), checkpoint=checkpoint)
        assert np.array_equal(engine.to_arrays()["partials"], arrays["partials"])


def test_a_moved_note_changes_only_what_is_near_to_it() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    engine, source = learned(mixture, notes), ArraySource(mixture, RATE)
    onset, offset = notes.onset_frame.copy(), notes.offset_frame.copy()
    onset[9] += 800
    offset[9] += 800
    edited = replace(notes, onset_frame=onset, offset_frame=offset)
    before, after = (engine.separate(source, n, 0, source.frames, Progress()) for n in (notes, edited))
    changed = np.flatnonzero(np.abs(before - after).max((0, 1)) > 1e-6)
    assert len(changed)
    assert changed.min() > onset[9] - 0.5 * RATE
    assert changed.max() < offset[9] + 0.8 * RATE


def test_a_new_note_of_a_part_sounds_like_the_part() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    checkpoint = np.arange(len(notes)) != 4
    fewer = SoundingNotes(
        *(
            getattr(notes, n)[checkpoint]
            for n in ("stem_index", "pitch_midi", "onset_frame", "offset_frame", "confidence")
        ),
        notes.stem_count,
        notes.programs,
    )
    source = ArraySource(mixture, RATE)
    found = learned(mixture, fewer).separate(source, notes, 0, source.frames, Progress())
    note = slice(int(notes.onset_frame[4]), int(notes.offset_frame[4]))
    assert si_sdr_db(found[0, 0, note], stems[0, note]) > 8.0


def test_where_no_note_is_near_stems_are_silent() -> None:
    notes = notes_of([(0, 60.0, 0.2, 0.6)], 2)
    samples = 0.1 * np.random.default_rng(0).normal(size=(1, 2 * RATE)).astype(np.float32)
    found = learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, 2 * RATE, Progress())
    assert np.abs(found[1]).max() == 0.0
    assert np.abs(found[0, 0, int(1.4 * RATE) :]).max() == 0.0


@pytest.mark.parametrize("rate", [8000, 96000])
@pytest.mark.parametrize("seconds", [0.1, 0.7])
def test_short_recordings_at_any_rate(rate: int, seconds: float) -> None:
    frames = int(rate * seconds)
    samples = np.sin(2 * np.pi * 440 * np.arange(frames) / rate).astype(np.float32)[None]
    notes = notes_of([(0, 69.0, 0.0, seconds), (0, 73.0, 0.0, seconds), (1, np.nan, 0.02, seconds)], 3, rate)
    found = learned(samples, notes, rate).separate(ArraySource(samples, rate), notes, 0, frames, Progress())
    assert found.shape == (3, 1, frames)
    assert np.isfinite(found).all()
    assert (found[0] ** 2).sum() > 0.5 * (samples**2).sum()


@pytest.mark.parametrize("rows", [[], [(0, np.nan, 0.1, 0.9)], [(0, 60.0, 0.1, 0.9), (1, 60.0, 0.1, 0.9)]])
def test_no_notes_drums_alone_and_unison(rows: list[tuple[int, float, float, float]]) -> None:
    samples = 0.1 * np.random.default_rng(1).normal(size=(2, RATE)).astype(np.float32)
    notes = notes_of(rows, 2)
    found = learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, RATE, Progress())
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 4 * np.abs(samples).max()


def test_silence_stays_silence() -> None:
    samples = np.zeros((1, RATE), np.float32)
    notes = notes_of([(0, 60.0, 0.1, 0.9)], 1)
    assert not learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, RATE, Progress()).any()


def test_cancelling_is_heard() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    calls = iter(range(10**6))
    with pytest.raises(Cancelled):
        SourceFilterSeparator(QUICK).fit(
            ArraySource(mixture, RATE), notes, CPU, Progress(is_cancelled=lambda: next(calls) > 5)
        )
    engine = learned(mixture, notes)
    with pytest.raises(Cancelled):
        engine.separate(ArraySource(mixture, RATE), notes, 0, 60000, Progress(is_cancelled=lambda: True))


def test_a_budget_that_is_not_there_is_refused() -> None:
    samples = np.zeros((1, RATE), np.float32)
    with pytest.raises(UsageError):
        SourceFilterSeparator().fit(
            ArraySource(samples, RATE), notes_of([], 1), SeparationOptions(device="cpu", budget="huge"), Progress()
        )
