"""A project comes back as it was saved, its files are found again, and bad files are one sentence."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from project_on_disk import whole_project
from random_projects import projects
from small_scores import scale_score, straight

from scoresep.errors import OutputError, ProjectFileError
from scoresep.files.audio.recordings import open_recording
from scoresep.files.project import project_files
from scoresep.files.project.archive import read_archive, write_archive
from scoresep.files.project.links import relink
from scoresep.files.project.project_files import load_project, save_project
from scoresep.model.audio import Recording
from scoresep.model.project import ChannelStrip, Mixer, PartSettings, Project, Recipe
from scoresep.model.score import Instrument, Mark
from scoresep.model.segments import Activity
from scoresep.model.timemap import SyncPoint

OLD_PROJECTS = Path(__file__).parent.parent / "data" / "projects"


@settings(max_examples=60, deadline=None)
@given(project=projects())
def test_every_field_survives(tmp_path_factory: pytest.TempPathFactory, project: Project) -> None:
    path = tmp_path_factory.mktemp("p") / "x.scoresep"
    save_project(project, path)
    loaded = load_project(path)
    for field in fields(Project):
        assert getattr(loaded.project, field.name) == getattr(project, field.name), field.name
    assert loaded.project == project
    assert not loaded.warnings
    assert (loaded.missing_recording is None) == (project.recording is None)


def test_the_same_project_gives_the_same_bytes_and_saving_replaces_as_a_whole(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    for name in ("a.scoresep", "b.scoresep"):
        save_project(replace(project, stem_set=None), tmp_path / name)
    assert (tmp_path / "a.scoresep").read_bytes() == (tmp_path / "b.scoresep").read_bytes()
    before = (tmp_path / "a.scoresep").read_bytes()
    broken = replace(project, score=replace(project.score, title=object()))  # type: ignore[type-var, arg-type]
    with pytest.raises(TypeError):
        save_project(broken, tmp_path / "a.scoresep")
    assert (tmp_path / "a.scoresep").read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_project(project, tmp_path / "file" / "x.scoresep")


def test_a_project_with_its_files_is_small_and_whole(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "piece.scoresep")
    assert (tmp_path / "piece.scoresep").stat().st_size < 20_000
    assert not list(tmp_path.glob(".*"))
    loaded = load_project(tmp_path / "piece.scoresep")
    assert loaded == project_files.LoadedProject(project)


def test_a_folder_that_is_moved_as_a_whole_stays_whole(tmp_path: Path) -> None:
    project = whole_project(tmp_path / "old" / "audio")
    save_project(project, tmp_path / "old" / "piece.scoresep")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "old", tmp_path / "elsewhere" / "new")
    loaded = load_project(tmp_path / "elsewhere" / "new" / "piece.scoresep")
    assert not loaded.warnings
    assert loaded.missing_recording is None
    new = str(tmp_path / "elsewhere" / "new" / "audio")
    assert loaded.project.recording is not None
    assert loaded.project.recording.path == str(Path(new, "take.wav"))
    assert loaded.project.score_file is not None
    assert loaded.project.score_file.path == str(Path(new, "score.musicxml"))
    assert loaded.project.stem_set is not None
    assert loaded.project.stem_set.folder == str(Path(new, "piece.scoresep-data", "stems"))


def test_a_project_that_is_moved_alone_or_with_its_recording_beside_it_is_whole_too(tmp_path: Path) -> None:
    project = whole_project(tmp_path / "a" / "b" / "audio")
    save_project(project, tmp_path / "a" / "piece.scoresep")
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "a" / "piece.scoresep", tmp_path / "other")
    loaded = load_project(tmp_path / "other" / "piece.scoresep")
    assert loaded.project == project
    shutil.move(tmp_path / "a" / "b" / "audio" / "take.wav", tmp_path / "other")
    loaded = load_project(tmp_path / "other" / "piece.scoresep")
    assert loaded.project.recording is not None
    assert loaded.project.recording.path == str(tmp_path / "other" / "take.wav")


def test_a_missing_recording_is_asked_for_and_found_by_its_content(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "piece.scoresep")
    (tmp_path / "take.wav").rename(tmp_path / "renamed.wav")
    loaded = load_project(tmp_path / "piece.scoresep")
    assert loaded.missing_recording is not None
    assert loaded.missing_recording.name == "take.wav"
    assert loaded.missing_recording.duration_s == 1.0
    assert loaded.project == project, "all the rest is there"
    relinked = relink(loaded.project, tmp_path / "renamed.wav")
    assert relinked.is_same
    assert not relinked.warnings
    assert relinked.project.recording == open_recording(tmp_path / "renamed.wav")
    soundfile.write(tmp_path / "other.wav", np.ones((88_200, 2)) / 2, 44_100)
    relinked = relink(loaded.project, tmp_path / "other.wav")
    assert not relinked.is_same
    assert "0:02.000 instead of 0:01.000" in relinked.warnings[0]
    assert relinked.project.alignment == project.alignment


def test_a_recording_that_was_only_touched_is_the_same_and_a_changed_one_is_said(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "piece.scoresep")
    os.utime(tmp_path / "take.wav", (1, 1))
    assert load_project(tmp_path / "piece.scoresep").project == project
    soundfile.write(tmp_path / "take.wav", np.ones((44_100, 2)) / 2, 44_100, subtype="FLOAT")
    loaded = load_project(tmp_path / "piece.scoresep")
    assert loaded.missing_recording is None
    assert loaded.project.recording == open_recording(tmp_path / "take.wav")
    assert len(loaded.warnings) == 1
    assert "not the file that this project was made with" in loaded.warnings[0]
    (tmp_path / "take.wav").write_bytes(b"no sound")
    loaded = load_project(tmp_path / "piece.scoresep")
    assert loaded.missing_recording is not None
    assert "not a sound file" in loaded.warnings[0]


@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
def test_the_same_recording_in_another_rate_keeps_its_times_in_seconds(tmp_path: Path, rate: int) -> None:
    project = whole_project(tmp_path)
    soundfile.write(tmp_path / "other.wav", np.ones((rate, 2)) / 2, rate)
    relinked = relink(project, tmp_path / "other.wav").project
    ratio = rate / 44_100
    old, new = project.alignment, relinked.alignment
    assert old is not None
    assert new is not None
    assert np.abs(new.note_times.onset_frame - old.note_times.onset_frame * ratio).max() <= 0.5
    assert np.abs(new.time_map.frame - old.time_map.frame * ratio).max() <= 0.5
    assert relinked.hand_points[0].frame == round(12_345 * ratio)
    assert relinked.activities is not None
    assert np.abs(relinked.activities[0].end_frame - np.array([400, 20_000]) * ratio).max() <= 0.5


def test_a_changed_score_and_lost_stems_are_said(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "piece.scoresep")
    (tmp_path / "score.musicxml").write_text("<score-partwise version='4.0'/>")
    (tmp_path / "piece.scoresep-data" / "stems" / "Residual.wav").unlink()
    loaded = load_project(tmp_path / "piece.scoresep")
    assert any("score.musicxml" in w and "has changed" in w for w in loaded.warnings)
    assert any("stems" in w and "separate again" in w for w in loaded.warnings)
    assert loaded.project == replace(project, stem_set=None)
    (tmp_path / "score.musicxml").unlink()
    assert len(load_project(tmp_path / "piece.scoresep").warnings) == 1, "the score itself is in the project"


def test_what_is_not_a_project_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.scoresep").write_bytes(b"")
    (tmp_path / "text.scoresep").write_text("hello")
    (tmp_path / "folder.scoresep").mkdir()
    with zipfile.ZipFile(tmp_path / "zip.scoresep", "w") as archive:
        archive.writestr("hello.txt", "hello")
    write_archive(tmp_path / "other.scoresep", {"format": "something else", "schema": 1}, {})
    for name in ("missing", "empty", "text", "folder", "zip", "other"):
        with pytest.raises(ProjectFileError) as caught:
            load_project(tmp_path / f"{name}.scoresep")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3


def test_a_project_of_a_newer_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "new.scoresep"
    write_archive(path, {"format": "scoresep project", "schema": 99, "program": "7.2"}, {})
    with pytest.raises(ProjectFileError, match=r"newer ScoreSep \(7\.2\); update"):
        load_project(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("p") / "x.scoresep"
    unfolded = straight(scale_score())
    save_project(Project(score=unfolded.score, path=unfolded.path, parts=(PartSettings("A", ""),) * 2), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        load_project(path)
    except ProjectFileError as error:
        assert "\n" not in str(error)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [at, *(leaf for key, inner in items for leaf in leaves(inner, (*at, key)))]
        if at
        else [leaf for key, inner in items for leaf in leaves(inner, (key,))]
    )


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_wrong_values_in_the_text_never_give_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "wrong values"
    if not folder.exists():
        save_project(whole_project(folder), folder / "good.scoresep")
    text, columns = read_archive(folder / "good.scoresep")
    leaf = data.draw(st.sampled_from(leaves({k: text[k] for k in ("project", "notes", "links", "schema")})))
    owner: Any = text
    for key in leaf[:-1]:
        owner = owner[key]
    wrong = st.sampled_from([None, -1, 0, 2**70, 1e308, "x", "nan", "inf", True, [], {}, [[]], {"column": "mixer"}])
    owner[leaf[-1]] = data.draw(wrong)
    name = data.draw(st.sampled_from(sorted(columns)))
    if data.draw(st.booleans()):
        columns[name] = columns[name][:-1]
    write_archive(folder / "bad.scoresep", text, columns)
    try:
        loaded = load_project(folder / "bad.scoresep")
    except ProjectFileError as error:
        assert "\n" not in str(error)
    else:
        assert loaded.project.unfolded is None or loaded.project.stem_owners is not None


@pytest.mark.parametrize("key", ["../../../elsewhere/x", "/elsewhere/x", "..\\\\x", "", "ab" * 99, "a\0b", "a\n"])
@pytest.mark.parametrize("field", ["recording", "score_file"])
def test_what_files_of_the_cache_are_called_by_is_no_path(tmp_path: Path, field: str, key: str) -> None:
    save_project(whole_project(tmp_path), tmp_path / "good.scoresep")
    text, columns = read_archive(tmp_path / "good.scoresep")
    text["project"][field]["content_key"] = key
    write_archive(tmp_path / "bad.scoresep", text, columns)
    with pytest.raises(ProjectFileError, match="damaged"):
        load_project(tmp_path / "bad.scoresep")


def test_a_damaged_part_of_the_work_costs_only_itself(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "good.scoresep")
    text, columns = read_archive(tmp_path / "good.scoresep")
    text["project"]["mixer"]["master_gain_db"] = "loud"
    columns["activities/0/start_frame"] = columns["activities/0/start_frame"][::-1]
    write_archive(tmp_path / "bad.scoresep", text, columns)
    loaded = load_project(tmp_path / "bad.scoresep")
    assert loaded.project == replace(project, activities=None)
    assert len(loaded.warnings) == 2
    assert any("mixer settings" in w for w in loaded.warnings)
    assert any("activities" in w for w in loaded.warnings)


def test_times_of_notes_stay_with_them_when_a_version_unfolds_the_score_otherwise(tmp_path: Path) -> None:
    project = whole_project(tmp_path)
    save_project(project, tmp_path / "now.scoresep")
    text, columns = read_archive(tmp_path / "now.scoresep")
    alignment = project.alignment
    assert alignment is not None
    for name in [n for n in columns if n.startswith(("notes/", "alignment/note_times/"))]:
        columns[name] = columns[name][::-1][:-3]  # an older version: other order, three notes fewer
    columns["alignment/note_times/onset_frame"] = columns["alignment/note_times/onset_frame"] + 1
    columns["alignment/note_times/offset_frame"] = columns["alignment/note_times/offset_frame"] + 1
    write_archive(tmp_path / "then.scoresep", text, columns)
    loaded = load_project(tmp_path / "then.scoresep")
    assert any("a little differently" in w for w in loaded.warnings)
    assert loaded.project.alignment is not None
    moved = loaded.project.alignment.note_times.onset_frame - alignment.note_times.onset_frame
    assert moved.tolist() == [0] * 3 + [1] * (len(alignment.note_times) - 3), "unknown ones stand where the map says"


def test_migrations_lead_up_to_the_present_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_project(Project(), tmp_path / "x.scoresep")

    def rename(text: dict[str, Any], columns: object) -> dict[str, Any]:
        text["project"]["recipe"]["seed"] = 41 + text["schema"]
        return {**text, "schema": text["schema"] + 1}

    monkeypatch.setattr(project_files, "SCHEMA", 3)
    monkeypatch.setattr(project_files, "MIGRATIONS", {1: rename, 2: rename})
    assert load_project(tmp_path / "x.scoresep").project.recipe.seed == 43


def test_every_version_has_a_step_to_the_next() -> None:
    assert sorted(project_files.MIGRATIONS) == list(range(1, project_files.SCHEMA))
    assert {p.stem for p in OLD_PROJECTS.glob("*.scoresep")} == {f"v{n}" for n in range(1, project_files.SCHEMA + 1)}


def test_a_project_of_version_1_opens_for_ever() -> None:
    loaded = load_project(OLD_PROJECTS / "v1.scoresep")
    project = loaded.project
    assert loaded.missing_recording is not None
    assert loaded.missing_recording.name == "take.flac"
    assert loaded.warnings == ("The stems of this project are gone or incomplete; separate again to have them back.",)
    assert project.recording == Recording("/music/take.flac", "ab" * 20, 441_000, 2, 44_100, "FLAC 24 bit")
    assert project.score is not None
    assert project.score.title == "Étude"
    assert [p.name for p in project.score.parts] == ["Violin", "Cello"]
    assert project.score.parts[0].instrument == Instrument("Violine", 40)
    assert project.score.measures[0].lead_quarter == 3.0
    assert project.score.measures[1].marks == (Mark.FINE,)
    assert project.path_choices.skipped_repeats == frozenset({1})
    assert project.path is not None
    assert project.path.measure_indices == (0, 1, 0, 1, 2)
    assert project.alignment is not None
    assert project.alignment.tuning_cents == 3.5
    assert project.alignment.note_times.onset_frame[:4].tolist() == [10_000, 10_000, 32_050, 32_050]
    assert project.alignment.note_times.is_present.sum() == 39
    assert project.pending_alignment is None
    assert project.hand_points == (SyncPoint(1, 2, 2.5, 12_345),)
    assert project.activities is not None
    assert project.activities[0] == Activity(0, np.array([1, 500]), np.array([400, 900]), np.array([True, False]))
    assert project.parts[1] == PartSettings("Cello", "#56b4e9", Instrument("Cello", 42), joined_to=0)
    assert project.mixer == Mixer((ChannelStrip(-6.0, 0.5, True, False),), ChannelStrip(-np.inf), 1.5)
    assert project.recipe == Recipe("nmf", "best", 7)
