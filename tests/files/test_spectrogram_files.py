"""Spectrograms in the cache: seen while they grow, gone on with after an end, and left aside when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scoresep.errors import OutputError
from scoresep.files.audio import overviews as spectrogram_files
from scoresep.files.audio.overviews import SpectrogramFile, load_spectrogram, spectrogram_path, want_slab
from scoresep.model.spectrogram import BANDS, SLAB_COLUMNS, SpectrogramShape

SHAPE = SpectrogramShape(100_000, 8000)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))


def slab(level: int) -> tuple[NDArray[np.uint8], ...]:
    return tuple(np.full((SLAB_COLUMNS // b.stride, b.bins), level, np.uint8) for b in BANDS)


def test_what_one_writes_the_other_sees_at_once() -> None:
    assert load_spectrogram("key", SHAPE.frames, SHAPE.sample_rate) is None
    file = SpectrogramFile("key", SHAPE)
    seen = load_spectrogram("key", SHAPE.frames, SHAPE.sample_rate)
    assert seen is not None and seen.ready_slabs == 0 and not seen.is_complete
    file.builder.put(1, slab(77))
    assert seen.ready_slabs == 1 and np.asarray(seen.ready)[1]
    assert set(seen.shape.part(np.asarray(seen.table), 0, 2)[SLAB_COLUMNS : 2 * SLAB_COLUMNS].ravel().tolist()) == {77}


def test_what_is_wanted_reaches_who_computes() -> None:
    want_slab("key", 3)  # nobody computes: no harm
    file = SpectrogramFile("key", SHAPE)
    assert file.wanted_slab == 0
    want_slab("key", 3)
    assert file.wanted_slab == 3


def test_it_goes_on_where_it_ended() -> None:
    SpectrogramFile("key", SHAPE).builder.put(0, slab(9))
    again = SpectrogramFile("key", SHAPE)
    assert again.builder.next_slab(0) == 1
    for missing in range(1, SHAPE.slabs):
        again.builder.put(missing, slab(9))
    seen = load_spectrogram("key", SHAPE.frames, SHAPE.sample_rate)
    assert (
        seen is not None
        and seen.is_complete
        and set(seen.shape.part(np.asarray(seen.table), 0, 0).ravel().tolist()) == {9}
    )


@pytest.mark.parametrize("frames, rate", [(100_001, 8000), (100_000, 11025)])
def test_one_of_another_shape_is_left_aside_and_made_anew(frames: int, rate: int) -> None:
    SpectrogramFile("key", SHAPE).builder.put(0, slab(9))
    assert load_spectrogram("key", frames, rate) is None
    assert SpectrogramFile("key", SpectrogramShape(frames, rate)).builder.spectrogram.ready_slabs == 0


def test_a_damaged_one_is_made_anew() -> None:
    SpectrogramFile("key", SHAPE).builder.put(0, slab(9))
    path = spectrogram_path("key")
    path.write_bytes(path.read_bytes()[:-1])
    assert load_spectrogram("key", SHAPE.frames, SHAPE.sample_rate) is None
    assert SpectrogramFile("key", SHAPE).builder.spectrogram.ready_slabs == 0


def test_a_full_disk_says_so_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(size: int) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spectrogram_files, "_pieces", full)
    with pytest.raises(OutputError, match=r"No space left.*SCORESEP_CACHE_DIR"):
        SpectrogramFile("key", SHAPE)
    assert not spectrogram_path("key").exists() and not list(spectrogram_path("key").parent.parent.rglob("*.part"))
