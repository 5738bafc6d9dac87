"""Sounds of notes in the cache."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from scoresep.errors import OutputError
from scoresep.files.audio.note_sounds import load_note, save_note


def test_a_note_that_another_window_plays_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, samples = tmp_path / "0.wav", np.ones((1, 10), np.float32)
    save_note(path, samples, 8000)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(os, "replace", refuse)
    save_note(path, samples, 8000)
    assert load_note(path, 1, 10) is not None and [p.name for p in tmp_path.iterdir()] == ["0.wav"]
    with pytest.raises(OutputError):
        save_note(tmp_path / "1.wav", samples, 8000)
