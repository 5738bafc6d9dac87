"""Strategies that draw whole projects, with every field filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from small_scores import even_alignment, score_of

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.note_edits import NoteEdit, NoteKey, merge_edits
from scoresep.model.path import PathChoices, unfold
from scoresep.model.project import ChannelStrip, Mixer, PartSettings, Project, Recipe, ScoreFile
from scoresep.model.score import Instrument, Mark, MarkDetail, Part, PerformancePath, Score, TempoMark, UnfoldedScore
from scoresep.model.segments import Activity, ActivityPosterior
from scoresep.model.timemap import SyncPoint

MEASURES = 3
PARTS = 3
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
frames = st.integers(0, 2**40)
levels = st.floats(-200, 24) | st.just(-np.inf)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    note = st.tuples(
        st.integers(0, PARTS - 1),
        st.integers(0, MEASURES - 1),
        st.floats(0, 4),
        st.floats(0, 9),
        st.sampled_from([np.nan, 60.0, 61.5]),
    )
    score = score_of(
        draw(st.lists(note, min_size=1, max_size=12)),
        MEASURES,
        [f"P{i}" for i in range(PARTS)],
        marks={1: (Mark.FINE, Mark.SEGNO)},
        mark_details={
            1: (MarkDetail(Mark.SEGNO, (draw(texts),)), MarkDetail(Mark.FINE, times=(2,), with_repeats=True))
        },
        endings={2: (1, 2)},
        lead_quarter={0: 3.0},
    )
    instrument = st.builds(Instrument, texts, st.none() | st.integers(0, 127), st.booleans())
    parts = tuple(Part(i, draw(texts), draw(texts), draw(instrument), draw(st.integers(-36, 36))) for i in range(PARTS))
    tempi = tuple(TempoMark(float(i), draw(st.floats(10, 400))) for i in range(draw(st.integers(0, 2))))
    warnings = tuple(draw(st.lists(texts, max_size=2)))
    return replace(score, title=draw(texts), composer=draw(texts), parts=parts, tempo_marks=tempi, warnings=warnings)


@st.composite
def alignments(draw: st.DrawFn, unfolded: UnfoldedScore) -> Alignment:
    count = len(unfolded.notes)

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=count, max_size=count))

    onset = np.array(column(frames), np.int64)
    length = np.array(column(st.integers(0, 10**6)), np.int64)
    times = NoteTimes(
        onset,
        onset + length,
        np.array(column(st.floats(0, 1, width=32)), np.float32),
        np.array(column(st.booleans()), np.bool_),
    )
    return replace(
        even_alignment(unfolded),
        note_times=times,
        tuning_cents=draw(st.floats(-50, 50)),
        transposition_semitones=draw(st.integers(-12, 12)),
        confidence=draw(st.floats(0, 1)),
        warnings=tuple(draw(st.lists(texts, max_size=2))),
    )


@st.composite
def activities(draw: st.DrawFn, part_index: int) -> Activity:
    edges = sorted(draw(st.lists(frames, max_size=8, unique=True)))
    edges = edges[: len(edges) // 2 * 2]
    by_hand = draw(st.lists(st.booleans(), min_size=len(edges) // 2, max_size=len(edges) // 2))
    starts, ends = np.array(edges[::2], np.int64), np.array(edges[1::2], np.int64)
    moments = [0, *sorted(draw(st.lists(frames.filter(bool), max_size=4, unique=True)))]
    probability = np.array(draw(st.lists(st.floats(0, 1), min_size=len(moments), max_size=len(moments))))
    heard = ActivityPosterior(np.array(moments, np.int64), probability) if draw(st.booleans()) else None
    return Activity(part_index, starts, ends, np.array(by_hand, np.bool_), heard)


@st.composite
def part_settings(draw: st.DrawFn) -> tuple[PartSettings, ...]:
    instrument = st.builds(Instrument, texts, st.none() | st.integers(0, 127), st.booleans())
    parts = [PartSettings(draw(texts), "#0072b2", draw(instrument), draw(st.booleans())) for _ in range(PARTS)]
    if draw(st.booleans()):
        parts[2] = replace(parts[2], joined_to=0)
    return tuple(parts)


@st.composite
def note_edits(draw: st.DrawFn) -> tuple[NoteEdit, ...]:
    key = st.builds(
        NoteKey,
        st.integers(0, PARTS - 1),
        st.integers(0, MEASURES - 1),
        st.integers(1, 3),
        st.floats(1, 5),
        st.just(-1.0) | st.floats(20, 100),
    )
    edit = st.builds(NoteEdit, key, levels, st.booleans())
    return merge_edits((), draw(st.lists(edit, max_size=4)))


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Draw a project; its files (recording, score) are not there, and it has no stems."""
    recording = st.builds(
        Recording,
        st.just("/music/take 1.flac"),
        st.just("ab" * 20),
        st.integers(1, 2**40),
        st.integers(1, 8),
        st.sampled_from([8000, 44_100, 192_000]),
        texts,
    )
    project = Project(
        draw(st.none() | recording),
        mixer=draw(
            st.builds(
                Mixer,
                st.lists(strips, max_size=3).map(tuple),
                strips,
                levels,
            )
        ),
        recipe=draw(st.builds(Recipe, texts, texts, st.integers(0, 2**31))),
    )
    if draw(st.booleans()):
        return project
    score = draw(scores())
    indices = tuple(draw(st.lists(st.integers(0, MEASURES - 1), min_size=1, max_size=5)))
    path = PerformancePath(indices, passes=draw(st.sampled_from([(), (1,) * len(indices)])))
    unfolded = unfold(score, path)
    point = st.builds(
        SyncPoint, st.integers(0, MEASURES - 1), st.integers(1, 3), st.floats(1, 5), frames, st.booleans()
    )
    return replace(
        project,
        score_file=ScoreFile("/music/score.mxl", "cd" * 20),
        score=score,
        path=path,
        path_choices=PathChoices(
            draw(st.frozensets(st.integers(0, 9))),
            draw(st.none() | st.booleans()),
            draw(st.booleans()),
            skipped_jumps=draw(st.frozensets(st.tuples(st.integers(0, 9), st.sampled_from(list(Mark))), max_size=2)),
        ),
        alignment=draw(st.none() | alignments(unfolded)),
        pending_alignment=draw(st.none() | alignments(unfolded)),
        hand_points=tuple(draw(st.lists(point, max_size=3))),
        activities=draw(st.none() | st.tuples(*(activities(i) for i in range(PARTS)))),
        parts=draw(part_settings()),
        note_edits=draw(note_edits()),
    )


strips = st.builds(ChannelStrip, levels, st.floats(-1, 1), st.booleans(), st.booleans())
