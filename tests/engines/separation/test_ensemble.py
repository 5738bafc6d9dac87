"""Several engines as one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from separation_audio import QUICK, RATE, duet, notes_of

from scoresep.engines.separation import SeparationOptions
from scoresep.engines.separation.ensemble import EnsembleSeparator, Member, chord_share
from scoresep.engines.separation.nmf import NmfSettings
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress

OPTIONS = SeparationOptions("cpu", "balanced")


class Other(NmfSeparator):
    """Another engine by name."""

    name = "other"


def combined(weight: float = 1.0) -> EnsembleSeparator:
    other = Other(NmfSettings(window_s=0.1, learn_iterations=4, solve_iterations=4))
    return EnsembleSeparator(
        "auto", {"balanced": (Member(NmfSeparator(QUICK), "balanced"), Member(other, "balanced", weight))}
    )


def test_stems_are_the_mean_of_all_by_their_weights_and_in_any_stretch() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    both = combined(3.0).fit(source, notes, OPTIONS, Progress())
    one = (
        NmfSeparator(QUICK)
        .fit(source, notes, OPTIONS, Progress())
        .separate(source, notes, 0, source.frames, Progress())
    )
    alone = EnsembleSeparator("auto", {"balanced": combined()._members["balanced"][1:]})
    other = alone.fit(source, notes, OPTIONS, Progress()).separate(source, notes, 0, source.frames, Progress())

    whole = both.separate(source, notes, 0, source.frames, Progress())
    np.testing.assert_allclose(whole, 0.25 * one + 0.75 * other, atol=1e-5)
    pieces = [both.separate(source, notes, a, b, Progress()) for a, b in pairwise([0, 20_001, source.frames])]
    np.testing.assert_allclose(np.concatenate(pieces, axis=2), whole, atol=1e-5)
    assert both.report().engine == "auto (nmf + other)"


def test_what_every_engine_has_learned_is_taken_again() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    kept: list[set[str]] = []
    learned = combined().fit(source, notes, OPTIONS, Progress(), on_checkpoint=lambda arrays: kept.append(set(arrays)))
    assert kept[-1] == set(learned.to_arrays()) and len(kept[0]) < len(kept[-1]), "after the first engine, and all"

    texts: list[str] = []
    again = combined().fit(
        source, notes, OPTIONS, Progress(lambda state: texts.append(state.text)), learned.to_arrays()
    )
    assert texts == [], "there was nothing to learn"
    np.testing.assert_allclose(
        again.separate(source, notes, 0, 9000, Progress()),
        learned.separate(source, notes, 0, 9000, Progress()),
        atol=1e-6,
    )


def test_progress_rises_over_all_engines() -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    fractions: list[float] = []
    combined().fit(source, notes, OPTIONS, Progress(lambda state: fractions.append(state.fraction)))
    assert fractions == sorted(fractions) and max(fractions) > 0.8


def test_chords_are_told_from_lines_that_touch() -> None:
    line = [(0, 60.0 + k, 0.5 * k, 0.5 * k + 0.5) for k in range(6)]
    assert chord_share(notes_of(line, 2)) == 0.0
    assert chord_share(notes_of([*line, (1, 40.0, 0.0, 3.0)], 2)) == 0.0, "parts are heard one by one"
    assert chord_share(notes_of([*line, (0, 72.0, 0.0, 1.5)], 2)) == 0.5
    assert chord_share(notes_of([], 2)) == 0.0


def test_where_chords_are_played_an_engine_for_lines_counts_for_little() -> None:
    notes, stems = duet()
    rows = [
        (int(s), float(p), float(a) / RATE, float(b) / RATE)
        for s, p, a, b in zip(notes.stem_index, notes.pitch_midi, notes.onset_frame, notes.offset_frame, strict=True)
    ]
    chords = notes_of([*rows, *((s, p + 4, a, b) for s, p, a, b in rows)], 2)
    source = ArraySource(stems.sum(0)[None], RATE)
    other = Member(Other(QUICK), "balanced", 1.0, is_for_lines=True)
    both = EnsembleSeparator("auto", {"balanced": (Member(NmfSeparator(QUICK), "balanced"), other)})
    learned = both.fit(source, chords, OPTIONS, Progress())
    np.testing.assert_allclose(learned.to_arrays()["weights"], [1.0])
    again = both.fit(source, notes, OPTIONS, Progress(), learned.to_arrays())
    np.testing.assert_allclose(again.to_arrays()["weights"], [1.0], err_msg="it stays as it was learned")


@pytest.mark.parametrize("window_s", [0.128, 0.186])
def test_singers_and_players_have_engines_of_their_own(window_s: float) -> None:
    notes, stems = duet()
    source = ArraySource(stems.sum(0)[None], RATE)
    first = NmfSeparator(replace(QUICK, window_s=window_s))
    other = Member(Other(QUICK), "balanced", 1.0, vibrato_settings=True)
    both = EnsembleSeparator("auto", {"balanced": (Member(first, "balanced"), other)})
    learned = both.fit(source, notes, OPTIONS, Progress())
    assert learned.report().engine == ("auto (nmf + other)" if window_s == 0.128 else "auto (nmf)")
    again = both.fit(source, notes, OPTIONS, Progress(), learned.to_arrays())
    assert again.report() == learned.report()
