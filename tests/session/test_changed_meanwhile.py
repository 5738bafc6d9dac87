"""Files that are exchanged, cut short or vanish while work is done with them: a sentence, and no result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from duet import Duet, make_duet

import scoresep
from scoresep.errors import AudioFileError, OutputError, ScoreFileError
from scoresep.files.audio.recordings import check_unchanged, open_recording
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.files.scores import open_score, reader
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.part_folders import PartFolder
from scoresep.model.project import Project, Recipe
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session import separation_job as separating

PREVIEW = Recipe("nmf", "preview")


@pytest.fixture
def duet(tmp_path: Path) -> Duet:
    return make_duet(tmp_path)


def once(text: str, do: Callable[[], object]) -> Progress:
    """Do something when work says this for the first time."""
    seen: list[str] = []

    def hear(state: object) -> None:
        said = getattr(state, "text", "")
        if text in said and not seen:
            seen.append(said)
            do()

    return Progress(hear)  # type: ignore[arg-type]


def exchange(audio: Path) -> None:
    """Put another recording of the same length, rate and channels in the place of this one."""
    samples, rate = soundfile.read(audio, dtype="float32")
    other = audio.with_name("other.wav")
    soundfile.write(other, samples[::-1], rate, subtype="FLOAT")
    os.replace(other, audio)


def write_into(audio: Path) -> None:
    """Change samples in the file itself, as a program does that records over it."""
    with open(audio, "r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(np.full(500, 0.25, "<f4").tobytes())


def vanish(audio: Path) -> None:
    audio.unlink()


@pytest.mark.parametrize(
    ("change", "said"), [(exchange, "changed"), (write_into, "changed"), (vanish, "vanished|not there")]
)
def test_no_step_tells_of_a_recording_that_is_another_one_now(
    duet: Duet, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    opened = scoresep.open(duet.audio, duet.score)
    aligned = pipeline.align(opened)
    kept = tmp_path / "kept.wav"
    shutil.copy2(duet.audio, kept)

    def making(progress: Progress) -> Project:
        return separating.separate(aligned, tmp_path / "stems", PREVIEW, "cpu", progress)

    steps = [lambda p: pipeline.align(opened, p), lambda p: pipeline.segment(aligned, p)]
    for step in [*steps, making] if change is exchange else steps:
        with pytest.raises(AudioFileError, match=said):
            step(once("", lambda: change(Path(duet.audio))))
        shutil.copy2(kept, duet.audio)
    assert not (tmp_path / "stems").exists() and not list(tmp_path.glob(".*"))
    assert pipeline.align(opened).alignment == aligned.alignment


def test_a_recording_that_was_only_touched_is_the_same(duet: Duet) -> None:
    recording = open_recording(duet.audio)
    check_unchanged(recording)
    os.utime(duet.audio, ns=(1, 1))
    check_unchanged(recording)
    shutil.copy(duet.audio, f"{duet.audio}2")
    os.replace(f"{duet.audio}2", duet.audio)
    check_unchanged(recording)


@pytest.mark.parametrize("is_last", [False, True])
def test_stems_that_are_cut_short_while_they_are_made_are_none(duet: Duet, tmp_path: Path, is_last: bool) -> None:
    recording = open_recording(duet.audio)
    halves = np.array_split(np.ones((2, recording.channels, recording.frames), np.float32), 2, axis=2)
    writer = StemFolderWriter(tmp_path / "stems", recording, [(0, "A")])
    with pytest.raises(OutputError, match=r"another program"), writer:
        for i, half in enumerate(halves):
            writer.write(half)
            if i == is_last:
                os.truncate(writer.path / "01 A.wav", 1000)
        writer.finish("nmf", "cpu")
    assert not (tmp_path / "stems").exists() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("is_there", [False, True])
def test_what_vanishes_while_it_gets_its_name_is_not_told_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    target = tmp_path / "out"
    if is_there:
        target.mkdir()
    part = PartFolder(target)
    for name in ("a.wav", "manifest.json"):
        (part.path / name).write_bytes(b"12345")
    rename = os.rename

    def rename_and_lose(source: Path, place: Path) -> None:
        rename(source, place)
        if Path(place).name in ("out", "manifest.json"):
            (target / "a.wav").unlink()

    monkeypatch.setattr(os, "rename", rename_and_lose)
    with pytest.raises(OutputError, match=r"a\.wav"):
        part.publish(["a.wav", "manifest.json"])


def test_a_table_that_is_cut_short_as_it_gets_its_name_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replace_and_cut(source: Path, place: Path) -> None:
        replace(source, place)
        os.truncate(place, 2)

    monkeypatch.setattr(os, "replace", replace_and_cut)
    with pytest.raises(OutputError, match="changed by another program"):
        write_whole(tmp_path / "notes.csv", b"a,b,c\n")


def test_a_score_that_is_exchanged_while_it_is_read_is_not_kept_for_the_other(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Path(duet.score)
    read = reader._bytes_of
    monkeypatch.setattr(reader, "_bytes_of", lambda path: read(path).replace(b"<step>C", b"<step>D"))
    score.write_bytes(score.read_bytes() + b"<!-- not read before -->")
    with pytest.raises(ScoreFileError, match="changed while it was read"):
        open_score(score)
    monkeypatch.undo()
    assert len(open_score(score)[1].notes)


def test_finishing_looks_at_every_stem(tmp_path: Path, duet: Duet) -> None:
    recording = open_recording(duet.audio)
    with StemFolderWriter(tmp_path / "stems", recording, [(0, "A")]) as writer:
        writer.write(np.zeros((2, recording.channels, recording.frames), np.float32))
        (writer.path / "01 A.wav").unlink()
        with pytest.raises(OutputError, match=r"stems/01 A.wav' could not be written \(No such file"):
            writer.finish("nmf", "cpu")
