"""Several engines as one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from separation_audio import QUICK, RATE, duet

from scoresep.engines.separation import SeparationOptions
from scoresep.engines.separation.combined import CombinedSeparator, Member
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.engines.separation.nmf.settings import NmfSettings
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress

OPTIONS = SeparationOptions("cpu", "balanced")


class Other(NmfSeparator):
    """Another engine by name."""

    name = "other"


def combined(weight: float = 1.0) -> CombinedSeparator:
    other = Other(NmfSettings(window_s=0.1, learn_iterations=4, solve_iterations=4))
    return CombinedSeparator(
        "auto", {"balanced": (Member(NmfSeparator(QUICK), "balanced"), Member(other, "balanced", weight))}
    )


def test_stems_are_the_mean_of_all_by_their_weights_and_in_any_stretch() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    both = combined(3.0).learn(source, notes, OPTIONS, Progress())
    one = (
        NmfSeparator(QUICK).learn(source, notes, OPTIONS, Progress()).stems(source, notes, 0, source.frames, Progress())
    )
    alone = CombinedSeparator("auto", {"balanced": combined()._members["balanced"][1:]})
    other = alone.learn(source, notes, OPTIONS, Progress()).stems(source, notes, 0, source.frames, Progress())

    whole = both.stems(source, notes, 0, source.frames, Progress())
    np.testing.assert_allclose(whole, 0.25 * one + 0.75 * other, atol=1e-5)
    pieces = [both.stems(source, notes, a, b, Progress()) for a, b in pairwise([0, 20_001, source.frames])]
    np.testing.assert_allclose(np.concatenate(pieces, axis=2), whole, atol=1e-5)
    assert both.report().engine == "auto (nmf + other)"


def test_what_every_engine_has_learned_is_taken_again() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    kept: list[set[str]] = []
    learned = combined().learn(source, notes, OPTIONS, Progress(), keep=lambda arrays: kept.append(set(arrays)))
    assert kept[-1] == set(learned.arrays()) and len(kept[0]) < len(kept[-1]), "after the first engine, and all"

    texts: list[str] = []
    again = combined().learn(source, notes, OPTIONS, Progress(lambda state: texts.append(state.text)), learned.arrays())
    assert texts == [], "there was nothing to learn"
    np.testing.assert_allclose(
        again.stems(source, notes, 0, 9000, Progress()), learned.stems(source, notes, 0, 9000, Progress()), atol=1e-6
    )


def test_progress_rises_over_all_engines() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    fractions: list[float] = []
    combined().learn(source, notes, OPTIONS, Progress(lambda state: fractions.append(state.fraction)))
    assert fractions == sorted(fractions) and max(fractions) > 0.8
