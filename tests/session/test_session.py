"""Opening, aligning and editing in a session, with real files and real worker processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from duet import BEAT_S, LEAD_S, RATE
from session_desk import Desk, settle, texts, until

from scoresep.edits import project as edits
from scoresep.errors import InputError
from scoresep.files.audio.recordings import open_recording
from scoresep.files.storage.cache import cache_folder
from scoresep.model.project import ChannelStrip, Project
from scoresep.model.timemap import SyncPoint
from scoresep.session import pipeline
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed

# ------------------------------------------------------------------------------------------------------- opening


def test_a_recording_alone_is_shown_and_waits(desk: Desk) -> None:
    session = desk.session()
    session.inputs.open_recording(desk.duet.audio)
    until(session, lambda: session.recording.pyramid is not None)
    settle(session)
    assert session.recording.source is not None and session.project.recording is not None
    assert session.project.score is None and session.messages.shown == () and session.undo_text == ""
    assert "Align" not in desk.runner.titles
    with pytest.raises(InputError, match="Open a score first"):
        session.alignment.start()


def test_a_score_alone_is_shown_and_waits(desk: Desk) -> None:
    session = desk.session()
    session.inputs.open_score(desk.duet.score)
    settle(session)
    assert session.project.unfolded is not None and [p.name for p in session.project.parts] == ["Flute", "Cello"]
    assert session.project.alignment is None and session.undo_text == "" and "Align" not in desk.runner.titles


@pytest.mark.parametrize("recording_first", [True, False])
def test_both_in_either_order_are_aligned_by_themselves_once(desk: Desk, recording_first: bool) -> None:
    session = desk.session()
    if recording_first:
        session.inputs.open_recording(desk.duet.audio)
        session.inputs.open_score(desk.duet.score)
    else:
        session.inputs.open_score(desk.duet.score)
        session.inputs.open_recording(desk.duet.audio)
    until(session, lambda: session.project.alignment is not None)
    settle(session)
    assert desk.runner.titles.count("Align") == 1 and session.project.pending_alignment is None
    project = session.project
    assert project.alignment is not None and project.unfolded is not None
    onsets_s = project.alignment.note_times.onset_frame[project.unfolded.notes.part_index == 0] / RATE
    np.testing.assert_allclose(onsets_s, LEAD_S + BEAT_S * np.arange(16), atol=0.05)
    assert project.activities == pipeline.segment(project).activities
    assert session.undo_text == "Align"


@pytest.mark.parametrize("recording_first", [True, False])
def test_a_recording_whose_content_has_to_be_hashed_again_is_aligned_once_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, recording_first: bool
) -> None:
    desk.runner.warm_up([Worker.LIGHT])  # it notes what it has hashed in another cache than the session looks in
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(desk.folder / "cache"))
    audio = desk.folder / "copy.wav"
    shutil.copy(desk.duet.audio, audio)
    session = desk.session()
    openings = [lambda: session.inputs.open_recording(audio), lambda: session.inputs.open_score(desk.duet.score)]
    for opening in openings if recording_first else reversed(openings):
        opening()
        settle(session)
    assert "Read recording" in desk.runner.titles, "the case that this is about"
    assert session.project.alignment is not None and session.messages.shown == (), session.messages.shown
    assert desk.runner.titles.count("Align") == 1


def test_nothing_is_aligned_by_itself_where_a_person_does_not_want_it(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    session.inputs.open_recording(desk.duet.audio)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    assert session.project.score is not None and session.project.recording is not None
    assert "Align" not in desk.runner.titles


def test_what_a_person_could_take_back_is_still_there_after_the_other_file_is_opened(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    session.apply(edits.set_part(session.project, 0, "Rename part", name="Traverso"))
    session.inputs.open_recording(desk.duet.audio)
    settle(session)
    assert session.undo_text == "Rename part"
    session.undo()
    assert session.project.parts[0].name == "Flute" and session.project.recording is not None


def test_errors_go_when_the_next_try_goes_well(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    empty = desk.folder / "empty.wav"
    empty.touch()
    session.inputs.open_recording(empty)
    settle(session)
    assert len(texts(session, "error")) == 1 and "empty (0 bytes)" in texts(session)[0]
    session.inputs.open_recording(desk.folder / "nothing.wav")
    settle(session)
    assert len(texts(session, "error")) == 1 and "not there" in texts(session)[0], "one sentence for one matter"
    session.inputs.open_recording(desk.duet.audio)
    settle(session)
    assert session.messages.shown == () and session.project.recording is not None


def test_a_bad_file_leaves_the_good_one_and_what_is_said_of_it(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    cut_off = desk.folder / "cut.wav"
    cut_off.write_bytes(desk.duet.audio.read_bytes()[:-100_000])
    session.inputs.open_recording(cut_off)
    settle(session)
    warnings = texts(session, "warning")
    assert len(warnings) == 1 and "cut off" in warnings[0]
    session.inputs.open_recording(desk.folder / "nothing.wav")
    settle(session)
    assert texts(session, "warning") == warnings and len(texts(session, "error")) == 1
    assert session.project.recording is not None and session.project.recording.path == str(cut_off)


def test_refusals_of_what_was_just_tried_go_with_the_next_edit(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    session.say("error", "That cannot be done.")
    session.say("error", "Nor can this.")
    assert texts(session) == ["Nor can this."]
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    assert texts(session) == ["Nor can this."]
    session.apply(edits.set_part(session.project, 0, "Rename part", name="Traverso"))
    assert texts(session) == []


def test_badly_formed_repeats_are_said(desk: Desk) -> None:
    text = desk.duet.score.read_text(encoding="utf-8")
    sign = '<direction><direction-type><words>D.S.</words></direction-type><sound dalsegno="x"/></direction>'
    odd = desk.folder / "odd.musicxml"
    last_bar = text.index('<measure number="4">')
    end = text.index("</measure>", last_bar)
    odd.write_text(text[:end] + sign + text[end:], encoding="utf-8")
    session = desk.session(aligns_on_open=False)
    session.inputs.open_score(odd)
    settle(session)
    assert any("dal segno at bar 4 is not followed" in t for t in texts(session, "warning")), session.messages.shown
    session.inputs.open_score(desk.duet.score)
    settle(session)
    assert session.messages.shown == ()


def test_a_recording_whose_decoded_form_was_cleaned_away_is_decoded_in_the_background(desk: Desk) -> None:
    packed = desk.folder / "duet.ogg"
    samples, _ = soundfile.read(desk.duet.audio)
    soundfile.write(packed, samples, RATE)
    session = desk.session(aligns_on_open=False)
    session.inputs.open_recording(packed)
    settle(session)
    session.storage.save(desk.folder / "piece")
    for decoded in (cache_folder() / "audio").iterdir():
        decoded.unlink()
    os.utime(packed, (1, 1))  # so that it must be looked through
    before = session.project
    session.storage.begin()
    session.storage.open(desk.folder / "piece.scoresep")
    assert session.jobs.get("project") is not None and session.project == Project()
    until(session, lambda: session.project == before)
    assert (
        session.recording.source is None
        and session.recording.missing is None
        and session.jobs.get("source") is not None
    )
    settle(session)
    assert session.recording.source is not None and session.recording.source.read(0, 100).shape == (2, 100)
    assert session.recording.pyramid is not None and session.messages.shown == ()


def test_a_project_that_opens_late_does_not_replace_what_was_done_meanwhile(desk: Desk) -> None:
    recording = desk.folder / "copy.wav"
    recording.write_bytes(desk.duet.audio.read_bytes())
    session = desk.session(aligns_on_open=False)
    session.inputs.open_recording(recording)
    settle(session)
    session.storage.save(desk.folder / "piece")
    os.utime(recording, (1, 1))
    session.storage.open(desk.folder / "piece.scoresep")
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    settle(session)
    assert session.project.mixer.master_gain_db == -3.0 and "went on working" in texts(session)[0]


# ------------------------------------------------------------------------------------------------------ aligning


def test_a_later_alignment_waits_and_is_accepted_rejected_undone_and_redone(desk: Desk) -> None:
    session = desk.aligned()
    first = session.project.alignment
    session.apply(edits.place_bar(session.project, SyncPoint(1, 1, 1.0, round((LEAD_S + 4.2 * BEAT_S) * RATE))))
    placed = session.project
    session.alignment.start()
    settle(session)
    waiting = session.project
    assert waiting.alignment == placed.alignment and waiting.pending_alignment is not None
    session.alignment.accept()
    accepted = session.project
    assert accepted.alignment == waiting.pending_alignment and accepted.pending_alignment is None
    assert accepted.activities == pipeline.segment(accepted).activities
    session.undo()
    assert session.project == waiting
    session.apply(edits.reject_alignment(session.project))
    assert session.project == placed
    for _ in range(3):
        session.undo()
    assert session.project.alignment == first and session.project.hand_points == ()
    for _ in range(3):
        session.redo()
    assert session.project == placed and session.redo_text == ""


def test_an_alignment_of_an_outdated_state_is_dropped_and_made_anew(desk: Desk) -> None:
    session = desk.aligned()
    session.alignment.start()
    outdated = session.jobs.get("alignment")
    frame = round((LEAD_S + 8.3 * BEAT_S) * RATE)
    session.apply(edits.place_bar(session.project, SyncPoint(2, 1, 1.0, frame)))
    renewed = session.jobs.get("alignment")
    assert outdated is not None and outdated.is_over and renewed is not None and renewed is not outdated
    settle(session)
    pending = session.project.pending_alignment
    assert pending is not None and pending.time_map.quarter_to_frame(8.0) == frame


def test_an_alignment_that_nobody_waits_for_any_more_is_dropped(desk: Desk) -> None:
    session = desk.aligned()
    aligned = session.project
    session.apply(edits.place_bar(session.project, SyncPoint(1, 1, 1.0, round((LEAD_S + 4.2 * BEAT_S) * RATE))))
    session.apply(replace_path(session.project))
    session.alignment.start()
    session.undo()  # back to the path that is aligned
    assert session.jobs.get("alignment") is None
    session.undo()
    settle(session)
    assert session.project == aligned


def replace_path(project: Project) -> edits.Change:
    """Play the first bar twice."""
    assert project.path is not None
    return edits.change_to(
        project, "Repeat", path=replace(project.path, measure_indices=(0, 0, 1, 2, 3)), alignment=None, hand_points=()
    )


def test_parts_that_become_absent_while_it_is_aligned_are_silent_afterwards(desk: Desk) -> None:
    session = desk.session()
    session.inputs.open_recording(desk.duet.audio)
    session.inputs.open_score(desk.duet.score)
    until(session, lambda: session.jobs.get("alignment") is not None)
    session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
    settle(session)
    assert session.project.activities is not None and len(session.project.activities[1].start_frame) == 0
    assert desk.runner.titles.count("Align") == 1, "that part has no bearing on the alignment"


def test_who_plays_when_is_found_again_in_the_background(desk: Desk) -> None:
    session = desk.aligned()
    found = session.project.activities
    session.apply(edits.change_to(session.project, "Clear", activities=None))
    session.alignment.start_segmentation()
    settle(session)
    assert session.project.activities == found and session.undo_text == "Segment"


def test_a_cancelled_alignment_leaves_all_as_it_was_and_the_next_goes_well(desk: Desk) -> None:
    session = desk.aligned()
    before = session.project
    session.alignment.start()
    job = session.jobs.get("alignment")
    assert job is not None
    until(session, lambda: job.progress.fraction > 0)
    session.jobs.cancel(job)
    settle(session)
    assert session.project is before and session.messages.shown == ()
    session.alignment.start()
    settle(session)
    assert session.project.pending_alignment is not None


# ------------------------------------------------------------------------------------- what is by hand, and files


def test_a_corrected_score_keeps_points_by_hand_and_settings_of_parts_and_can_be_taken_back(desk: Desk) -> None:
    session = desk.aligned()
    session.apply(edits.set_part(session.project, 1, "Colour", color="#123456", name="Basso"))
    frame = round((LEAD_S + 4.2 * BEAT_S) * RATE)
    session.apply(edits.place_bar(session.project, SyncPoint(1, 1, 1.0, frame)))
    before = session.project
    corrected = desk.folder / "corrected.musicxml"
    text = desk.duet.score.read_text(encoding="utf-8")
    corrected.write_text(text.replace("<octave>3</octave>", "<octave>2</octave>", 1), encoding="utf-8")
    session.inputs.open_score(corrected)
    until(session, lambda: session.project.score != before.score and session.project.alignment is not None)
    project = session.project
    assert project.parts[1].color == "#123456" and project.parts[1].name == "Basso"
    assert [p.frame for p in project.hand_points] == [frame]
    assert project.alignment is not None and project.alignment.time_map.quarter_to_frame(4.0) == frame
    session.undo()
    session.undo()
    assert session.project == before


def test_opening_the_same_score_again_does_not_align_again(desk: Desk) -> None:
    session = desk.aligned()
    before = session.project
    session.inputs.open_score(desk.duet.score)
    session.inputs.open_recording(desk.duet.audio)
    settle(session)
    assert session.project == before and desk.runner.titles.count("Align") == 1


def test_another_recording_takes_the_place_and_is_aligned(desk: Desk) -> None:
    session = desk.aligned()
    samples, _ = soundfile.read(desk.duet.audio)
    other = desk.folder / "other.wav"
    soundfile.write(other, np.concatenate([np.zeros((RATE, 2)), samples]), RATE)
    session.inputs.open_recording(other)
    settle(session)
    alignment = session.project.alignment
    assert alignment is not None and alignment.note_times.onset_frame[0] / RATE == pytest.approx(1 + LEAD_S, abs=0.05)
    assert session.recording.source is not None and session.recording.source.frames == len(samples) + RATE
    session.undo()
    session.undo()
    assert session.recording.source is not None and session.recording.source.frames == len(samples)


# ------------------------------------------------------------------------------------------- the mixer and others


def test_mixer_moves_are_told_and_saved_but_cannot_be_undone(desk: Desk) -> None:
    session = desk.aligned()
    session.storage.save(desk.folder / "piece")
    heard: list[Changed] = []
    session.subscribe(heard.append)
    strips = (ChannelStrip(gain_db=-6.0), ChannelStrip(is_muted=True))
    session.set_mixer(replace(session.project.mixer, strips=strips), by=desk)
    assert [c.what for c in heard] == [{"mixer", "file"}] and heard[0].by is desk
    assert session.storage.is_modified and session.undo_text == "Align"
    session.undo()
    assert session.project.mixer.strips == strips


def test_listeners_hear_of_a_change_until_they_leave(desk: Desk) -> None:
    session = desk.session()
    heard: list[Changed] = []
    leave = session.subscribe(heard.append)
    session.say("info", "Hello.")
    leave()
    session.say("info", "Goodbye.")
    assert [c.what for c in heard] == [{"messages"}]


def test_the_score_is_not_unfolded_again_at_every_move_in_the_mixer(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    unfolded = session.project.unfolded
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    assert session.project.unfolded is unfolded


def test_polling_where_nothing_is_under_way_tells_and_writes_nothing(desk: Desk) -> None:
    session = desk.session()
    told: list[Changed] = []
    session.subscribe(told.append)
    for _ in range(200):
        session.poll()
    assert told == [] and not (desk.folder / "state").exists()


HEAVY = ("torch", "music21", "PySide6", "scipy", "av", "librosa", "sounddevice", "numba")
IMPORT = f"import scoresep.session.session, sys; print([m for m in {HEAVY} if m in sys.modules])"


def test_the_session_is_imported_without_anything_heavy() -> None:
    answer = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"


PLAIN_SCRIPT = """
import multiprocessing
import scoresep
project = scoresep.segment(scoresep.open({audio!r}, {score!r}))
print("segments:", len(scoresep.segments(project)), "processes:", len(multiprocessing.active_children()))
"""


def test_a_plain_script_needs_no_guard_since_its_work_is_done_in_place(desk: Desk, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PLAIN_SCRIPT.format(audio=str(desk.duet.audio), score=str(desk.duet.score)), encoding="utf-8")
    answer = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
    assert answer.stdout.count("segments:") == 1 and "processes: 0" in answer.stdout


UNGUARDED = """
import time
from scoresep.session.session import Session
from scoresep.session.settings import Settings
session = Session(Settings())
session.inputs.open_recording({audio!r})
while session.jobs.all:
    session.poll()
    time.sleep(0.01)
print(*(m.text for m in session.messages.shown), sep="\\n")
session.close()
"""


def test_a_session_in_a_script_without_a_guard_says_that_work_cannot_start_and_ends(desk: Desk, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED.format(audio=str(desk.duet.audio)), encoding="utf-8")
    answer = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=60)
    assert "could not be started" in answer.stdout


def test_recordings_of_a_session_are_those_of_the_files_layer(desk: Desk) -> None:
    session = desk.session()
    session.inputs.open_recording(desk.duet.audio)
    settle(session)
    assert session.project.recording == open_recording(desk.duet.audio)
