"""The engine `knowledge` keeps the laws of every engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays, SeparationOptions
from scoresep.engines.separation.mask_refinement import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.inference import refine_stems
from scoresep.engines.separation.mask_refinement.separator import FittedMaskRefiner, MaskRefiner
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.errors import Cancelled, UsageError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress
from tests.separation_audio import QUICK, RATE, duet, notes_of, played

SMALL = MaskRefinerSettings(width=8, dilations=(1, 2), scenes=2, least_steps=12, most_steps=12, scene_s=3.0)
OPTIONS = SeparationOptions(device="cpu")


def fit(
    samples: NDArray[np.float32], notes: SoundingNotes, settings: MaskRefinerSettings = SMALL, **more: Any
) -> tuple[ArraySource, FittedMaskRefiner]:
    source = ArraySource(samples, RATE)
    progress = more.pop("progress", Progress())
    return source, MaskRefiner(NmfSeparator(QUICK), settings).fit(source, notes, OPTIONS, progress, **more)


def in_stereo(stems: NDArray[np.float32]) -> NDArray[np.float32]:
    left = np.linspace(0.3, 1.0, len(stems), dtype=np.float32)[:, None]
    return np.stack([(stems * left).sum(0), (stems * left[::-1]).sum(0)])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_stretches_meet_without_a_seam(channels: int) -> None:
    notes, stems = duet()
    mono = stems.sum(0, keepdims=True)
    samples = {1: mono, 2: in_stereo(stems), 3: np.concatenate([in_stereo(stems), mono])}[channels]
    source, learned = fit(samples, notes)
    whole = learned.separate(source, notes, 0, source.frames, Progress())
    cut, end = 20001, 50003
    pieces = [
        learned.separate(source, notes, a, b, Progress()) for a, b in ((cut, end), (0, cut), (end, source.frames))
    ]
    joined = np.concatenate([pieces[1], pieces[0], pieces[2]], axis=2)
    assert whole.shape == (2, channels, source.frames)
    assert np.allclose(joined, whole, atol=2e-6)


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    notes, stems = duet()
    first, second = (fit(stems.sum(0, keepdims=True), notes)[1].to_arrays() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    source = ArraySource(stems.sum(0, keepdims=True), RATE)
    other = MaskRefiner(NmfSeparator(QUICK), SMALL).fit(
        source, notes, SeparationOptions(device="cpu", seed=1), Progress()
    )
    assert not np.array_equal(other.to_arrays()["mean.see.weight"], first["mean.see.weight"])


def test_learning_that_was_stopped_goes_on_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoresep.engines.separation.mask_refinement.training.KEEP_EVERY_STEPS", 4)
    notes, stems = duet()
    kept: list[Arrays] = []
    _, learned = fit(stems.sum(0, keepdims=True), notes, on_checkpoint=lambda arrays: kept.append(dict(arrays)))
    half = next(arrays for arrays in kept if "steps" in arrays and arrays["steps"] == 8)
    _, resumed = fit(stems.sum(0, keepdims=True), notes, checkpoint=half)
    whole, again = learned.to_arrays(), resumed.to_arrays()
    assert all(np.allclose(whole[name], again[name], atol=1e-5) for name in whole if not name.startswith("teacher."))


def test_more_time_goes_on_from_what_is_known() -> None:
    notes, stems = duet()
    _, learned = fit(stems.sum(0, keepdims=True), notes)
    source, longer = fit(
        stems.sum(0, keepdims=True),
        notes,
        replace(SMALL, most_steps=20, least_steps=20),
        checkpoint=learned.to_arrays(),
    )
    assert longer.to_arrays()["steps"] == 20
    _, same = fit(stems.sum(0, keepdims=True), notes, checkpoint=learned.to_arrays())
    assert np.array_equal(
        same.separate(source, notes, 0, source.frames, Progress()),
        learned.separate(source, notes, 0, source.frames, Progress()),
    )


def test_what_does_not_fit_is_ignored() -> None:
    notes, stems = duet()
    checkpoint = {"steps": np.array(99), "profiles": np.zeros(0), "form": np.zeros(3), "teacher.nonsense": np.zeros(2)}
    _, learned = fit(stems.sum(0, keepdims=True), notes, checkpoint=checkpoint)
    assert learned.to_arrays()["steps"] == 12


def test_parts_that_rest_are_as_silent_as_the_teacher_leaves_them() -> None:
    notes = notes_of([(0, 60.0, 0.0, 1.0), (1, 67.0, 0.0, 1.0), (0, 62.0, 2.0, 3.0)], 2)
    stems = played(notes, 3 * RATE, [[1.0, 0.5, 0.3], [1.0, 0.3]])
    source, learned = fit(stems.sum(0, keepdims=True), notes)
    found = learned.separate(source, notes, 0, source.frames, Progress())
    rest = slice(int(2.2 * RATE), int(2.9 * RATE))
    assert (found[1, :, rest] ** 2).sum() < 1e-4 * (stems[0, rest] ** 2).sum()


def test_nothing_to_learn_leaves_the_teacher() -> None:
    empty = notes_of([], 2)
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    source, learned = fit(noise, empty)
    assert learned.separate(source, empty, 0, RATE, Progress()).shape == (2, 1, RATE)
    drum = notes_of([(0, np.nan, 0.1, 0.3), (1, 60.0, 0.2, 0.6)], 2)
    source, learned = fit(noise, drum)
    assert np.isfinite(learned.separate(source, drum, 0, RATE, Progress())).all()


def test_short_and_silent_recordings_are_no_trouble() -> None:
    notes = notes_of([(0, 60.0, 0.0, 0.1), (1, 67.0, 0.0, 0.1)], 2)
    for samples in np.zeros((1, RATE // 10), np.float32), np.zeros((1, RATE), np.float32):
        source, learned = fit(samples, notes)
        assert not learned.separate(source, notes, 0, source.frames, Progress()).any()


def test_cancelling_is_heard() -> None:
    notes, stems = duet()
    with pytest.raises(Cancelled):
        fit(stems.sum(0, keepdims=True), notes, progress=Progress(is_cancelled=lambda: True))


def test_dividing_anew_keeps_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(3, 2, 4, 5, dtype=torch.complex64, generator=generator)
    inside = torch.tensor([True, True, False])[:, None, None, None].expand(3, 1, 4, 5)
    shares = torch.tensor([0.7, 0.3, 0.0])[:, None, None, None].expand(3, 1, 4, 5)
    after = refine_stems(own, shares, inside, own.sum(0), 0.0)
    assert torch.allclose(after.sum(0), own.sum(0), atol=1e-5)
    assert torch.equal(after[2], own[2])


def test_budgets_differ_and_others_are_refused() -> None:
    steps = [MaskRefinerSettings.for_budget(budget).steps_for(60.0) for budget in ("preview", "balanced", "best")]
    assert steps == sorted(set(steps))
    with pytest.raises(UsageError):
        MaskRefinerSettings.for_budget("never")


def test_a_network_that_makes_nothing_better_changes_nothing() -> None:
    notes, stems = duet()
    source, learned = fit(stems.sum(0, keepdims=True), notes)
    assert 0.0 <= float(learned.to_arrays()["blend"]) <= SMALL.most_blend
    arrays = {**learned.to_arrays(), "blend": np.array(0.0)}
    _, same = fit(stems.sum(0, keepdims=True), notes, checkpoint=arrays)
    mine = same.separate(source, notes, 0, source.frames, Progress())
    theirs = learned.teacher.separate(source, notes, 0, source.frames, Progress())
    assert np.allclose(mine, theirs, atol=1e-6)


def test_chords_stay_as_the_teacher_has_them() -> None:
    chords = [(0, 60.0 + k, 0.0, 1.0) for k in (0, 4, 7)]
    notes = notes_of([*chords, (1, 67.0, 0.0, 1.0)], 2)
    stems = played(notes, 2 * RATE, [[1.0, 0.5], [1.0, 0.3]])
    source, learned = fit(stems.sum(0, keepdims=True), notes)
    here = slice(int(0.3 * RATE), int(0.7 * RATE))
    mine = learned.separate(source, notes, 0, source.frames, Progress())
    theirs = learned.teacher.separate(source, notes, 0, source.frames, Progress())
    assert np.allclose(mine[:, :, here], theirs[:, :, here], atol=1e-6)
