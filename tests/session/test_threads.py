"""The same seed gives the same stems: bit by bit with as many threads, and with others but for rounding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from separation_audio import RATE, duet

from scoresep.files.audio.recordings import open_recording
from scoresep.files.audio.stems import StemSource
from scoresep.model.project import Recipe
from scoresep.progress import Progress
from scoresep.session.separation_job import SeparationRequest, separate_recording

HEARD_NOWHERE_DB = -120.0


@pytest.fixture
def threads() -> Iterator[None]:
    former = torch.get_num_threads()
    yield
    torch.set_num_threads(former)


@pytest.mark.parametrize("engine", ["nmf", "source-filter"])
def test_stems_are_the_same_with_any_number_of_threads(tmp_path: Path, threads: None, engine: str) -> None:
    notes, stems = duet()
    soundfile.write(tmp_path / "duet.wav", stems.sum(0), RATE, subtype="FLOAT")
    recording = open_recording(tmp_path / "duet.wav")

    def made(count: int, name: str) -> NDArray[np.float32]:
        torch.set_num_threads(count)
        folder = tmp_path / name
        recipe = Recipe(engine, "preview", seed=7)
        request = SeparationRequest(recording, notes, (0, 1), ("High", "Low"), recipe, "cpu", str(folder))
        files = [stem.file for stem in separate_recording(request, Progress()).stem_set.stems]
        return np.stack([StemSource(folder / file).read(0, recording.frames) for file in files])

    one = made(1, "one")
    assert np.array_equal(made(1, "one again"), one)
    apart = np.sqrt(np.mean((made(3, "three") - one) ** 2, axis=(1, 2)))
    assert np.all(20 * np.log10(apart / np.std(stems.sum(0)) + 1e-20) < HEARD_NOWHERE_DB)
