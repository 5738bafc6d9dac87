"""Folders that take their places as a whole: while somebody reads there, or writes, or is killed in the middle."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from scoresep.errors import OutputError
from scoresep.files.audio.stems import StemFolderWriter, read_stem_set
from scoresep.files.storage import part_folders
from scoresep.files.storage.part_folders import PartFolder
from scoresep.model.audio import Recording


@pytest.mark.parametrize(("is_windows", "refusals"), [(True, 3), (True, 10**6), (False, 3)])
def test_windows_is_given_time_until_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_windows: bool, refusals: int
) -> None:
    left, rename = [refusals], os.rename

    def refusing(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(13, "in use")
        rename(source, target)

    part = PartFolder(tmp_path / "stems")
    (part.path / "a.wav").write_bytes(b"a")
    monkeypatch.setattr(part_folders, "_IS_WINDOWS", is_windows)
    monkeypatch.setattr(part_folders, "_TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(part_folders.os, "rename", refusing)
    if is_windows and refusals == 3:
        part.publish(["a.wav"])
        assert (tmp_path / "stems" / "a.wav").read_bytes() == b"a"
    else:
        with pytest.raises(OutputError, match="not allowed"):
            part.publish(["a.wav"])
        assert left[0] == (refusals - 1 if not is_windows else refusals - part_folders._TRIES)
        part.abort()


RECORDING = Recording("/music/take.wav", "ab" * 20, 100, 1, 8000, "WAV 24 bit")


def write_stems(folder: Path, level: float, names: tuple[str, ...] = ("Violin", "Cello")) -> None:
    with StemFolderWriter(folder, RECORDING, tuple(enumerate(names))) as writer:
        writer.write(np.full((len(names) + 1, 1, 100), level, np.float32))
        writer.finish("nmf", "cpu", "key")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


class Killed(BaseException):
    """Stands for a process that ends here and tidies nothing."""


@pytest.mark.parametrize("moves", range(10))
def test_a_process_killed_while_stems_take_their_places_costs_neither_the_old_nor_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    folder = tmp_path / "stems"
    write_stems(folder, 0.25)
    old, rename, left = contents(folder), os.rename, [moves]

    def dying(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        rename(source, target)

    writer = StemFolderWriter(folder, RECORDING, ((0, "Violin"), (1, "Cello")))
    writer.write(np.full((3, 1, 100), 0.5, np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", dying)
        patch.setattr(part_folders, "move_all", lambda pairs: [os.rename(*pair) for pair in pairs])
        patch.setattr(part_folders, "remove_folder", lambda path: None)
        try:
            writer.finish("nmf", "cpu", "new")
        except Killed:
            pass
        else:
            assert moves >= 8, "four files away and four here"
    writer._part._release()  # as the system does
    (writer.path / ".lock").touch()
    part_folders.settle_interrupted(folder)
    if moves < 8:
        assert contents(folder) == old
    else:
        assert read_stem_set(folder).input_key == "new"
    write_stems(folder, 0.75)
    assert sorted(p.name for p in folder.iterdir()) == sorted(old), "and nothing hidden is left"


def test_two_runs_into_one_folder_are_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "stems"
    for _ in range(2):  # once with the folder missing, once with stems in it
        first = StemFolderWriter(folder, RECORDING, ((0, "Violin"),))
        with pytest.raises(OutputError, match="at work on"):
            StemFolderWriter(folder, RECORDING, ((0, "Violin"),))
        StemFolderWriter(tmp_path / "stems 2", RECORDING, ((0, "Violin"),)).abort()
        first.write(np.zeros((2, 1, 100), np.float32))
        first.finish("nmf", "cpu", "key")
        assert read_stem_set(folder).input_key == "key"
    assert [p.name for p in tmp_path.iterdir()] == ["stems"]
    write_stems(folder, 0.5)


@pytest.mark.parametrize("is_there", [False, True])
def test_what_came_to_stand_in_the_way_meanwhile_stays_and_is_told(tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "out"
    if is_there:
        target.mkdir()
    part = PartFolder(target)
    (part.path / "a.wav").write_bytes(b"mine")
    target.mkdir(exist_ok=True)
    (target / "a.wav").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="came to stand in"):
        part.publish(["a.wav"])
    part.abort()
    assert (target / "a.wav").read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and [p.name for p in target.iterdir()] == ["a.wav"]


def test_only_what_is_ours_and_dead_is_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in (".lock", "treasure.wav"):
        (outside / name).write_text("gold")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".a.0123abcd.part").symlink_to(outside)
    (home / ".b.0123abcd.part").mkdir()  # without a lock
    dead = home / ".c.0123abcd.part"
    (dead / "my folder").mkdir(parents=True)
    for name in (".lock", "01 Violin.wav", "my folder/x.wav"):
        (dead / name).write_text("x")
    (dead / "link.wav").symlink_to(outside / "treasure.wav")
    (home / ".d.4567abcd.part").mkdir()
    (home / ".d.4567abcd.part" / ".lock").touch()
    part_folders.remove_abandoned(home)
    assert sorted(p.name for p in home.iterdir()) == [".a.0123abcd.part", ".b.0123abcd.part", ".c.0123abcd.part"]
    assert [p.name for p in dead.iterdir()] == ["my folder"] and (dead / "my folder" / "x.wav").exists()
    assert {p.name for p in outside.iterdir()} == {".lock", "treasure.wav"}


def test_a_name_that_begins_alike_is_another_name(tmp_path: Path) -> None:
    other = tmp_path / ".stems 2.0123abcd.part"
    other.mkdir()
    (other / ".lock").touch()
    part_folders.remove_abandoned(tmp_path, "stems")
    assert other.exists()
    part_folders.remove_abandoned(tmp_path, "stems 2")
    assert not other.exists()


def test_a_list_that_names_a_persons_own_files_does_not_have_them_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "stems"
    write_stems(folder, 0.25)
    (folder / "my song.wav").write_bytes(b"mine")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["stems"].append({"file": "my song.wav", "part_index": 5, "part": "Violin"})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write_stems(folder, 0.5)
    assert (folder / "my song.wav").read_bytes() == b"mine"
