"""Making stems in a session: when they are out of date, cancelling, and what is left when the worker is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from duet import BEAT_S, LEAD_S, RATE
from session_desk import Desk, make_stems, settle, texts, until

from scoresep.edits import project as edits
from scoresep.errors import InputError
from scoresep.files.audio.stems import StemSource
from scoresep.model.project import Recipe
from scoresep.model.score import Instrument
from scoresep.model.timemap import SyncPoint
from scoresep.session import pipeline
from scoresep.session.exporting import ExportChoices
from scoresep.session.jobs import JobRunner
from scoresep.session.separation_job import separation_request
from scoresep.session.session import Session
from scoresep.session.settings import Settings

PREVIEW = Recipe("auto", "preview", 0)


def is_being_written(session: Session) -> bool:
    """Whether the worker is in the midst of it: its hidden folder is there."""
    return any(session.storage.store.stems.folder.glob(".*.part"))


def start_and_wait_until_it_writes(session: Session) -> None:
    session.separation.start(PREVIEW, "cpu")
    until(
        session, lambda: any(session.storage.store.stems.folder.glob(".*.part/*.wav"))
    )  # the folder is claimed by then


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.name != ".lock") if folder.exists() else []


def test_stems_are_made_of_the_whole_recording_and_taken_again_when_all_is_as_it_was(desk: Desk) -> None:
    session = desk.aligned()
    with pytest.raises(InputError, match="no stems"):
        session.export.start(ExportChoices(str(desk.folder / "out")))
    session.separation.start(PREVIEW, "cpu")
    settle(session)
    stem_set = session.project.stem_set
    assert stem_set is not None and session.undo_text == "Separate" and session.project.recipe == PREVIEW
    assert not session.separation.has_stale_stems and texts(session, "error") == []
    total = sum(StemSource(Path(stem_set.folder) / stem.file).read(0, 10**9) for stem in stem_set.stems)
    np.testing.assert_allclose(total, soundfile.read(desk.duet.audio)[0].T, atol=1e-5)

    session.undo()
    assert session.project.stem_set is None and session.project.recipe == Recipe()
    desk.runner.titles.clear()
    session.separation.start(PREVIEW, "cpu")
    assert session.project.stem_set == stem_set and desk.runner.titles == [], "nothing is computed twice"


def test_stems_are_out_of_date_after_what_changes_how_they_sound_and_not_after_anything_else(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    assert not session.separation.has_stale_stems
    project = session.project
    frame = round((LEAD_S + 4.2 * BEAT_S) * RATE)
    for change in (
        edits.set_part(project, 1, "Leave part out", is_absent=True),
        edits.set_part(project, 1, "Join", joined_to=0),
        edits.set_part(project, 0, "Choose instrument", instrument=Instrument("Oboe", 68)),
        edits.set_recipe(project, replace(project.recipe, budget="best")),
        edits.place_bar(project, SyncPoint(1, 1, 1.0, frame)),
    ):
        session.apply(change)
        assert session.separation.has_stale_stems, change.text
        session.undo()
        assert not session.separation.has_stale_stems, change.text
    session.apply(edits.set_part(project, 0, "Rename part", name="Traverso", color="#123456"))
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    assert not session.separation.has_stale_stems
    for part in (0, 1):
        session.apply(edits.set_part(session.project, part, "Leave part out", is_absent=True))
    assert session.separation.has_stale_stems
    with pytest.raises(InputError, match="leave at least one in"):
        session.separation.start(PREVIEW, "cpu")


def test_a_cancelled_separation_leaves_nothing_and_the_next_job_goes_well(desk: Desk) -> None:
    session = desk.aligned()
    before = session.project
    start_and_wait_until_it_writes(session)
    session.jobs.cancel(session.jobs.get("separation"))
    assert session.jobs.all == ()
    until(session, lambda: not is_being_written(session), 10.0)
    assert (
        session.project is before and session.messages.shown == () and visible(session.storage.store.stems.folder) == []
    )
    session.alignment.start()
    settle(session)
    assert session.project.pending_alignment is not None


def test_a_worker_that_is_killed_costs_the_job_and_the_next_one_goes_on_where_it_was(desk: Desk) -> None:
    session = desk.aligned()
    session.storage.save(desk.folder / "piece")
    before = session.project
    start_and_wait_until_it_writes(session)
    home = session.storage.store.stems.folder
    assert home == desk.folder / "piece.scoresep-data"
    (worker,) = (p for p in multiprocessing.active_children() if p.name == "scoresep-torch" and p.pid)
    os.kill(worker.pid or 0, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    settle(session)
    assert len(texts(session, "error")) == 1 and "nothing else is lost" in texts(session)[0]
    assert session.project is before and not session.storage.is_modified
    (left,) = home.glob(".*.part")
    start_and_wait_until_it_writes(session)
    assert list(home.glob(".*.part")) == [left], "it goes on in the same place"
    settle(session)
    stem_set = session.project.stem_set
    assert stem_set is not None and not list(home.glob(".*.part"))
    total = sum(StemSource(Path(stem_set.folder) / stem.file).read(0, 10**9) for stem in stem_set.stems)
    np.testing.assert_allclose(total, soundfile.read(desk.duet.audio)[0].T, atol=1e-5)


def test_what_a_separation_left_that_died_with_its_program_is_removed_before_the_next(desk: Desk) -> None:
    session = desk.aligned()
    session.storage.save(desk.folder / "piece")
    left = session.storage.store.stems.folder / ".stems-0123456789ab-abcdef.12345678.part"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    (left / "01 Flute.wav").write_bytes(bytes(1000))
    session.separation.start(PREVIEW, "cpu")
    assert not left.exists()
    session.jobs.cancel()


def test_a_separation_ends_when_its_recording_is_replaced(desk: Desk) -> None:
    session = desk.aligned(aligns_on_open=False)
    start_and_wait_until_it_writes(session)
    other = desk.folder / "other.wav"
    samples, _ = soundfile.read(desk.duet.audio)
    soundfile.write(other, samples[: len(samples) // 2], RATE)
    session.inputs.open_recording(other)
    until(session, lambda: session.jobs.get("separation") is None)
    settle(session)
    assert session.project.stem_set is None and session.project.alignment is None
    assert "The separation was stopped" in texts(session)[0]


def test_closing_while_jobs_run_leaves_no_processes(desk: Desk) -> None:
    others = {p.pid for p in multiprocessing.active_children()}
    session = Session(Settings(aligns_on_open=False), JobRunner())
    aligned = desk.aligned()
    session.apply(edits.set_recording(session.project, aligned.project.recording))  # type: ignore[arg-type]
    assert aligned.project.score is not None and aligned.project.score_file is not None
    session.apply(edits.set_score(session.project, aligned.project.score_file, aligned.project.score))
    project, alignment = session.project, aligned.project.alignment
    assert alignment is not None
    session.apply(edits.set_alignment(project, alignment, edits.derive_activities(project, alignment)))
    start_and_wait_until_it_writes(session)
    session.alignment.start()
    home = session.storage.store.stems.folder
    session.close()

    assert {p.pid for p in multiprocessing.active_children()} == others and not home.exists()


def test_the_request_says_the_same_in_a_session_and_in_a_script(desk: Desk) -> None:
    session = desk.aligned()
    script = pipeline.align(pipeline.open_files(desk.duet.audio, desk.duet.score)[0])
    request = separation_request(script, "elsewhere", "cpu")
    assert request.input_key == separation_request(session.project, "").input_key
