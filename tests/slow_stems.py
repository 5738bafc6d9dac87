"""A separation in a worker process that waits for the test before every stretch, and makes stems of plain numbers."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from scoresep.engines.separation.chunking import Stretch, next_chunk
from scoresep.files.audio.recordings import open_source
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import StemSet
from scoresep.progress import Progress
from scoresep.session.separation_job import SeparationAnswer, SeparationRequest, StemsSoFar

STRETCHES = 4
LEVEL = 0.5
_LIMIT_S = 60.0


def let_go(recording_path: str | Path, stretch: int) -> None:
    """Let the stretch of this number, in the order of making, be made."""
    _gate(recording_path, stretch).touch()


def separate_slowly(request: SeparationRequest, progress: Progress) -> SeparationAnswer:
    """Stand in for `separate_recording`: every stem is a constant."""
    recording, count = request.recording, len(request.stem_parts)
    parts = tuple(zip(request.stem_parts, request.stem_names, strict=True))
    edges = np.linspace(0, recording.frames, STRETCHES + 1).astype(int).tolist()
    left = [Stretch(a, b) for a, b in pairwise(edges)]
    with (
        open_source(recording) as source,
        StemFolderWriter(Path(request.folder), recording, parts, request.input_key) as writer,
    ):
        while left:
            made = STRETCHES - len(left)
            _wait(recording.path, made, progress)
            stretch = next_chunk(left, progress.priority_frame)
            left.remove(stretch)
            start, stop = stretch.start_frame, stretch.stop_frame
            stems = np.full((count, recording.channels, stop - start), LEVEL, np.float32)
            stems *= np.arange(1, count + 1)[:, None, None]
            residual = source.read(start, stop) - stems.sum(0)
            writer.write(np.concatenate([stems, residual[None]]), start)
            folder = StemSet(str(writer.path), "", "slow", "", writer.stems)
            so_far = StemsSoFar(folder, request.folder, tuple(sorted(writer.finished)), STRETCHES)
            progress.finished(so_far)
            progress.update((made + 1) / STRETCHES, "Separating")
        _wait(recording.path, STRETCHES, progress)
        return SeparationAnswer(writer.finish("slow", "cpu", request.input_key))


def _gate(recording_path: str | Path, stretch: int) -> Path:
    return Path(recording_path).with_name(f"go {stretch}")


def _wait(recording_path: str, stretch: int, progress: Progress) -> None:
    end_s = time.monotonic() + _LIMIT_S
    while not _gate(recording_path, stretch).exists() and time.monotonic() < end_s:
        progress.update(stretch / STRETCHES, "Separating")
        time.sleep(0.01)
