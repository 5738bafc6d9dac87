from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from separation_audio import QUICK, RATE, duet, notes_of, separate
from stem_metrics import si_sdr_db, sum_error_db

from scoresep.engines.separation import SeparationOptions
from scoresep.engines.separation.nmf import NmfSettings, separator
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.errors import Cancelled, OutOfMemoryError, UsageError
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.integers(1, 9000),
    rate=st.sampled_from([8000, 11025, 44100]),
    channels=st.integers(1, 3),
    stems=st.integers(0, 3),
    note_count=st.integers(0, 6),
    seed=st.integers(0, 1000),
)
def test_stems_and_residual_are_the_recording(
    frames: int, rate: int, channels: int, stems: int, note_count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.1, (channels, frames)).astype(np.float32)
    length_s = frames / rate
    rows = [
        (k % stems, float(rng.choice([rng.uniform(30, 110), np.nan])), start, start + 0.3 * length_s + 0.001)
        for k, start in enumerate(rng.uniform(0, length_s, note_count if stems else 0))
    ]

    result, _ = separate(samples, rate, notes_of(rows, stems, rate), replace(QUICK, learn_iterations=4))

    assert result.shape == (stems + 1, channels, frames)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert sum_error_db(result, samples) < -120


def test_two_instruments_come_apart() -> None:
    notes, stems = duet()
    result, report = separate(stems.sum(0)[None], RATE, notes)

    assert report.engine == "nmf" and report.device == "cpu" and not report.warnings
    for mine, true in zip(result, stems, strict=False):
        assert si_sdr_db(mine[0], true) > 10


def test_late_and_early_notes_and_another_tuning_do_little_harm(rng: np.random.Generator) -> None:
    notes, stems = duet()
    late = np.round(rng.normal(0, 0.035 * RATE, (2, len(notes)))).astype(np.int64)
    moved = replace(
        notes,
        onset_frame=np.maximum(notes.onset_frame + late[0], 0),
        offset_frame=notes.offset_frame + late[1],
        pitch_midi=notes.pitch_midi + 0.2,
    )
    result, _ = separate(stems.sum(0)[None], RATE, moved)

    for mine, true in zip(result, stems, strict=False):
        assert si_sdr_db(mine[0], true) > 10


def test_places_on_the_stage_help() -> None:
    # in unison: without places nothing tells who is who
    rows = [(part, pitch, 0.2 + 0.5 * k, 0.6 + 0.5 * k) for k, pitch in enumerate((60, 64, 67)) for part in (0, 1)]
    rows += [(0, 62.0, 1.8, 2.2), (1, 65.0, 2.3, 2.7)]
    notes = notes_of(rows, 2)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (2, int(3.2 * RATE)))
    ramp = np.zeros_like(noise)
    for stem, start, stop in zip(notes.stem_index, notes.onset_frame, notes.offset_frame, strict=True):
        ramp[stem, start:stop] = 1.0
    stems = (noise * ramp)[:, None] * np.array([[[0.95], [0.3]], [[0.3], [0.95]]])
    stems = stems.astype(np.float32)
    unpitched = replace(notes, pitch_midi=np.full(len(notes), np.nan))

    in_stereo, _ = separate(stems.sum(0), RATE, unpitched)
    in_mono, _ = separate(stems.sum((0, 1))[None], RATE, unpitched)

    for k in range(2):
        mono_db = si_sdr_db(in_mono[k, 0], stems[k].sum(0))
        assert si_sdr_db(in_stereo[k], stems[k]) > mono_db + 4


@pytest.mark.parametrize("channels", [1, 2])
def test_small_blocks_give_what_one_block_gives(channels: int) -> None:
    notes, stems = duet()
    recording = np.stack([stems.sum(0), 0.5 * stems[0] + stems[1]][:channels])

    whole, _ = separate(recording, RATE, notes, replace(QUICK, block_windows=1000))
    small, _ = separate(recording, RATE, notes, replace(QUICK, block_windows=7))

    assert np.abs(whole - small).max() < 1e-3 * np.abs(recording).max()


def test_the_same_recording_gives_the_same_stems() -> None:
    notes, stems = duet()
    first, _ = separate(stems.sum(0)[None], RATE, notes, QUICK)
    second, _ = separate(stems.sum(0)[None], RATE, notes, QUICK)

    np.testing.assert_array_equal(first, second)


def test_a_part_without_notes_is_silent_and_what_no_note_explains_is_residual() -> None:
    notes, stems = duet()
    with_third = replace(notes, stem_count=3, programs=(None,) * 3)
    silence = np.zeros(2 * RATE, np.float32)
    hiss = np.random.default_rng(1).normal(0, 0.05, RATE).astype(np.float32)
    recording = np.concatenate([stems.sum(0), silence, hiss])[None]

    result, _ = separate(recording, RATE, with_third, QUICK)

    assert not result[2].any()
    np.testing.assert_allclose(result[3, 0, -RATE:], hiss, atol=1e-4)
    assert not result[:2, :, -RATE:].any()


def test_silence_stays_silence() -> None:
    notes, _ = duet()
    result, _ = separate(np.zeros((2, 30000), np.float32), RATE, notes, QUICK)

    assert not result.any()


@pytest.mark.parametrize("channels", [1, 2])
def test_many_parts_and_pitches(channels: int, rng: np.random.Generator) -> None:
    rows = [(k % 40, 21.0 + k % 88, 0.001 * k, 0.001 * k + 0.1) for k in range(800)]
    samples = rng.normal(0, 0.1, (channels, RATE)).astype(np.float32)

    result, _ = separate(samples, RATE, notes_of(rows, 40), replace(QUICK, learn_iterations=3, solve_iterations=2))

    assert result.shape == (41, channels, RATE)
    assert np.isfinite(result).all() and sum_error_db(result, samples) < -110


def test_cancelling_is_heard_at_once() -> None:
    notes, stems = duet()
    recording = np.tile(stems.sum(0), 4)[None]
    asked: list[float] = []

    def is_cancelled() -> bool:
        asked.append(time.process_time())
        return False

    separate(recording, RATE, notes, QUICK, Progress(is_cancelled=is_cancelled))
    assert np.diff(asked).max() < 2.0  # seconds of computing; usually some milliseconds

    for last in (3, len(asked) // 2, len(asked) - 2):
        count = iter(range(last + 1, -1, -1))
        with pytest.raises(Cancelled):
            separate(recording, RATE, notes, QUICK, Progress(is_cancelled=lambda count=count: next(count) == 0))


def test_progress_rises_to_the_end() -> None:
    notes, stems = duet()
    fractions: list[float] = []
    separate(stems.sum(0)[None], RATE, notes, QUICK, Progress(lambda state: fractions.append(state.fraction)))

    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05 and fractions[-1] > 0.7


def test_too_little_memory_is_met_with_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    notes, stems = duet()
    recording = stems.sum(0)[None]
    expected, _ = separate(recording, RATE, notes, QUICK)
    honest = separator._Ready.block_stems

    def tight(ready, first, last, progress):  # type: ignore[no-untyped-def]
        if last - first > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return honest(ready, first, last, progress)

    monkeypatch.setattr(separator._Ready, "block_stems", tight)
    result, _ = separate(recording, RATE, notes, QUICK)
    np.testing.assert_allclose(result, expected, atol=1e-4)

    def hopeless(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(separator._Ready, "block_stems", hopeless)
    with pytest.raises(OutOfMemoryError, match="memory"):
        separate(recording, RATE, notes, QUICK)


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    notes, stems = duet()
    monkeypatch.setattr(separator._Ready, "block_stems", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        separate(stems.sum(0)[None], RATE, notes, QUICK)


def test_a_long_recording_is_learned_from_in_parts() -> None:
    notes, stems = duet()
    repeats = 12
    length = stems.shape[1]
    rows = [
        (int(s), float(p), (a + k * length) / RATE, (b + k * length) / RATE)
        for k in range(repeats)
        for s, p, a, b in zip(notes.stem_index, notes.pitch_midi, notes.onset_frame, notes.offset_frame, strict=True)
    ]
    long_notes, long_stems = notes_of(rows, 2), np.tile(stems, repeats)

    result, _ = separate(long_stems.sum(0)[None], RATE, long_notes, NmfSettings(learn_s=20.0))

    for mine, true in zip(result, long_stems, strict=False):
        assert si_sdr_db(mine[0], true) > 10


def test_budgets_differ_and_have_names() -> None:
    rounds = [NmfSettings.for_budget(budget).learn_iterations for budget in ("preview", "balanced", "best")]

    assert rounds == sorted(set(rounds))
    with pytest.raises(UsageError, match="preview, balanced, best"):
        NmfSettings.for_budget("cheap")


@pytest.mark.parametrize("channels", [1, 2])
def test_stretches_meet_without_a_seam_in_any_order(channels: int) -> None:
    notes, stems = duet()
    recording = np.stack([stems.sum(0), 0.5 * stems[0] + stems[1]][:channels])
    source = ArraySource(recording, RATE)
    learned = NmfSeparator(QUICK).fit(source, notes, SeparationOptions(device="cpu"), Progress())

    whole = learned.separate(source, notes, 0, source.frames, Progress())
    edges = [0, 1, 5000, 30001, source.frames - 7, source.frames]
    pieces = [learned.separate(source, notes, a, b, Progress()) for a, b in reversed(list(pairwise(edges)))]

    np.testing.assert_allclose(np.concatenate(pieces[::-1], axis=2), whole, atol=1e-5)


def test_what_was_learned_is_taken_again() -> None:
    notes, stems = duet()
    source, options = ArraySource(np.stack([stems.sum(0), 0.5 * stems[0] + stems[1]]), RATE), SeparationOptions("cpu")
    learned = NmfSeparator(QUICK).fit(source, notes, options, Progress())
    texts: list[str] = []
    again = NmfSeparator(QUICK).fit(
        source, notes, options, Progress(lambda state: texts.append(state.text)), learned.to_arrays()
    )

    assert texts == [], "there was nothing to learn"
    expected = learned.separate(source, notes, 0, source.frames, Progress())
    np.testing.assert_allclose(again.separate(source, notes, 0, source.frames, Progress()), expected, atol=1e-6)
    other = NmfSeparator(replace(QUICK, learn_iterations=4))
    other.fit(source, notes, options, Progress(lambda state: texts.append(state.text)), learned.to_arrays())
    assert texts, "what was learned with other settings is of no use"


def test_a_note_of_a_new_pitch_sounds_as_its_neighbours_and_changes_nothing_far_away() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    learned = NmfSeparator(QUICK).fit(source, notes, SeparationOptions(device="cpu"), Progress())
    pitch = notes.pitch_midi.copy()
    pitch[-1] += 1.0
    before = learned.separate(source, notes, 0, source.frames, Progress())
    after = learned.separate(source, replace(notes, pitch_midi=pitch), 0, source.frames, Progress())

    far = int(notes.onset_frame[-1]) - RATE // 2
    np.testing.assert_allclose(after[..., :far], before[..., :far], atol=1e-5)
    assert np.isfinite(after).all() and np.abs(after - before).max() > 1e-3


def test_pitches_that_wander_are_noticed_and_given_room() -> None:
    notes, stems = duet()
    time_s = np.arange(stems.shape[1]) / RATE
    bent = np.interp(time_s + 0.006 * np.sin(2 * np.pi * 5.0 * time_s) / (2 * np.pi * 5.0) * 10, time_s, stems[0])
    windows = []
    for high in (stems[0], bent.astype(np.float32)):
        source = ArraySource((high + stems[1])[None], RATE)
        learned = NmfSeparator().fit(source, notes, SeparationOptions("cpu", "preview"), Progress())
        windows.append(str(learned.to_arrays()["holds_for"]))
        result = learned.separate(source, notes, 0, source.frames, Progress())
        assert si_sdr_db(result[0, 0], high) > 10
    assert windows[0] != windows[1]
