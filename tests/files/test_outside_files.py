"""What a project names outside its folder is not touched unasked, on whatever system it was made."""

from __future__ import annotations

import os
import pickle
import shutil
import stat
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_on_disk import rewritten, whole_project, with_link

from scoresep.errors import OutsideFilesError
from scoresep.files.project.links import Outside, Reach, place_of, reach_of
from scoresep.files.project.project_files import load_project, save_project, trust_files_of
from scoresep.files.storage.cache import state_folder

WINDOWS, POSIX = PureWindowsPath, PurePosixPath


@pytest.mark.parametrize(
    ("place", "folder", "reach"),
    [
        (WINDOWS(r"C:\music\piece\take.wav"), WINDOWS(r"C:\music\piece"), Reach.INSIDE),
        (WINDOWS(r"c:\MUSIC\Piece\sub\..\take.wav"), WINDOWS(r"C:\music\piece"), Reach.INSIDE),
        (WINDOWS(r"C:\music\piece\..\other\take.wav"), WINDOWS(r"C:\music\piece"), Reach.OUTSIDE),
        (WINDOWS(r"C:\music\piece2\take.wav"), WINDOWS(r"C:\music\piece"), Reach.OUTSIDE),
        (WINDOWS(r"D:\take.wav"), WINDOWS(r"C:\music\piece"), Reach.OUTSIDE),
        (WINDOWS(r"\\host\share\take.wav"), WINDOWS(r"C:\music\piece"), Reach.NETWORK),
        (WINDOWS("//host/share/take.wav"), WINDOWS(r"C:\music\piece"), Reach.NETWORK),
        (WINDOWS(r"\\?\UNC\host\share\take.wav"), WINDOWS(r"C:\music\piece"), Reach.NETWORK),
        (WINDOWS(r"\\.\pipe\x"), WINDOWS(r"C:\music\piece"), Reach.NETWORK),
        (WINDOWS(r"\\nas\music\piece\take.wav"), WINDOWS(r"\\nas\music\piece"), Reach.INSIDE),
        (WINDOWS(r"\\nas\music\other\take.wav"), WINDOWS(r"\\nas\music\piece"), Reach.NETWORK),
        (WINDOWS(r"C:\music\piece") / r"\\host\share\x", WINDOWS(r"C:\music\piece"), Reach.NETWORK),
        (POSIX("/music/piece/take.wav"), POSIX("/music/piece"), Reach.INSIDE),
        (POSIX("/music/piece/../../etc/passwd"), POSIX("/music/piece"), Reach.OUTSIDE),
        (POSIX("/music/piece") / "/dev/zero", POSIX("/music/piece"), Reach.OUTSIDE),
        (POSIX("//host/share/take.wav"), POSIX("/music/piece"), Reach.NETWORK),
        (POSIX("/net/host/take.wav"), POSIX("/music/piece"), Reach.NETWORK),
    ],
)
def test_places_are_judged_by_their_names_alone(place: PurePath, folder: PurePath, reach: Reach) -> None:
    assert reach_of(place, folder) is reach


names = st.text(st.characters(blacklist_characters="/\\\0:", blacklist_categories=("Cs",)), min_size=1, max_size=8)


@given(st.lists(names.filter(lambda n: set(n) != {"."}), max_size=4), st.integers(1, 5))
def test_as_many_steps_up_as_down_stay_inside_and_one_more_leads_out(steps: list[str], more: int) -> None:
    folder = POSIX("/a/b/c/d/e/f/g")
    back = [".."] * len(steps)
    assert reach_of(folder.joinpath(*steps, *back, "x"), folder) is Reach.INSIDE
    assert reach_of(folder.joinpath(*steps, *back, *[".."] * more, "x"), folder) is Reach.OUTSIDE


def test_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    folder = tmp_path / "piece"
    (folder / "sub").mkdir(parents=True)
    (folder / "in.wav").symlink_to("sub/take.wav")
    (folder / "out.wav").symlink_to("../take.wav")
    (folder / "far").symlink_to("//host/share")
    (folder / "twice.wav").symlink_to("out.wav")
    (folder / "round").symlink_to("round")
    for name, reach in (("in.wav", Reach.INSIDE), ("out.wav", Reach.OUTSIDE), ("twice.wav", Reach.OUTSIDE)):
        place = place_of(folder / name, folder)
        assert place is not None
        assert place.reach is reach
    far = place_of(folder / "far" / "take.wav", folder)
    assert far is not None
    assert (far.reach, far.real) == (Reach.NETWORK, "//host/share/take.wav")
    assert place_of(folder / "round", folder) is None


@pytest.fixture(name="stranger")
def _stranger(tmp_path: Path) -> Path:
    """Make a project with everything in its folder, as somebody else passes it on; nothing is remembered of it here."""
    project = whole_project(tmp_path / "made")
    save_project(project, tmp_path / "made" / "piece.scoresep")
    (state_folder() / "known-files.txt").unlink()
    (tmp_path / "made").rename(tmp_path / "unpacked")
    return tmp_path / "unpacked" / "piece.scoresep"


class Touched:
    """Notes every place that the system is asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
        self.places: list[str] = []
        for name in ("stat", "lstat", "open", "readlink", "scandir"):
            monkeypatch.setattr(os, name, self._watching(getattr(os, name), word))

    def _watching(self, original: object, word: str) -> object:
        def watched(path: object, *values: object, **named: object) -> object:
            if word in str(path):
                self.places.append(str(path))
            return original(path, *values, **named)  # type: ignore[operator]

        return watched


@pytest.mark.parametrize("link", ["recording", "score_file", "stem_set"])
@pytest.mark.parametrize("keeps_links", [True, False])
def test_a_place_on_the_network_is_not_touched_before_somebody_agrees(
    stranger: Path, monkeypatch: pytest.MonkeyPatch, link: str, keeps_links: bool
) -> None:
    bad = with_link(stranger, link, None, "//host.invalid/share/other.wav")
    if not keeps_links:
        rewritten(bad, lambda text: text.pop("links"))
        for path in ("take.wav", "score.musicxml"):
            (stranger.parent / path).rename(stranger.parent / f"moved {path}")
    touched = Touched(monkeypatch, "host.invalid")
    with pytest.raises(OutsideFilesError) as caught:
        load_project(bad)
    assert "//host.invalid/share/other.wav" in caught.value.places
    assert "\n" not in str(caught.value)
    loaded = load_project(bad, outside=Outside.LEAVE)
    assert touched.places == []
    for path in (loaded.project.recording, loaded.project.score_file):
        assert path is not None
        assert "host.invalid" not in path.path


def test_nothing_is_asked_where_all_lies_in_the_folder(stranger: Path) -> None:
    loaded = load_project(stranger)
    assert loaded.warnings == ()
    assert loaded.missing_recording is None


def test_a_file_outside_is_opened_after_somebody_has_agreed_and_then_for_good(stranger: Path, tmp_path: Path) -> None:
    shutil.move(stranger.parent / "take.wav", tmp_path / "elsewhere.wav")
    bad = with_link(stranger, "recording", "../elsewhere.wav", str(tmp_path / "elsewhere.wav"))
    with pytest.raises(OutsideFilesError) as caught:
        load_project(bad)
    assert caught.value.places == (str(tmp_path / "elsewhere.wav"),)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.places, str(again)) == (caught.value.places, str(caught.value))
    left = load_project(bad, outside=Outside.LEAVE)
    assert left.missing_recording is not None
    assert left.project.recording is not None
    assert Path(left.project.recording.path).parent == stranger.parent
    with pytest.raises(OutsideFilesError):
        load_project(bad)
    opened = load_project(bad, outside=Outside.OPEN)
    assert opened.missing_recording is None
    assert load_project(bad).project == opened.project


def test_ones_own_projects_never_ask_wherever_they_are_moved(tmp_path: Path) -> None:
    project = whole_project(tmp_path / "library" / "audio")
    (tmp_path / "work").mkdir()
    save_project(project, tmp_path / "work" / "piece.scoresep")
    assert load_project(tmp_path / "work" / "piece.scoresep").project == project
    (tmp_path / "other").mkdir()
    shutil.move(tmp_path / "work" / "piece.scoresep", tmp_path / "other")
    assert load_project(tmp_path / "other" / "piece.scoresep").project == project


def test_trust_is_given_without_opening(stranger: Path, tmp_path: Path) -> None:
    shutil.move(stranger.parent / "take.wav", tmp_path / "elsewhere.wav")
    bad = with_link(stranger, "recording", "../elsewhere.wav", str(tmp_path / "elsewhere.wav"))
    trust_files_of(bad)
    assert load_project(bad).missing_recording is None


def test_a_link_out_of_the_folder_is_asked_about_too(stranger: Path, tmp_path: Path) -> None:
    shutil.move(stranger.parent / "take.wav", tmp_path / "secret.wav")
    (stranger.parent / "take.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(OutsideFilesError) as caught:
        load_project(stranger)
    assert caught.value.places == (str(tmp_path / "secret.wav"),)


def test_a_stem_that_is_a_link_out_of_its_folder_is_not_opened(stranger: Path, tmp_path: Path) -> None:
    stem = next((stranger.parent / "piece.scoresep-data" / "stems").glob("01*.wav"))
    shutil.move(stem, tmp_path / "secret.wav")
    stem.symlink_to(tmp_path / "secret.wav")
    loaded = load_project(stranger)
    assert loaded.project.stem_set is None
    assert any("stems" in warning for warning in loaded.warnings)


@pytest.mark.parametrize("link", ["recording", "score_file", "stem_set"])
@pytest.mark.parametrize("is_inside", [True, False])
def test_pipes_never_make_anybody_wait(stranger: Path, tmp_path: Path, link: str, is_inside: bool) -> None:
    pipe = (stranger.parent if is_inside else tmp_path) / "pipe"
    os.mkfifo(pipe)
    for outside in (Outside.ASK, Outside.OPEN):
        loaded = load_project(
            with_link(stranger, link, os.path.relpath(pipe, stranger.parent), str(pipe)), None, outside
        )
        assert (loaded.missing_recording is not None) == (link == "recording")
        assert (loaded.project.stem_set is None) == (link == "stem_set")
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


@pytest.mark.parametrize("name", ["manifest.json", "01 Violin.wav"])
def test_pipes_in_the_folder_of_stems_never_make_anybody_wait(stranger: Path, name: str) -> None:
    place = stranger.parent / "piece.scoresep-data" / "stems" / name
    place.unlink()
    os.mkfifo(place)
    assert load_project(stranger).project.stem_set is None


def test_ones_own_project_is_known_behind_several_links(tmp_path: Path) -> None:
    project = whole_project(tmp_path / "disk" / "library")
    (tmp_path / "music").symlink_to(tmp_path / "disk" / "library")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "audio").symlink_to(tmp_path / "music")
    assert project.recording is not None
    recording = replace(project.recording, path=str(tmp_path / "work" / "audio" / "take.wav"))
    save_project(replace(project, recording=recording), tmp_path / "work" / "piece.scoresep")
    loaded = load_project(tmp_path / "work" / "piece.scoresep")
    assert loaded.missing_recording is None
    assert loaded.project.recording == recording
