"""Grace notes are found where they are played; ornaments that the score only hints at do not pull it off its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engines_audio import RATE, melody_rows, play_tones
from small_scores import score_of, straight

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

MEASURES, QUARTER_S, LEAD_S = 8, 0.6, 0.5
Tones = list[tuple[float, float, float]]


def aligned(source: ArraySource, unfolded: UnfoldedScore) -> Alignment:
    return align(source, unfolded, AlignmentOptions(), Progress())


def with_graces(seed: int) -> UnfoldedScore:
    """Put one or two grace notes, rising, before some notes of the first part."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in melody_rows(seed, 2, MEASURES):
        rows.append(row)
        if row[0] == 0 and (row[1], row[2]) != (0, 0.0) and rng.random() < 0.4:
            for below in (3, 1)[: int(rng.integers(1, 3))]:
                rows.append((0, row[1], row[2], 0.0, row[4] - below))
    score = score_of(rows, MEASURES)
    return straight(replace(score, notes=replace(score.notes, is_grace=score.notes.duration_quarter == 0)))


def onsets_with_graces_s(unfolded: UnfoldedScore, rng: np.random.Generator) -> np.ndarray:
    notes = unfolded.notes
    onset_s = LEAD_S + notes.onset_quarter * QUARTER_S
    for main_s in np.unique(onset_s[notes.is_grace]):
        group = np.flatnonzero(notes.is_grace & (onset_s == main_s))
        group = group[np.argsort(notes.written_index[group])]
        length_s = rng.uniform(0.05, 0.12)
        onset_s[group] = main_s - length_s * np.arange(len(group), 0, -1)
    return onset_s


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_grace_notes_are_found_where_they_are_played(seed: int) -> None:
    unfolded = with_graces(seed)
    notes = unfolded.notes
    onset_s = onsets_with_graces_s(unfolded, np.random.default_rng(seed))
    duration_s = np.where(notes.is_grace, 0.09, notes.duration_quarter * QUARTER_S)
    times = aligned(play_tones(list(zip(onset_s, duration_s, notes.pitch_midi, strict=True))), unfolded).note_times
    error_s = np.abs(times.onset_frame / RATE - onset_s)
    assert notes.is_grace.sum() >= 4
    assert np.median(error_s[notes.is_grace]) < 0.02
    assert np.quantile(error_s[~notes.is_grace], 0.95) < 0.05
    for main in np.flatnonzero(~notes.is_grace).tolist():
        same = (notes.part_index == notes.part_index[main]) & (notes.onset_quarter == notes.onset_quarter[main])
        graces = np.flatnonzero(same & notes.is_grace)
        graces = graces[np.argsort(notes.written_index[graces])]
        assert (np.diff(np.append(times.onset_frame[graces], times.onset_frame[main])) > 0).all()


def trilled(onset_s: float, duration_s: float, pitch: float) -> Tones:
    """Play a note in turn with the one above, beginning above."""
    count = max(round(duration_s / 0.1), 2)
    return [(onset_s + i * duration_s / count, duration_s / count, pitch + 2 * ((i + 1) % 2)) for i in range(count)]


def repeated(onset_s: float, duration_s: float, pitch: float) -> Tones:
    count = max(round(duration_s / 0.1), 2)
    return [(onset_s + i * duration_s / count, duration_s / count, pitch) for i in range(count)]


def turned(onset_s: float, duration_s: float, pitch: float) -> Tones:
    quick_s = min(0.08, duration_s / 5)
    quick = [(onset_s + i * quick_s, quick_s, pitch + up) for i, up in enumerate((2, 0, -1))]
    return [*quick, (onset_s + 3 * quick_s, duration_s - 3 * quick_s, pitch)]


def bitten(onset_s: float, duration_s: float, pitch: float) -> Tones:
    quick_s = min(0.07, duration_s / 4)
    quick = [(onset_s, quick_s, pitch), (onset_s + quick_s, quick_s, pitch - 1)]
    return [*quick, (onset_s + 2 * quick_s, duration_s - 2 * quick_s, pitch)]


@pytest.mark.parametrize("ornament", [trilled, repeated, turned, bitten])
def test_ornaments_leave_the_notes_where_they_are(ornament: Callable[[float, float, float], Tones]) -> None:
    unfolded = straight(score_of(melody_rows(4, 2, MEASURES), MEASURES))
    notes = unfolded.notes
    is_ornamented = (notes.part_index == 0) & (notes.duration_quarter >= 1) & (np.arange(len(notes)) % 3 == 0)
    onset_s = LEAD_S + notes.onset_quarter * QUARTER_S
    tones: Tones = []
    for i, start_s in enumerate(onset_s.tolist()):
        note = (start_s, float(notes.duration_quarter[i]) * QUARTER_S, float(notes.pitch_midi[i]))
        tones += ornament(*note) if is_ornamented[i] else [note]
    times = aligned(play_tones(tones), unfolded).note_times
    error_s = np.abs(times.onset_frame / RATE - onset_s)
    assert is_ornamented.sum() >= 4
    assert np.quantile(error_s[~is_ornamented], 0.95) < 0.05
    assert np.median(error_s[is_ornamented]) < 0.05
    assert (error_s[is_ornamented] < 0.15).all()
