"""What scripts call: opening whatever there is, saving, and writing tables."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from duet import Duet
from session_desk import Desk

import scoresep
from scoresep.errors import InputError, UsageError


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
