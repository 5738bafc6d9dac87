"""Stems that are still being written: heard where they are finished, and adding up to the recording everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.files.audio.stems import GrowingStem, StemFolderWriter
from scoresep.model.audio import ArraySource, Recording

RATE, FRAMES = 1000, 4000


def noise(seed: int) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal((2, FRAMES)) * 0.2).astype(np.float32)


def writer_in(folder: Path) -> StemFolderWriter:
    recording = Recording("/a.wav", "key", FRAMES, 2, RATE)
    return StemFolderWriter(folder / "stems", recording, [(0, "High"), (1, "Low")])


def growing(
    writer: StemFolderWriter, folder: Path, finished: list[tuple[int, int]], before: list[ArraySource | None]
) -> list[GrowingStem]:
    places = [(writer.path / s.file, folder / "stems" / s.file) for s in writer.stems]
    return [GrowingStem(now, later, finished, b) for (now, later), b in zip(places, before, strict=True)]


@given(
    cuts=st.lists(st.integers(0, FRAMES), min_size=2, max_size=6),
    ends=st.tuples(st.integers(-10, FRAMES + 10), st.integers(-10, FRAMES + 10)),
    has_before=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stems_and_residual_are_the_recording_while_they_grow(
    tmp_path: Path, cuts: list[int], ends: tuple[int, int], has_before: bool
) -> None:
    recording, old = noise(0), [noise(1), noise(2)]
    new = np.stack([noise(3), noise(4)])
    before: list[ArraySource | None] = [None, None, ArraySource(recording, RATE)]
    if has_before:
        before = [ArraySource(x, RATE) for x in (*old, recording - old[0] - old[1])]
    finished = [(a, b) for a, b in zip(sorted(cuts)[::2], sorted(cuts)[1::2], strict=False) if b > a]
    with writer_in(tmp_path) as writer:
        for start, stop in finished:
            here = new[:, :, start:stop]
            writer.write(np.concatenate([here, (recording[:, start:stop] - here.sum(0))[None]]), start)
        sources = growing(writer, tmp_path, finished, before)
        start, stop = sorted(ends)
        parts = [source.read(start, stop) for source in sources]
        expected = recording[:, max(start, 0) : max(min(stop, FRAMES), 0)]
        assert all(part.shape == expected.shape and part.dtype == np.float32 for part in parts)
        np.testing.assert_allclose(sum(parts), expected, atol=1e-5)
        pieces = [sources[0].read(at, min(at + 97, stop)) for at in range(start, stop, 97)]
        if pieces:
            np.testing.assert_array_equal(np.concatenate(pieces, axis=1), parts[0])


def test_what_is_finished_is_the_new_stem_and_the_rest_what_was_before(tmp_path: Path) -> None:
    old, ones = noise(1), np.ones((3, 2, 2000), np.float32)
    with writer_in(tmp_path) as writer:
        writer.write(ones, 1000)
        (stem, _, silent) = growing(writer, tmp_path, [(1000, 3000)], [ArraySource(old, RATE), None, None])
        now = stem.read(0, FRAMES)
        np.testing.assert_array_equal(now[:, :1000], old[:, :1000])
        np.testing.assert_array_equal(now[:, 1010:2990], 1.0)
        assert np.abs(np.diff(silent.read(0, FRAMES))).max() < 0.15, "it fades in and out"


def test_the_folder_may_take_its_final_name_and_go_while_it_is_heard(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer:
        writer.write(np.ones((3, 2, FRAMES), np.float32))
        stem = growing(writer, tmp_path, [(0, FRAMES)], [None, None, None])[0]
        assert (stem.frames, stem.channels, stem.sample_rate) == (FRAMES, 2, RATE)
        stem_set = writer.finish("test", "cpu")
    np.testing.assert_array_equal(stem.read(0, FRAMES), 1.0)
    for file in Path(stem_set.folder).iterdir():
        file.unlink()
    np.testing.assert_array_equal(stem.read(0, FRAMES), 0.0)
    with pytest.raises(AudioFileError):
        GrowingStem(tmp_path / "none.wav", tmp_path / "nowhere.wav", [], None)
