"""Thousands of sounds of notes are open at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAPS_MANY = """
import resource, sys
from pathlib import Path
import numpy as np
from scoresep.files.audio.note_sounds import load_note, save_note
from scoresep.files.storage.paths import allow_many_files
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
path = Path(sys.argv[1], "0.wav")
save_note(path, np.ones((1, 10), np.float32), 8000)
if sys.argv[2] == "allowed":
    allow_many_files()
maps = [load_note(path, 1, 10) for _ in range(200)]
print(all(each is not None and each[:, 5:6] == 1 for each in maps))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_more_notes_are_mapped_than_a_program_may_usually_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    for how, outcome in (("allowed", "True"), ("as it was", "False")):
        command = [sys.executable, "-c", MAPS_MANY, str(tmp_path_factory.mktemp("notes")), how]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == outcome
