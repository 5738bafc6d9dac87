"""Which repeats were played is found from recordings that are made here, whatever the score says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engines_audio import RATE, PlaybackController, melody_rows, play
from small_scores import score_of

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align, align_as_played
from scoresep.engines.alignment.structure import has_choices
from scoresep.model.alignment import Alignment
from scoresep.model.path import PathChoices, performance_path, repeat_sites, unfold
from scoresep.model.score import Mark, Score, UnfoldedScore
from scoresep.progress import Progress

MEASURES = 12
FIRST, SECOND = 3, 7  # where the repeats of `minuet` close
AS_WRITTEN = PathChoices()


def minuet() -> Score:
    """Bars 1-4 and 5-8 twice each, bars 9-12 once, then da capo to the fine in bar 8."""
    return score_of(
        melody_rows(5, 2, MEASURES),
        MEASURES,
        starts_repeat={0: True, SECOND - 3: True},
        repeat_passes={FIRST: 2, SECOND: 2},
        marks={SECOND: frozenset({Mark.FINE}), MEASURES - 1: frozenset({Mark.DA_CAPO_AL_FINE})},
    )


def along(score: Score, choices: PathChoices) -> UnfoldedScore:
    return unfold(score, performance_path(score, choices)[0])


def found(score: Score, played: PathChoices, **how: float) -> tuple[PathChoices, Alignment, np.ndarray]:
    source, onset_s = play(along(score, played), replace(PlaybackController(), **how))  # type: ignore[arg-type]
    choices, alignment = align_as_played(source, along(score, AS_WRITTEN), AS_WRITTEN, AlignmentOptions(), Progress())
    return choices, alignment, onset_s


@pytest.mark.parametrize(
    "played",
    [
        AS_WRITTEN,
        PathChoices(frozenset({FIRST})),
        PathChoices(frozenset({SECOND})),
        PathChoices(frozenset({FIRST, SECOND})),
        PathChoices(repeats_after_jump=True),
        PathChoices(frozenset({FIRST, SECOND}), takes_jumps=False),
    ],
)
def test_the_path_that_was_played_is_found_and_all_its_notes(played: PathChoices) -> None:
    score = minuet()
    choices, alignment, onset_s = found(score, played)
    assert performance_path(score, choices)[0] == performance_path(score, played)[0]
    error_s = np.abs(alignment.note_times.onset_frame / RATE - onset_s)
    assert alignment.note_times.is_present.mean() > 0.97
    assert np.quantile(error_s, 0.9) < 0.04


def test_the_tempo_does_not_matter() -> None:
    played = PathChoices(frozenset({FIRST}))
    assert found(minuet(), played, quarter_s=0.33)[0] == played


def test_a_recording_that_stops_early_says_nothing_of_what_would_have_come() -> None:
    score = minuet()
    stop_s = 0.5 + 0.5 * 4 * 11  # in the first time through bars 5-8
    assert found(score, AS_WRITTEN, stop_s=stop_s)[0] == AS_WRITTEN


def test_what_is_written_gives_the_very_alignment_that_a_settled_path_gives() -> None:
    score = minuet()
    source, _ = play(along(score, AS_WRITTEN))
    choices, alignment = align_as_played(source, along(score, AS_WRITTEN), AS_WRITTEN, AlignmentOptions(), Progress())
    assert choices == AS_WRITTEN
    assert alignment == align(source, along(score, AS_WRITTEN), AlignmentOptions(), Progress())


@pytest.mark.parametrize("is_together", [False, True])
def test_parts_that_disagree_about_lengths_of_bars(is_together: bool) -> None:
    """The second part has a bar of 3 quarters where the first has one of 4."""
    rows = [r for r in melody_rows(6, 2, 8) if not (r[0] == 1 and r[1] == 2 and r[2] + r[3] > 3)]
    own = ((4.0,) * 8, (4.0, 4.0, 3.0, *(4.0,) * 5))
    score = replace(score_of(rows, 8), own_durations=own)
    assert has_choices(score)
    played = PathChoices(keeps_bars_together=is_together)
    assert found(score, played)[0] == played


def test_a_score_without_repeats_leaves_nothing_to_be_found() -> None:
    assert has_choices(minuet())
    assert not has_choices(score_of(melody_rows(1, 2, 4), 4))
    assert len(repeat_sites(minuet())) == 2


def test_of_two_jumps_the_one_that_was_played_is_found() -> None:
    """A rondo: bars 1-4, 5-8, da capo to the fine in bar 4, 9-12, da capo once more."""
    marks = {FIRST: (Mark.FINE,), SECOND: (Mark.DA_CAPO_AL_FINE,), MEASURES - 1: (Mark.DA_CAPO_AL_FINE,)}
    rondo = score_of(melody_rows(5, 2, MEASURES), MEASURES, marks=marks)
    played = PathChoices(skipped_jumps=frozenset({(SECOND, Mark.DA_CAPO_AL_FINE)}))
    choices, _, _ = found(rondo, played)
    assert performance_path(rondo, choices)[0] == performance_path(rondo, played)[0]


@pytest.mark.parametrize("follows", [True, False])
def test_an_order_that_the_file_states_is_kept_unless_another_was_played(follows: bool) -> None:
    stated = tuple(range(4)) + tuple(range(MEASURES))
    score = replace(minuet(), stated_order=stated)
    assert has_choices(score)
    played = PathChoices(follows_stated_order=follows)
    assert found(score, played)[0] == played
