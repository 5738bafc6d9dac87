"""Recordings that are not where a project expects them, or not what they were."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from duet import RATE
from session_desk import Desk, make_stems, rename_part, settle, stem_folder, texts

from scoresep.edits import project as edits
from scoresep.edits.recipes import set_rule
from scoresep.errors import ProjectFileError
from scoresep.files.project.project_files import load_project
from scoresep.model.project import RecipeRule


def test_a_recording_that_has_moved_is_asked_for_and_found(desk: Desk) -> None:
    session = desk.with_own_files()
    make_stems(session)
    rename_part(session, "Traverso")
    session.storage.save(desk.folder / "piece")
    saved = session.project
    (desk.folder / "elsewhere").mkdir()
    moved = (desk.folder / desk.duet.audio.name).rename(desk.folder / "elsewhere" / "take.wav")
    session.storage.open(desk.folder / "piece.scoresep")
    missing = session.recording.missing
    assert missing is not None and missing.name == desk.duet.audio.name and session.recording.source is None
    assert session.messages.shown == () and session.project.alignment == saved.alignment
    session.inputs.relink_recording(desk.folder / "nothing.wav")
    settle(session)
    assert session.recording.missing is not None and len(texts(session, "error")) == 1
    session.inputs.relink_recording(moved)
    settle(session)
    assert session.recording.missing is None and session.recording.source is not None and session.messages.shown == ()
    assert session.undo_text == "" and session.storage.is_modified and not session.separation.has_stale_stems
    session.storage.save()
    assert load_project(desk.folder / "piece.scoresep").missing_recording is None


def test_a_recording_that_is_back_in_its_place_is_read_again(desk: Desk) -> None:
    session = desk.with_own_files()
    session.storage.save(desk.folder / "piece")
    audio = desk.folder / desk.duet.audio.name
    away = audio.rename(desk.folder / "away.wav.bak")
    session.storage.open(desk.folder / "piece.scoresep")
    assert session.recording.missing is not None and session.recording.source is None
    away.rename(audio)
    session.inputs.open_recording(audio)
    settle(session)
    assert (
        session.recording.missing is None
        and session.recording.source is not None
        and session.project.alignment is not None
    )
    assert not session.storage.is_modified


def test_edits_made_while_the_recording_is_looked_for_stay(desk: Desk) -> None:
    session = desk.with_own_files()
    session.apply(set_rule(session.project, RecipeRule("nmf", "best", 0, RATE, 2 * RATE)))
    session.storage.save(desk.folder / "piece")
    audio = desk.folder / desk.duet.audio.name
    samples, _ = soundfile.read(audio)
    audio.unlink()
    twice = desk.folder / "other rate.wav"
    soundfile.write(twice, np.repeat(samples, 2, axis=0), 2 * RATE)
    session.storage.open(desk.folder / "piece.scoresep")
    session.inputs.relink_recording(twice)
    frame = 3 * RATE
    session.apply(edits.place_bar(session.project, edits.SyncPoint(1, 1, 1.0, frame)))
    settle(session)
    assert [p.frame for p in session.project.hand_points] == [2 * frame]
    (rule,) = session.project.recipe.rules
    assert (rule.start_frame, rule.end_frame) == (2 * RATE, 4 * RATE)
    assert "not the file that this project was made with" in texts(session, "warning")[0]
    assert session.undo_text == "Find recording" and session.recording.source is not None


def test_undoing_to_a_recording_that_is_gone_asks_for_it(desk: Desk) -> None:
    session = desk.with_own_files()
    other = desk.folder / "other.wav"
    soundfile.write(other, 0.1 * np.ones((5000, 1)), RATE)
    session.inputs.open_recording(other)
    settle(session)
    assert session.recording.missing is None
    session.undo()
    assert session.recording.source is not None
    session.redo()
    other.unlink()
    session.undo()
    session.redo()
    assert session.recording.missing is not None and session.recording.source is None
    session.undo()
    assert session.recording.missing is None and session.recording.source is not None


def test_a_recording_that_has_changed_is_said(desk: Desk) -> None:
    session = desk.with_own_files()
    session.storage.save(desk.folder / "piece")
    soundfile.write(desk.folder / desk.duet.audio.name, 0.1 * np.ones((5 * RATE, 2)), RATE)
    session.storage.open(desk.folder / "piece.scoresep")
    settle(session)
    assert "not the file that this project was made with" in texts(session, "warning")[0]
    assert session.recording.source is not None and session.recording.source.frames == 5 * RATE


def test_a_project_that_cannot_be_opened_leaves_the_present_one(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    before = session.project
    damaged = desk.folder / "damaged.scoresep"
    damaged.write_bytes(b"PK no")
    session.alignment.start()
    with pytest.raises(ProjectFileError):
        session.storage.open(damaged)
    assert session.project is before and session.jobs.get("alignment") is not None and stem_folder(session).exists()
