"""The laws of the engine: voices come apart, stretches meet, learning goes on, edits stay local."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scoresep.engines.separation.base import SeparationOptions
from scoresep.engines.separation.neural_source_filter import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.separator import (
    FittedNeuralSourceFilter,
    NeuralSourceFilterSeparator,
)
from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.errors import Cancelled, UsageError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress
from tests.separation_audio import RATE, duet, notes_of

QUICK = NeuralSourceFilterSettings(
    SourceFilterSettings(track_rounds=1, partials=20),
    least_steps=12,
    most_steps=12,
    width=24,
    code=12,
    bands=32,
    settle_rounds=4,
)
CPU = SeparationOptions(device="cpu")


def learned(
    samples: NDArray[np.float32],
    notes: SoundingNotes,
    rate: int = RATE,
    settings: NeuralSourceFilterSettings = QUICK,
    **more: Any,
) -> FittedNeuralSourceFilter:
    return NeuralSourceFilterSeparator(settings).fit(ArraySource(samples, rate), notes, CPU, Progress(), **more)


def si_sdr_db(estimate: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    e, t = estimate.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    scaled = (e @ t) / (t @ t) * t
    return float(10 * np.log10((scaled @ scaled) / ((e - scaled) @ (e - scaled))))


def sung(midi: float, seconds: float, formants_hz: tuple[float, ...]) -> NDArray[np.float64]:
    """Sing a vowel with vibrato: partials of a glottal source, as loud as resonances make them."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    f0_hz = 440.0 * 2 ** ((midi - 69 + 0.3 * np.sin(2 * np.pi * 5.5 * time_s)) / 12)
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    tone = np.zeros(len(time_s))
    for k in range(1, int(7000 / f0_hz.max()) + 1):
        gain = sum(1.0 / (1.0 + ((k * f0_hz - formant) / 120.0) ** 2) for formant in formants_hz) + 0.01
        tone += gain / k * np.sin(k * phase + k * k)
    return tone * np.minimum(np.minimum(time_s, time_s[::-1]) / 0.03, 1.0)


def vowels() -> tuple[SoundingNotes, NDArray[np.float32]]:
    """Return two singers, one on an a and one on an i, and their stems, shape (2, frames)."""
    high = [(0, 67.0 + step, 0.2 + 0.7 * i, 0.85 + 0.7 * i) for i, step in enumerate((0, 2, 4, 5, 4, 2))]
    low = [(1, 55.0 + step, 0.2 + 0.7 * i, 0.85 + 0.7 * i) for i, step in enumerate((5, 4, 0, -3, -5, 0))]
    stems = np.zeros((2, int(4.6 * RATE)))
    for stem, midi, start_s, stop_s in high + low:
        tone = sung(midi, stop_s - start_s, ((800.0, 1200.0), (300.0, 2300.0))[stem])
        stems[stem, int(start_s * RATE) :][: len(tone)] += 0.1 * tone
    return notes_of(high + low, 2), stems.astype(np.float32)


def test_two_singers_come_apart() -> None:
    notes, stems = vowels()
    mixture = stems.sum(0, keepdims=True)
    settings = replace(QUICK, least_steps=60, most_steps=60, width=48, settle_rounds=8)
    engine = learned(mixture, notes, settings=settings)
    found = engine.separate(ArraySource(mixture, RATE), notes, 0, stems.shape[1], Progress())
    assert found.shape == (2, 1, stems.shape[1])
    assert found.dtype == np.float32
    for mine, truth in zip(found, stems, strict=True):
        assert si_sdr_db(mine, truth) > si_sdr_db(mixture, truth) + 8.0


def test_training_brings_the_stems_nearer() -> None:
    notes, stems = vowels()
    mixture = stems.sum(0, keepdims=True)
    means = []
    for steps in (1, 50):
        engine = learned(mixture, notes, settings=replace(QUICK, least_steps=steps, most_steps=steps, settle_rounds=0))
        found = engine.separate(ArraySource(mixture, RATE), notes, 0, stems.shape[1], Progress())
        means.append(np.mean([si_sdr_db(mine, truth) for mine, truth in zip(found, stems, strict=True)]))
    assert means[1] > means[0] + 2.0


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_stretches_meet_without_a_seam(channels: int) -> None:
    notes, stems = duet()
    pan = np.linspace(0.2, 1.0, channels)
    mixture = np.stack([p * stems[0] + (1.2 - p) * stems[1] for p in pan]).astype(np.float32)
    engine, source = learned(mixture, notes), ArraySource(mixture, RATE)
    whole = engine.separate(source, notes, 5000, 70000, Progress())
    pieces = [
        engine.separate(source, notes, a, b, Progress()) for a, b in ((33333, 70000), (5000, 5001), (5001, 33333))
    ]
    assert np.abs(np.concatenate([pieces[1], pieces[2], pieces[0]], 2) - whole).max() < 1e-5


def test_what_was_learned_is_taken_again_and_learning_goes_on() -> None:
    notes, stems = duet()
    mixture = np.stack([stems[0] + 0.3 * stems[1], stems[1]]).astype(np.float32)
    source = ArraySource(mixture, RATE)
    kept: list[dict[str, Any]] = []
    first = learned(mixture, notes, on_checkpoint=lambda arrays: kept.append(dict(arrays)))

    def never() -> bool:
        raise AssertionError("learned a second time")

    again = NeuralSourceFilterSeparator(QUICK).fit(
        source, notes, CPU, Progress(is_cancelled=never), checkpoint=kept[-1]
    )
    stems_of = [engine.separate(source, notes, 0, 20000, Progress()) for engine in (first, again)]
    assert np.array_equal(*stems_of)
    more = learned(mixture, notes, checkpoint=kept[-1], settings=replace(QUICK, least_steps=16, most_steps=16))
    assert int(more.to_arrays()["steps"]) == 16
    assert np.array_equal(more.to_arrays()["cents"], first.to_arrays()["cents"])
    assert all(isinstance(array, np.ndarray) for array in first.to_arrays().values())


def test_a_stopped_training_ends_as_one_that_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoresep.engines.separation.neural_source_filter.training.KEEP_EVERY_STEPS", 5)
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    kept: list[dict[str, Any]] = []
    whole = learned(mixture, notes, on_checkpoint=lambda arrays: kept.append(dict(arrays)))
    assert int(kept[0]["steps"]) == 5
    resumed = learned(mixture, notes, checkpoint=kept[0])
    for name, array in whole.to_arrays().items():
        if name.startswith("network."):
            np.testing.assert_allclose(resumed.to_arrays()[name], array, atol=1e-5)


def test_what_does_not_fit_or_is_damaged_is_ignored() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    arrays = learned(mixture, notes).to_arrays()
    no_cents = {name: array for name, array in arrays.items() if name != "cents"}
    for checkpoint in (
        no_cents,
        {**arrays, "network.parts": arrays["network.parts"][:1]},
        {**arrays, "form": np.array("")},
    ):
        again = learned(mixture, notes, checkpoint=checkpoint).to_arrays()
        assert np.array_equal(again["network.parts"], arrays["network.parts"])


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


def test_where_no_note_is_near_stems_are_silent() -> None:
    notes = notes_of([(0, 60.0, 0.2, 0.6)], 2)
    samples = 0.1 * np.random.default_rng(0).normal(size=(1, 2 * RATE)).astype(np.float32)
    found = learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, 2 * RATE, Progress())
    assert np.abs(found[1]).max() == 0.0
    assert np.abs(found[0, 0, int(1.4 * RATE) :]).max() == 0.0


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 0.1), (96000, 0.1), (8000, 0.7), (96000, 0.7)])
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


def test_no_parts_at_all() -> None:
    samples = 0.1 * np.random.default_rng(1).normal(size=(1, RATE)).astype(np.float32)
    notes = notes_of([], 0)
    assert learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, RATE, Progress()).shape == (
        0,
        1,
        RATE,
    )


def test_silence_stays_silence() -> None:
    samples = np.zeros((1, RATE), np.float32)
    notes = notes_of([(0, 60.0, 0.1, 0.9)], 1)
    assert not learned(samples, notes).separate(ArraySource(samples, RATE), notes, 0, RATE, Progress()).any()


def test_cancelling_is_heard() -> None:
    notes, stems = duet()
    mixture = stems.sum(0, keepdims=True)
    engine, source = learned(mixture, notes), ArraySource(mixture, RATE)
    for after in (3, 40):
        calls = iter(range(10**6))

        def is_cancelled(after: int = after, calls: Any = calls) -> bool:
            return next(calls) > after

        with pytest.raises(Cancelled):
            NeuralSourceFilterSeparator(replace(QUICK, least_steps=60, most_steps=60)).fit(
                source, notes, CPU, Progress(is_cancelled=is_cancelled)
            )
    with pytest.raises(Cancelled):
        engine.separate(source, notes, 0, 60000, Progress(is_cancelled=lambda: True))


def test_a_budget_that_is_not_there_is_refused() -> None:
    samples = np.zeros((1, RATE), np.float32)
    with pytest.raises(UsageError):
        NeuralSourceFilterSeparator().fit(
            ArraySource(samples, RATE), notes_of([], 1), SeparationOptions(device="cpu", budget="huge"), Progress()
        )
