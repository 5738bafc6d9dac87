"""Edits of single notes: what they change, that they can be taken back, and that they survive what comes after."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from note_desk import heard, keys_of, rows_of_part, separated
from session_desk import Desk, settle, until

from scoresep.edits import notes as note_edits
from scoresep.edits import project as edits
from scoresep.errors import UsageError
from scoresep.model.note_edits import NoteEdit, NoteKey
from scoresep.model.project import apply_change
from scoresep.model.timemap import SyncPoint
from scoresep.session.jobs import JobState
from scoresep.session.note_sounds import JOB, note_sound
from scoresep.session.session import Session


@pytest.fixture
def session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(desk.folder / "cache"))
    return separated(desk)


def test_a_muted_note_is_gone_and_comes_back(session: Session) -> None:
    before = heard(session)
    row = rows_of_part(session, 0)[2]
    assert session.project.alignment is not None and session.project.recording is not None
    onset = int(session.project.alignment.note_times.onset_frame[row])
    session.apply(note_edits.mute(session.project, keys_of(session, row)))
    settle(session)
    muted, rate = heard(session), session.project.recording.sample_rate
    inside = slice(onset + rate // 20, onset + rate * 4 // 10)
    loud, quiet = (np.linalg.norm(stems[0][:, inside]) for stems in (before, muted))
    assert 20 * np.log10(loud / quiet) > 15.0
    later = slice(onset + rate * 13 // 10, None)
    np.testing.assert_array_equal(muted[0][:, later], before[0][:, later])
    np.testing.assert_array_equal(muted[1], before[1])
    assert session.undo_text == "Mute note"
    session.undo()
    for key, samples in heard(session).items():
        np.testing.assert_array_equal(samples, before[key])


def test_what_is_removed_from_a_part_is_in_the_residual(session: Session) -> None:
    before = heard(session)
    session.apply(note_edits.remove(session.project, keys_of(session, *rows_of_part(session, 1)[:3])))
    assert session.undo_text == "Remove 3 notes"
    settle(session)
    after = heard(session)
    assert np.abs(after["residual"]).max() > 0.1
    np.testing.assert_allclose(sum(after.values()), sum(before.values()), atol=1e-6)


def test_gain_is_heard_at_once_where_the_sound_is_there(session: Session) -> None:
    keys = keys_of(session, rows_of_part(session, 0)[0])
    session.apply(note_edits.set_gain(session.project, keys, -6.0))
    settle(session)
    quieter = session.notes.patches()[0][0]
    session.apply(note_edits.set_gain(session.project, keys, 6.0))
    assert session.jobs.get(JOB) is None  # nothing is to be made again
    louder = session.notes.patches()[0][0]
    assert quieter.factor == pytest.approx(10**-0.3 - 1) and louder.factor == pytest.approx(10**0.3 - 1)
    assert quieter.samples is louder.samples


def test_undo_takes_back_a_whole_selection_at_once(session: Session) -> None:
    keys = keys_of(session, *rows_of_part(session, 0))
    session.apply(note_edits.mute(session.project, keys))
    assert len(session.project.note_edits) == len(keys)
    session.undo()
    assert session.project.note_edits == ()
    session.redo()
    assert {edit.key for edit in session.project.note_edits} == set(keys)
    assert all(edit.gain_db == -math.inf for edit in session.project.note_edits)


def test_muting_twice_unmutes_and_restoring_leaves_no_trace(session: Session) -> None:
    project, keys = session.project, keys_of(session, 0, 1)
    muted = apply_change(project, note_edits.mute(project, keys))
    half = apply_change(muted, note_edits.set_gain(muted, keys[:1], 3.0))
    assert note_edits.mute(half, keys).text == "Mute 2 notes"
    assert apply_change(muted, note_edits.mute(muted, keys)) == project
    assert apply_change(half, note_edits.restore(half, keys)) == project
    with pytest.raises(UsageError, match="Select notes"):
        note_edits.mute(project, ())


def test_edits_survive_saving_and_opening(session: Session, desk: Desk) -> None:
    keys = keys_of(session, *rows_of_part(session, 0)[:4])
    session.apply(note_edits.mute(session.project, keys[:1]))
    session.apply(note_edits.set_gain(session.project, keys[1:3], 4.5))
    session.apply(note_edits.remove(session.project, keys[3:]))
    settle(session)
    wanted = heard(session)
    session.storage.save(desk.folder / "work.scoresep")
    other = desk.session()
    other.storage.open(desk.folder / "work.scoresep")
    settle(other)
    assert other.project.note_edits == session.project.note_edits
    for key, samples in heard(other).items():
        np.testing.assert_array_equal(samples, wanted[key])


def test_edits_follow_the_notes_to_another_alignment(session: Session) -> None:
    keys = keys_of(session, rows_of_part(session, 0)[5])
    session.apply(note_edits.mute(session.project, keys))
    settle(session)
    before = session.notes.patches()[0][0].start_frame
    assert session.project.recording is not None
    rate = session.project.recording.sample_rate
    session.apply(edits.place_bar(session.project, SyncPoint(1, 1, 1.0, before + rate // 5)))
    settle(session)
    (patch,) = session.notes.patches()[0]
    assert patch.start_frame != before and session.project.note_edits == (NoteEdit(keys[0], -math.inf),)


def test_edits_stay_where_the_stems_are_out_of_date(session: Session) -> None:
    session.apply(note_edits.mute(session.project, keys_of(session, 0)))
    settle(session)
    session.apply(edits.set_recipe(session.project, replace(session.project.recipe, seed=7)))
    assert session.notes.patches()


def test_hearing_waits_until_the_sound_is_made_and_not_for_ever(session: Session) -> None:
    keys, called = keys_of(session, 0, 1), []
    session.notes.want(keys, lambda: called.append(1))
    assert not called
    until(session, lambda: bool(called))
    assert len(session.notes.alone(keys)) == 2
    session.notes.want(keys, lambda: called.append(2))
    assert called == [1, 2]
    more = keys_of(session, *rows_of_part(session, 1))
    session.notes.want(more, lambda: called.append(3))
    job = session.jobs.get(JOB)
    assert job is not None
    session.jobs.cancel(job)
    settle(session)
    assert job.state is JobState.CANCELLED and called == [1, 2]


def test_notes_of_parts_that_share_a_stem_are_taken_out_of_that(session: Session) -> None:
    session.apply(edits.set_part(session.project, 1, "Join", joined_to=0))
    keys = keys_of(session, rows_of_part(session, 0)[1], rows_of_part(session, 1)[1])
    session.apply(note_edits.mute(session.project, keys))
    settle(session)
    assert {key: len(patches) for key, patches in session.notes.patches().items()} == {0: 2}


def test_a_score_that_is_replaced_keeps_the_edits(session: Session) -> None:
    keys = keys_of(session, rows_of_part(session, 1)[3])
    session.apply(note_edits.set_gain(session.project, keys, 2.0))
    score, score_file = session.project.score, session.project.score_file
    assert score is not None and score_file is not None
    corrected = replace(score, title="Corrected")
    session.apply(edits.set_score(session.project, score_file, corrected))
    assert session.project.note_edits == (NoteEdit(keys[0], 2.0),)
    fewer = replace(score, parts=score.parts[:1], title="One part")
    only_high = score.notes.part_index == 0
    columns = {name: getattr(score.notes, name)[only_high] for name in type(score.notes).__dataclass_fields__}
    session.apply(edits.set_score(session.project, score_file, replace(fewer, notes=replace(score.notes, **columns))))
    assert session.project.note_edits == ()
    session.undo()
    assert session.project.note_edits == (NoteEdit(keys[0], 2.0),)


def test_notes_without_stems_say_so(desk: Desk) -> None:
    session = desk.aligned()
    with pytest.raises(UsageError, match="separate"):
        session.notes.want(keys_of(session, 0), lambda: None)
    session.apply(note_edits.mute(session.project, keys_of(session, 0)))
    assert session.jobs.get(JOB) is None and session.notes.patches() == {}


def test_a_script_gets_the_sound_of_notes(session: Session) -> None:
    rows = rows_of_part(session, 0)
    sound = note_sound(session.project, rows[:1])
    assert session.project.recording is not None
    assert sound.shape == (session.project.recording.channels, session.project.recording.frames)
    everything = note_sound(session.project, rows)
    stem = heard(session)[0]
    assert np.linalg.norm(everything - stem) < 0.1 * np.linalg.norm(stem)
    assert np.linalg.norm(sound) < 0.5 * np.linalg.norm(stem)


def test_another_score_keeps_the_edits_of_parts_and_bars_that_go_on() -> None:
    def edit(part: int, measure: int) -> NoteEdit:
        return NoteEdit(NoteKey(part, measure, 1, 1.0, 60.0), -3.0)

    present = (edit(0, 0), edit(1, 0), edit(1, 5), edit(2, 0))
    kept = note_edits.carry_note_edits_over(present, (1, 0, None), frozenset({0, 1}))
    assert kept == (edit(0, 0), edit(1, 0))
    assert note_edits.carry_note_edits_over(present, (1, None), frozenset({0, 5})) == (edit(0, 0), edit(0, 5))
