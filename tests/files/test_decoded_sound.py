"""Decoded sound that is damaged in the cache is made anew, and a recording that was replaced is noticed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoresep.errors import AudioFileError, OutputError
from scoresep.files.audio import recordings
from scoresep.files.audio import recordings as audio_files
from scoresep.files.audio.decoding import decoded_path, load_notes
from scoresep.files.audio.recordings import check_unchanged, open_recording, open_source
from scoresep.files.storage.cache import content_key
from scoresep.model.audio import Recording
from tests.sound_files import RATE, Samples, bursts, decoded_in_one_go, encode

FRAMES = 150_001  # three blocks of one checksum each


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    return encode(tmp_path / "strokes.mp3", bursts(FRAMES), "libmp3lame", "mp3")


def is_right(recording: Recording, reference: Samples) -> bool:
    with open_source(recording) as source:
        read = np.concatenate([source.read(start, start + 20_000) for start in range(0, FRAMES, 20_000)], axis=1)
    return np.array_equal(read, reference)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x41
    path.write_bytes(content)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), of_notes=st.booleans())
def test_any_flipped_byte_is_noticed(mp3: Path, share: float, of_notes: bool) -> None:
    recording = open_recording(mp3)
    path = decoded_path(recording.content_key)
    path = path.with_suffix(".json") if of_notes else path
    flip(path, int(path.stat().st_size * share))
    assert is_right(recording, decoded_in_one_go(mp3))
    assert open_recording(mp3) == recording


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def change_notes(path: Path) -> None:
    notes = path.with_suffix(".json")
    text = json.loads(notes.read_bytes())
    text["facts"]["frames"] -= 7
    notes.write_text(json.dumps(text))


@pytest.mark.parametrize(
    "damage", [cut_short, fill_with_zeros, change_notes, lambda p: p.with_suffix(".json").unlink()]
)
def test_other_damage_is_mended_too(mp3: Path, damage: Callable[[Path], None]) -> None:
    recording = open_recording(mp3)
    damage(decoded_path(recording.content_key))
    assert is_right(recording, decoded_in_one_go(mp3))
    assert load_notes(recording.content_key) is not None, "and the next opening finds it whole"
    assert open_recording(mp3) == recording


def test_damage_that_comes_while_the_file_is_open_is_mended(mp3: Path) -> None:
    recording = open_recording(mp3)
    with open_source(recording) as source:
        first = source.read(0, 100)
        flip(decoded_path(recording.content_key), 1_000_000)
        assert np.array_equal(source.read(0, FRAMES), decoded_in_one_go(mp3))
        assert np.array_equal(source.read(0, 100), first)


def test_without_the_recording_damage_is_an_error(mp3: Path) -> None:
    recording = open_recording(mp3)
    mp3.unlink()
    with open_source(recording) as source:
        assert source.read(0, 10).shape == (2, 10), "its decoded form will do"
    flip(decoded_path(recording.content_key), 1_000_000)
    with open_source(recording) as source, pytest.raises(AudioFileError, match="is not there"):
        source.read(0, FRAMES)


def test_the_decoded_form_of_another_recording_is_not_believed(mp3: Path, tmp_path: Path) -> None:
    other = encode(tmp_path / "other.mp3", bursts(FRAMES, seed=6), "libmp3lame", "mp3")
    recording = open_recording(mp3)
    shutil.copy(decoded_path(open_recording(other).content_key), decoded_path(recording.content_key))
    assert is_right(recording, decoded_in_one_go(mp3))


def age(path: Path, seconds: float = 100.0) -> None:
    """Let a file be as old as if it had lain there; only Windows and the tests can set all of its times."""
    state = path.stat()
    os.utime(path, (state.st_atime - seconds, state.st_mtime - seconds))


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_recording_that_is_replaced_by_one_of_the_same_length_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"take.{suffix}"
    other = tmp_path / f"other.{suffix}"
    for at, seed in ((path, 1), (other, 2)):
        soundfile.write(at, bursts(30_000, seed=seed).T, RATE)
    recording = open_recording(path)
    check_unchanged(recording)
    os.replace(other, path)
    with pytest.raises(AudioFileError, match="has changed"):
        check_unchanged(recording)
    with pytest.raises(AudioFileError, match="has changed"):
        open_source(recording)
    path.unlink()
    with pytest.raises(AudioFileError, match="is not there"):
        check_unchanged(recording)


def test_writing_into_a_recording_is_noticed_even_if_its_time_is_set_back(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, bursts(30_000).T, RATE)
    recording = open_recording(path)
    state = path.stat()
    flip(path, 5_000)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(AudioFileError, match="has changed"):
        check_unchanged(recording)


def test_an_old_file_is_hashed_once_and_a_touched_one_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, bursts(30_000).T, RATE)
    hashed: list[Path] = []

    def counted(path: Path, *rest: object) -> str:
        hashed.append(path)
        return content_key(path)

    monkeypatch.setattr(recordings, "content_key", counted)
    recording = open_recording(path)
    for _ in range(3):
        open_source(recording).close()
        recordings._known.clear()  # another process
    assert hashed == [path]
    age(path)
    check_unchanged(recording)
    check_unchanged(recording)
    assert hashed == [path, path]


def test_a_file_written_in_the_same_moment_as_it_was_hashed_is_not_taken_for_granted(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, bursts(30_000).T, RATE)
    state = recordings.file_state(path)
    latest_ns = max(state.written_ns, state.changed_ns)
    recordings.note_content(path, state, "key", latest_ns + 1_000_000)
    assert str(path) not in recordings._known
    recordings.note_content(path, state, "key", latest_ns + 3_000_000_000)
    assert recordings.current_key(path) == "key"


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_a_recording_that_is_replaced_while_it_is_opened_is_noticed_and_leaves_nothing_wrong(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / f"take.{suffix}", tmp_path / f"other.{suffix}"
    for at, seed in ((path, 1), (other, 2)):
        soundfile.write(at, bursts(30_000, seed=seed).T, RATE)
    kept = path.read_bytes()

    def replacing(hashed: Path, *rest: object) -> str:
        key = content_key(hashed)
        if other.exists():
            os.replace(other, path)
        return key

    monkeypatch.setattr(audio_files, "content_key", replacing)
    with pytest.raises(AudioFileError, match="has changed"):
        open_recording(path)
    path.write_bytes(kept)
    with open_source(open_recording(path)) as source:
        likeness = np.corrcoef(source.read(0, 30_000)[0], bursts(30_000, seed=1)[0])[0, 1]
    assert likeness > 0.8, "and not the other one, which would give about 0"


def test_a_cache_that_keeps_nothing_is_one_sentence(mp3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = open_recording(mp3)
    decoded_path(recording.content_key).unlink()
    monkeypatch.setattr(audio_files, "load_notes", lambda key: None)
    with pytest.raises(OutputError, match="does not stay there"):
        open_source(recording)
