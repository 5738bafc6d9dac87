"""Alignments from files: what is exported comes back the same, and what fits neither score nor recording is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from separation_audio import notes_of, played
from session_desk import Desk, settle, texts
from small_scores import even_alignment, scale_score

from scoresep.edits import project as edits
from scoresep.errors import InputError, UsageError
from scoresep.files.audio.recordings import open_recording
from scoresep.files.tables.alignment import export_alignment
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.project import Project, ScoreFile, apply_change
from scoresep.model.time_warping import WarpExtent
from scoresep.model.timemap import SyncPoint, rising_time_map
from scoresep.session.exporting import ExportChoices, export_request
from scoresep.session.importing import import_alignment

RATE = 48000
RECORDING = Recording("take.wav", "ab", 40 * RATE, 2, RATE)


@cache
def unaligned() -> Project:
    """Eight bars of quarters for two parts; bars 3 and 4 are played twice."""
    score = scale_score(8, starts_repeat={2: True}, repeat_passes={3: 2})
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a.xml", "01"), score))
    return apply_change(project, edits.set_recording(project, RECORDING))


def performed(seed: int = 0, left_out: float = 0.0) -> Project:
    """Align it at a tempo that changes all the time, with parts that are not quite together."""
    project, rng = unaligned(), np.random.default_rng(seed)
    unfolded = project.unfolded
    assert unfolded is not None and unfolded.end_quarter == 40
    quarters = np.arange(41.0)
    frames = np.cumsum(np.concatenate([[rng.uniform(0, 2)], rng.uniform(0.3, 1.3, 40)])) * RATE
    time_map = rising_time_map(quarters, np.rint(frames))
    notes = unfolded.notes
    onset = time_map.quarters_to_frames(notes.onset_quarter) + rng.integers(0, RATE // 25, len(notes))
    offset = np.maximum(time_map.quarters_to_frames(notes.onset_quarter + 0.9), onset + 100)
    is_present = rng.uniform(size=len(notes)) >= left_out
    confidence = rng.uniform(0.1, 1.0, len(notes)).astype(np.float32)
    alignment = Alignment(time_map, NoteTimes(onset, offset, confidence, is_present), 12.5, -2)
    return apply_change(project, edits.set_alignment(project, alignment, edits.derive_activities(project, alignment)))


def exported(project: Project, folder: Path, form: str) -> Path:
    request = export_request(project, ExportChoices(str(folder), container=form))  # type: ignore[arg-type]
    export_alignment(request)
    return folder


def aligned(project: Project) -> Alignment:
    assert project.alignment is not None
    return project.alignment


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1]), st.booleans())
def test_notes_come_back_from_midi(
    tmp_path_factory: pytest.TempPathFactory, seed: int, left_out: float, forgets: bool
) -> None:
    project = performed(seed, left_out)
    path = exported(project, tmp_path_factory.mktemp("midi"), "midi") / "take aligned.mid"
    imported = import_alignment(unaligned() if forgets else project, path)
    before, after = aligned(project).note_times, imported.alignment.note_times
    assert np.array_equal(after.is_present, before.is_present) and bool(imported.warnings) == bool(left_out)
    there = before.is_present
    assert np.abs(after.onset_frame - before.onset_frame)[there].max() <= RATE * 0.001
    assert np.abs(after.offset_frame - before.offset_frame)[there].max() <= RATE * 0.0012
    assert np.all(after.confidence[there] == 1) and not imported.alignment.time_map.is_by_hand.any()
    kept = (0.0, 0) if forgets else (12.5, -2)
    assert (imported.alignment.tuning_cents, imported.alignment.transposition_semitones) == kept


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_notes_csv_comes_back_to_the_frame(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    project = performed(seed, 0.1)
    path = exported(project, tmp_path_factory.mktemp("csv"), "labels") / "notes.csv"
    before, after = aligned(project).note_times, import_alignment(unaligned(), path).alignment.note_times
    there = before.is_present
    assert np.array_equal(after.is_present, there)
    assert np.array_equal(after.onset_frame[there], before.onset_frame[there])
    assert np.array_equal(after.offset_frame[there], before.offset_frame[there])
    np.testing.assert_allclose(after.confidence[there], before.confidence[there], atol=1e-6)


@pytest.mark.parametrize("name", ["Audacity bars.txt", "Audacity beats.txt", "Sonic Visualiser bars.csv"])
def test_bars_and_beats_come_back_to_the_frame(tmp_path: Path, name: str) -> None:
    project = performed(3)
    path = exported(project, tmp_path / "out", "labels") / name
    unfolded = project.unfolded
    assert unfolded is not None
    bars = unfolded.step_start_quarter
    for present in (project, unaligned(), performed(4)):
        found = import_alignment(present, path).alignment
        expected = aligned(project).time_map.quarters_to_frames(bars)
        assert np.array_equal(found.time_map.quarters_to_frames(bars), expected)
    again = import_alignment(project, path).alignment
    assert np.array_equal(again.note_times.onset_frame, aligned(project).note_times.onset_frame)


def written(tmp_path: Path, lines: list[str], name: str = "list.txt") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "quarters"),
    [
        ([f"{2 * i}" for i in range(10)], [4 * i for i in range(10)]),
        ([f"{2 * i}\t{2 * i}\t" for i in range(11)], [4 * i for i in range(11)]),
        ([f"{0.5 * i},{i % 4 + 1}" for i in range(40)], list(range(40))),
        ([f"{0.5 * i}\t{0.5 * i}\t{i % 4 + 1}" for i in range(41)], list(range(41))),
        (["TIME,LABEL", "3,bar 1", "5.5,Bar 3", "7,3.2", "9,measure 8", "12,8 beat 3"], [0, 8, 9, 36, 38]),
        (["1\t1\t3", "5\t5\t3", "8\t8\t5"], [8, 16, 24]),
        (["1;3.3 (2)", "5;5", "5.5;", "9;end"], [18, 24, 40]),
    ],
)
def test_lists_of_times_are_bars_or_beats(tmp_path: Path, lines: list[str], quarters: list[float]) -> None:
    found = import_alignment(unaligned(), written(tmp_path, lines)).alignment
    assert found.time_map.quarter.tolist() == quarters
    start_s = float(lines[0].replace(",", "\t").replace(";", "\t").split("\t")[0] if lines[0][0].isdigit() else 3)
    assert found.time_map.frame[0] == round(start_s * RATE)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1", "2", "3"], "3 times, but 10 bars and 40 beats are played"),
        (["1,verse", "2,chorus", "3,verse"], "write the bar beside each time"),
        (["1,5", "2,3"], "2 times, but"),
        (["verse", "chorus"], "holds no times"),
        ([str(100 + i) for i in range(10)], "do not lie in the recording"),
        (["part_index,pitch_midi,onset_quarter,onset_s,offset_s", "0,20,0,1,2"], "fits a note of this score"),
        (["MThd but no more"], "damaged"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, lines)
    with pytest.raises(InputError, match=message) as error:
        import_alignment(unaligned(), path)
    assert str(path) in str(error.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE")
    for name in ("sound.wav", "nothing.csv"):
        with pytest.raises(InputError, match=r"choose notes\.csv, a MIDI performance"):
            import_alignment(unaligned(), tmp_path / name)
    with pytest.raises(UsageError, match="Open the recording and its score first"):
        import_alignment(Project(), tmp_path / "nothing.csv")


def test_a_performance_that_is_cut_off_is_taken_as_far_as_it_goes_and_told(tmp_path: Path) -> None:
    path = exported(performed(), tmp_path / "out", "midi") / "take aligned.mid"
    path.write_bytes(path.read_bytes()[:-40])
    imported = import_alignment(unaligned(), path)
    assert "cut off in track" in imported.warnings[0] and "are left out" in imported.warnings[-1]
    assert 0.8 < imported.alignment.note_times.is_present.mean() < 1


def test_the_performance_of_another_piece_is_refused(tmp_path: Path) -> None:
    path = exported(performed(), tmp_path / "out", "midi") / "take aligned.mid"
    score = scale_score(8)
    other = replace(score, notes=replace(score.notes, pitch_midi=score.notes.pitch_midi + 1))
    project = apply_change(unaligned(), edits.set_score(unaligned(), ScoreFile("b.xml", "02"), other))
    with pytest.raises(InputError, match="fit this score"):
        import_alignment(project, path)


def test_between_bars_notes_keep_the_places_that_they_have(tmp_path: Path) -> None:
    project = performed(7)
    time_map, unfolded = aligned(project).time_map, project.unfolded
    assert unfolded is not None
    bars = time_map.quarters_to_frames(unfolded.step_start_quarter)
    path = written(tmp_path, [f"{f / RATE + 0.25:.6f}" for f in bars])
    found = import_alignment(project, path).alignment
    shift = found.note_times.onset_frame - aligned(project).note_times.onset_frame
    assert np.abs(shift - RATE // 4).max() <= 1, "all a quarter of a second later, and not at an even tempo"


def test_points_by_hand_stay(tmp_path: Path) -> None:
    project, point = performed(5), SyncPoint(5, 1, 1.0, 0)
    at = aligned(project).time_map.quarter_to_frame(28.0)
    project = apply_change(project, edits.place_bar(project, replace(point, frame=at + 3000), WarpExtent.NEAR))
    path = exported(performed(5), tmp_path / "out", "labels") / "notes.csv"
    found = import_alignment(project, path).alignment
    assert found.time_map.quarter_to_frame(28.0) == at + 3000
    assert found.time_map.quarter[found.time_map.is_by_hand].tolist() == [28.0]
    assert found.time_map.quarter_to_frame(4.0) == performed_frame(5, 4.0)


def performed_frame(seed: int, quarter: float) -> int:
    times, unfolded = aligned(performed(seed)).note_times, unaligned().unfolded
    assert unfolded is not None
    return int(times.onset_frame[unfolded.notes.onset_quarter == quarter].min())


def test_an_imported_alignment_waits_and_is_accepted_with_who_plays_when(desk: Desk) -> None:
    session = desk.aligned()
    unfolded, before = session.project.unfolded, session.project
    assert unfolded is not None
    path = written(desk.folder, [f"{0.6 + 2 * i}" for i in range(5)])
    session.alignment.start_import(path)
    settle(session)
    assert session.project.pending_alignment is not None and session.project.alignment is before.alignment
    session.alignment.accept()
    assert session.project.alignment is not None and session.project.activities is not None
    frames = session.project.alignment.time_map.quarters_to_frames([0.0, 4.0])
    assert frames.tolist() == [13230, 13230 + 44100] and session.undo_text == "Accept alignment"
    session.alignment.start_import(written(desk.folder, ["1", "2"]))
    settle(session)
    assert "2 times, but 4 bars and 16 beats are played" in texts(session, "error")[0]


def test_the_first_alignment_may_be_imported(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    with pytest.raises(UsageError, match="Open the recording"):
        session.alignment.start_import("bars.txt")
    session.inputs.open_recording(desk.duet.audio)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    session.alignment.start_import(written(desk.folder, [f"{0.6 + 2 * i}" for i in range(4)]))
    settle(session)
    assert session.project.alignment is not None and session.undo_text == "Import alignment"
    assert session.project.pending_alignment is None and session.project.activities is not None


def test_even_alignment_is_understood_without_any_present_one(tmp_path: Path) -> None:
    project = unaligned()
    assert project.unfolded is not None
    even = even_alignment(project.unfolded, RATE // 2, RATE)
    path = written(tmp_path, [f"{1 + 0.5 * i}" for i in range(41)])
    found = import_alignment(project, path).alignment
    assert np.array_equal(found.note_times.onset_frame, even.note_times.onset_frame)
    assert np.array_equal(found.note_times.offset_frame, even.note_times.offset_frame)


def test_labels_leave_the_key_to_be_heard(tmp_path: Path) -> None:
    score, rate = scale_score(4), 16000
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a.xml", "01"), score))
    assert project.unfolded is not None
    notes, end_quarter = project.unfolded.notes, project.unfolded.end_quarter
    quarters = zip(notes.pitch_midi.tolist(), notes.onset_quarter.tolist(), strict=True)
    sounding = notes_of([(0, pitch + 2, 0.2 + 0.3 * at, 0.48 + 0.3 * at) for pitch, at in quarters], 1)
    samples = played(sounding, int((0.7 + 0.3 * end_quarter) * rate), [[1.0, 0.6, 0.4, 0.2]])
    soundfile.write(tmp_path / "higher.wav", samples.T, rate, subtype="FLOAT")
    recording = open_recording(str(tmp_path / "higher.wav"))
    project = apply_change(project, edits.set_recording(project, recording))
    starts = project.unfolded.step_start_quarter[:4].tolist()
    (tmp_path / "bars.txt").write_text(
        "".join(f"{0.2 + 0.3 * q}\t{0.2 + 0.3 * q}\t{i + 1}\n" for i, q in enumerate(starts))
    )
    assert import_alignment(project, tmp_path / "bars.txt").alignment.transposition_semitones == 2
