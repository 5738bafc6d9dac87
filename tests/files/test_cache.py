"""The program's own folders, keys by content, and a cache that does not grow for ever."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.errors import Cancelled, InputError
from scoresep.files.storage.atomic import part_path
from scoresep.files.storage.cache import (
    cache_folder,
    cached_path,
    combined_key,
    config_folder,
    content_key,
    mark_used,
    state_folder,
    trim_cache,
)
from scoresep.progress import Progress, ProgressState


def test_folders_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for home in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(home, str(tmp_path / "home" / home))  # untouched by other tests
    for name, folder in (("CACHE", cache_folder), ("CONFIG", config_folder), ("STATE", state_folder)):
        monkeypatch.setenv(f"SCORESEP_{name}_DIR", str(tmp_path / name))
        assert folder() == tmp_path / name
        monkeypatch.setenv(f"SCORESEP_{name}_DIR", "~/x")
        assert folder() == Path.home() / "x"
        monkeypatch.delenv(f"SCORESEP_{name}_DIR")
        assert folder().is_absolute()
        assert "scoresep" in folder().parts
        assert not folder().exists(), "asking makes nothing"


def test_the_key_is_of_the_bytes_and_nothing_else(tmp_path: Path) -> None:
    content = os.urandom(9 * 2**20 + 5)
    for name in ("a.wav", "b.mp3"):
        (tmp_path / name).write_bytes(content)
    seen: list[ProgressState] = []
    key = content_key(tmp_path / "a.wav", Progress(seen.append))
    assert key == content_key(tmp_path / "b.mp3") == hashlib.blake2b(content, digest_size=20).hexdigest()
    assert seen[-1].fraction == 1.0
    (tmp_path / "b.mp3").write_bytes(content[:-1] + b"x")
    assert content_key(tmp_path / "b.mp3") != key
    with pytest.raises(Cancelled):
        content_key(tmp_path / "a.wav", Progress(None, lambda: True))
    with pytest.raises(InputError, match="cannot be read"):
        content_key(tmp_path / "none.wav")
    with pytest.raises(InputError, match="cannot be read"):
        content_key(tmp_path)


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_keys_of_different_pieces_differ(a: list[bytes], b: list[bytes]) -> None:
    assert (combined_key(*a) == combined_key(*b)) == (a == b)


def old_file(path: Path, size: int, age_s: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    used_s = time.time() - age_s
    os.utime(path, (used_s, used_s))
    return path


def cached(name: str, size: int, age_s: float) -> Path:
    return old_file(cached_path("audio", f"{combined_key(name)}.v2.wav"), size, age_s)


def test_the_cache_is_trimmed_oldest_first_and_spares_what_is_in_use() -> None:
    old, middle, new = (cached(name, 1000, age_s) for name, age_s in (("a", 9000), ("b", 8000), ("c", 10)))
    assert trim_cache(3000) == 0
    assert trim_cache(2500) == 1000
    assert not old.exists()
    assert middle.exists()
    mark_used(middle)
    assert trim_cache(0) == 0, "used a moment ago"
    assert trim_cache(0, in_use_s=-1) == 2000
    assert not new.exists()


def test_half_files_of_killed_processes_are_removed_after_a_day() -> None:
    whole = cached("x", 10, 100_000)
    abandoned, present = (old_file(part_path(whole), 10, age_s) for age_s in (100_000, 100))
    trim_cache()
    assert not abandoned.exists()
    assert present.exists() and whole.exists()


def test_a_folder_of_somebody_else_may_serve_as_cache_and_keeps_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "music"))
    month_s = 30 * 86400.0
    names = ("thesis.txt", "download.part", "audio/concert.wav", "audio/.concert.wav.1a2b3c4d.part", "scores/b/c.xml")
    theirs = [old_file(tmp_path / "music" / name, 1000, month_s) for name in names]
    theirs.append(old_file(tmp_path / "music" / "films" / cached("film", 1000, month_s).name, 1000, month_s))
    outside = old_file(tmp_path / "elsewhere" / cached("far", 1000, month_s).name, 1000, month_s)
    (tmp_path / "music" / "peaks").symlink_to(outside.parent)
    old_file(cached_path("notes", f"{combined_key('notes')}.v1") / "0.npy", 1000, month_s)
    assert trim_cache(0) == 3000, "the two decoded sounds and the sounds of notes"
    assert all(path.exists() for path in (*theirs, outside))


def test_only_kinds_that_are_cleaned_away_can_be_cached() -> None:
    with pytest.raises(ValueError, match="never be cleaned"):
        cached_path("pictures", f"{combined_key('a')}.png")


def test_trimming_no_cache_at_all_is_fine() -> None:
    assert trim_cache() == 0
