"""Under which key the overview of a stem is kept: nobody ever sees that of other stems."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from scoresep.files.audio.recordings import open_recording
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import StemSet
from scoresep.progress import Progress
from scoresep.session.spectrograms import stem_peak_key
from scoresep.session.stem_folders import copy_stems

RATE = 8000


def stems_in(folder: Path, input_key: str, age_s: int) -> StemSet:
    audio = folder.with_name("take.wav")
    soundfile.write(audio, np.ones(RATE) / 2, RATE)
    with StemFolderWriter(folder, open_recording(str(audio)), [(0, "Violin")]) as writer:
        writer.write(np.full((2, 1, RATE), 0.25, np.float32))
        made = writer.finish("made up", "cpu", input_key)
    for stem in made.stems:
        os.utime(folder / stem.file, (1e9 - age_s, 1e9 - age_s))
    return made


def test_stems_made_again_have_overviews_of_their_own_and_copies_those_of_the_first(tmp_path: Path) -> None:
    first, again = stems_in(tmp_path / "a", "key", 20), stems_in(tmp_path / "b", "key", 10)
    copy = copy_stems(first, str(tmp_path / "beside"), Progress())
    moved = StemSet(str((tmp_path / "b").rename(tmp_path / "c")), "key", "made up", "cpu", again.stems)
    keys = [stem_peak_key(each, each.stems[0]) for each in (first, copy, moved)]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] != stem_peak_key(first, first.stems[1])


def test_stems_that_do_not_say_what_they_are_of_are_told_apart_by_their_place(tmp_path: Path) -> None:
    first, second = (stems_in(tmp_path / name, "", 20) for name in ("a", "b"))
    assert stem_peak_key(first, first.stems[0]) != stem_peak_key(second, second.stems[0])
