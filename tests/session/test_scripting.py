"""What scripts call: opening whatever there is, saving, and writing tables."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest
from duet import Duet
from session_desk import Desk

import scoresep
from scoresep.edits import project as edits
from scoresep.errors import InputError, UsageError
from scoresep.model.project import apply_change
from scoresep.model.timemap import SyncPoint


def test_a_project_is_saved_under_its_ending_and_opened_again(duet: Duet, tmp_path: Path) -> None:
    project = scoresep.open(duet.audio, duet.score)
    scoresep.save(project, tmp_path / "No. 1")
    assert scoresep.open(tmp_path / "No. 1.scoresep") == project
    (tmp_path / "No. 1.scoresep").rename(tmp_path / "NO1.SCORESEP")
    assert scoresep.open(tmp_path / "NO1.SCORESEP") == project


def test_what_is_doubtful_goes_to_the_log(desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = desk.with_own_files()
    scoresep.save(session.project, tmp_path / "piece")
    (tmp_path / desk.duet.audio.name).unlink()
    with caplog.at_level(logging.WARNING):
        project = scoresep.open(tmp_path / "piece.scoresep")
    assert project.alignment == session.project.alignment and "is not there" in caplog.text


def test_tables_of_what_is_not_there_are_refused(duet: Duet, tmp_path: Path) -> None:
    project = scoresep.open(duet.audio, duet.score)
    with pytest.raises(InputError, match="Align"):
        scoresep.write_notes(project, tmp_path / "notes.csv")
    with pytest.raises(UsageError, match="Segment"):
        scoresep.write_segments(project, tmp_path / "segments.csv")
    assert list(tmp_path.iterdir()) == []


def test_notes_that_were_moved_out_of_the_recording_are_not_in_the_table(desk: Desk, tmp_path: Path) -> None:
    project = desk.aligned().project
    assert project.recording is not None
    last_bar = SyncPoint(3, 1, 1.0, project.recording.frames - 1000)
    scoresep.write_notes(apply_change(project, edits.place_bar(project, last_bar)), tmp_path / "notes.csv")
    with open(tmp_path / "notes.csv", encoding="utf-8", newline="") as file:
        onsets_s = [float(row["onset_s"]) for row in csv.DictReader(file)]
    assert len(onsets_s) == 4 * 3 + 4 * 2 + 2 and max(onsets_s) < project.recording.duration_s
