"""Recordings that are not where a project expects them, or not what they were."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from duet import RATE
from session_desk import Desk, make_stems, rename_part, settle, stem_folder, texts

from scoresep.errors import ProjectFileError
from scoresep.files.project_files import load_project
from scoresep.model.project import RecipeRule
from scoresep.session import edits
from scoresep.session.recipes import set_rule


def test_a_recording_that_has_moved_is_asked_for_and_found(desk: Desk) -> None:
    session = desk.with_own_files()
    make_stems(session)
    rename_part(session, "Traverso")
    session.save(desk.folder / "piece")
    saved = session.project
    (desk.folder / "elsewhere").mkdir()
    moved = (desk.folder / desk.duet.audio.name).rename(desk.folder / "elsewhere" / "take.wav")
    session.open_project(desk.folder / "piece.scoresep")
    missing = session.missing_recording
    assert missing is not None and missing.name == desk.duet.audio.name and session.source is None
    assert session.messages == () and session.project.alignment == saved.alignment
    session.relink_recording(desk.folder / "nothing.wav")
    settle(session)
    assert session.missing_recording is not None and len(texts(session, "error")) == 1
    session.relink_recording(moved)
    settle(session)
    assert session.missing_recording is None and session.source is not None and session.messages == ()
    assert session.undo_text == "" and session.is_modified and not session.has_stale_stems
    session.save()
    assert load_project(desk.folder / "piece.scoresep").missing_recording is None


def test_a_recording_that_is_back_in_its_place_is_read_again(desk: Desk) -> None:
    session = desk.with_own_files()
    session.save(desk.folder / "piece")
    audio = desk.folder / desk.duet.audio.name
    away = audio.rename(desk.folder / "away.wav.bak")
    session.open_project(desk.folder / "piece.scoresep")
    assert session.missing_recording is not None and session.source is None
    away.rename(audio)
    session.open_recording(audio)
    settle(session)
    assert session.missing_recording is None and session.source is not None and session.project.alignment is not None
    assert not session.is_modified


def test_edits_made_while_the_recording_is_looked_for_stay(desk: Desk) -> None:
    session = desk.with_own_files()
    session.apply(set_rule(session.project, RecipeRule("nmf", "best", 0, RATE, 2 * RATE)))
    session.save(desk.folder / "piece")
    audio = desk.folder / desk.duet.audio.name
    samples, _ = soundfile.read(audio)
    audio.unlink()
    twice = desk.folder / "other rate.wav"
    soundfile.write(twice, np.repeat(samples, 2, axis=0), 2 * RATE)
    session.open_project(desk.folder / "piece.scoresep")
    session.relink_recording(twice)
    frame = 3 * RATE
    session.apply(edits.place_bar(session.project, edits.SyncPoint(1, 1, 1.0, frame)))
    settle(session)
    assert [p.frame for p in session.project.hand_points] == [2 * frame]
    (rule,) = session.project.recipe.rules
    assert (rule.start_frame, rule.end_frame) == (2 * RATE, 4 * RATE)
    assert "not the file that this project was made with" in texts(session, "warning")[0]
    assert session.undo_text == "Find recording" and session.source is not None


def test_undoing_to_a_recording_that_is_gone_asks_for_it(desk: Desk) -> None:
    session = desk.with_own_files()
    other = desk.folder / "other.wav"
    soundfile.write(other, 0.1 * np.ones((5000, 1)), RATE)
    session.open_recording(other)
    settle(session)
    assert session.missing_recording is None
    session.undo()
    assert session.source is not None
    session.redo()
    other.unlink()
    session.undo()
    session.redo()
    assert session.missing_recording is not None and session.source is None
    session.undo()
    assert session.missing_recording is None and session.source is not None


def test_a_recording_that_has_changed_is_said(desk: Desk) -> None:
    session = desk.with_own_files()
    session.save(desk.folder / "piece")
    soundfile.write(desk.folder / desk.duet.audio.name, 0.1 * np.ones((5 * RATE, 2)), RATE)
    session.open_project(desk.folder / "piece.scoresep")
    settle(session)
    assert "not the file that this project was made with" in texts(session, "warning")[0]
    assert session.source is not None and session.source.frames == 5 * RATE


def test_a_project_that_cannot_be_opened_leaves_the_present_one(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    before = session.project
    damaged = desk.folder / "damaged.scoresep"
    damaged.write_bytes(b"PK no")
    session.start_alignment()
    with pytest.raises(ProjectFileError):
        session.open_project(damaged)
    assert session.project is before and session.job("alignment") is not None and stem_folder(session).exists()
