"""Peaks in the cache: built once, found again, built anew when damaged, and never an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoresep.errors import Cancelled
from scoresep.files.audio.overviews import BLOCK_FRAMES, build_peaks, load_peaks, peak_path, peaks_of
from scoresep.model.audio import ArraySource
from scoresep.model.peaks import PeakPyramid
from scoresep.progress import Progress, ProgressState

FRAMES = BLOCK_FRAMES * 2 + 777


@pytest.fixture(autouse=True)
def cache_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source() -> ArraySource:
    samples = np.random.default_rng(0).standard_normal((2, FRAMES)).astype(np.float32) * 0.2
    return ArraySource(samples, 44100)


def test_what_was_built_is_found_again(source: ArraySource) -> None:
    assert load_peaks("abc", FRAMES, 2) is None
    built = build_peaks(source, "abc")
    found = load_peaks("abc", FRAMES, 2)
    assert found is not None and found.is_complete
    np.testing.assert_array_equal(found.table, built.table)
    assert load_peaks("abc", FRAMES + 64, 2) is None
    assert load_peaks("abc", FRAMES, 1) is None


def test_it_is_read_only_once(source: ArraySource) -> None:
    calls: list[PeakPyramid] = []
    peaks_of(source, "abc", on_growth=calls.append)
    assert [p.ready_frames for p in calls] == [BLOCK_FRAMES, 2 * BLOCK_FRAMES, FRAMES]
    peaks_of(source, "abc", on_growth=calls.append)
    assert len(calls) == 3


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no peaks at all" * 100])
def test_damaged_peaks_are_built_anew(source: ArraySource, content: bytes) -> None:
    peak_path("abc").parent.mkdir(parents=True)
    peak_path("abc").write_bytes(content)
    assert peaks_of(source, "abc").is_complete
    assert load_peaks("abc", FRAMES, 2) is not None


def test_cancelling_leaves_nothing(source: ArraySource, cache_in: Path) -> None:
    seen: list[ProgressState] = []
    progress = Progress(seen.append, is_cancelled=lambda: len(seen) > 0)
    with pytest.raises(Cancelled):
        build_peaks(source, "abc", progress)
    assert 0.0 < seen[-1].fraction < 1.0
    assert not [p for p in cache_in.rglob("*") if p.is_file()]


def test_a_cache_that_cannot_be_written_is_no_error(
    source: ArraySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "file"))
    assert build_peaks(source, "abc").is_complete
