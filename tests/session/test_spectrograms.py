"""Spectrograms of a real session: in a worker, seen while they grow, ended at once, gone on with, stems among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from session_desk import Desk, settle

from scoresep.edits import project as edits
from scoresep.errors import AudioFileError, Cancelled
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import Project
from scoresep.model.spectrogram import midi_to_bin
from scoresep.progress import Progress
from scoresep.session import spectrograms
from scoresep.session.jobs import JobRunner, Worker
from scoresep.session.session import Session
from scoresep.session.spectrograms import SoundToShow, build_spectrograms, recording_to_show, stem_to_show


@pytest.fixture
def session(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))
    session = desk.session(aligns_on_open=False)
    session.inputs.open_recording(desk.duet.audio)
    session.inputs.open_score(desk.duet.score)
    settle(session)
    return session


def sound_of(project: Project) -> SoundToShow:
    sound = recording_to_show(project)
    assert sound is not None
    return sound


def cancelling_after(updates: int) -> Progress:
    seen = [0]

    def is_cancelled() -> bool:
        seen[0] += 1
        return seen[0] > updates

    return Progress(is_cancelled=is_cancelled)


def test_there_is_nothing_to_show_without_a_recording() -> None:
    assert recording_to_show(Project()) is None and stem_to_show(Project(), None) is None


def test_a_worker_computes_it_and_the_window_need_not_wait(session: Session) -> None:
    sound, runner = sound_of(session.project), JobRunner()  # a worker of its own, that knows of this cache
    job = runner.wait(runner.start("Draw", build_spectrograms, ((sound,),), Worker.SPECTRA))
    runner.close()
    found = spectrograms.load(sound)
    assert found is not None and found.is_complete and job.result == (sound.content_key,)


def test_what_was_computed_before_an_end_is_kept(session: Session) -> None:
    sound = sound_of(session.project)
    with pytest.raises(Cancelled):
        build_spectrograms((sound,), cancelling_after(2))
    partly = spectrograms.load(sound)
    assert partly is not None and 0 < partly.ready_slabs < partly.shape.slabs
    before = np.array(partly.table)
    build_spectrograms((sound,), Progress())
    assert partly.is_complete, "it grows under who looks at it"
    part = partly.shape.part(before, 0, 2)
    assert np.array_equal(part[:768], partly.shape.part(np.asarray(partly.table), 0, 2)[:768])


def test_the_stretch_that_is_wanted_is_computed_first(session: Session) -> None:
    sound = sound_of(session.project)
    with pytest.raises(Cancelled):
        build_spectrograms((sound,), cancelling_after(1))
    spectrograms.want(sound, sound.recording.frames - 1)
    with pytest.raises(Cancelled):
        build_spectrograms((sound,), cancelling_after(2))
    found = spectrograms.load(sound)
    assert found is not None and found.shape.slabs > 2 and np.asarray(found.ready)[-1]


def test_stems_have_their_own_and_a_missing_one_says_so(session: Session, tmp_path: Path) -> None:
    project = session.project
    recording = project.recording
    assert recording is not None
    t = np.arange(recording.frames) / recording.sample_rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    stems = np.stack([tone, 0 * tone, 0 * tone])[:, None].repeat(recording.channels, axis=1)
    writer = StemFolderWriter(tmp_path / "stems", recording, [(0, "Violin"), (1, "Cello")])
    writer.write(stems)
    session.apply(edits.set_stems(project, writer.finish("test", "cpu", "key")))
    sounds = [stem_to_show(session.project, part) for part in (0, 1, None)]
    assert len({sound.content_key for sound in sounds if sound is not None}) == 3
    first, second, _ = sounds
    assert first is not None and second is not None
    build_spectrograms((first, second), Progress())
    loud, silent = spectrograms.load(first), spectrograms.load(second)
    assert loud is not None and silent is not None and not np.asarray(silent.table).any()
    columns = loud.levels(100, float(loud.shape.column_frames), 50)
    assert set(np.argmax(columns, axis=0).tolist()) == {int(midi_to_bin(69))}
    Path(first.stem_path).unlink()
    with pytest.raises(AudioFileError):
        build_spectrograms((first,), Progress())
