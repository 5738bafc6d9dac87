"""Files that are cut short while they are open: a sentence, or silence, and never the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.errors import AudioFileError
from scoresep.files.audio.overviews import (
    SpectrogramFile,
    build_peaks,
    load_peaks,
    load_spectrogram,
    peak_path,
    spectrogram_path,
)
from scoresep.files.audio.stems import StemSource
from scoresep.files.audio.wav import HEADER_BYTES, WavSamples, WavWriter
from scoresep.files.storage.file_arrays import FileArray
from scoresep.model.audio import ArraySource, Patch, PatchedSource, SilentSource
from scoresep.model.project import Mixer
from scoresep.model.spectrogram import BANDS, SLAB_COLUMNS, SpectrogramShape
from scoresep.playback.mixing import Track, make_mix

FRAMES, RATE = 100_000, 8000
# What each does to the files that are named to it; a memory map would end all of them by SIGBUS.
PROCESS = """
import sys, os
from scoresep.errors import ScoreSepError
from scoresep.files.audio.stems import StemSource
from scoresep.files.audio.overviews import build_peaks, load_peaks
from scoresep.model.audio import blocks
from scoresep.model.project import Mixer
from scoresep.playback.mixing import Track, make_mix
from scoresep.progress import Progress
how, paths = sys.argv[1], sys.argv[2:]
sources = [StemSource(path) for path in paths]
next(blocks(sources[0], 1000))
os.truncate(paths[0], 4096 * 10)
frames, rate = sources[0].frames, sources[0].sample_rate
try:
    if how == "play":
        mix = make_mix(Mixer(), tuple(Track(i, s) for i, s in enumerate(sources)), frames, rate)
        samples, levels = mix.render(frames - 1000, frames)
        print(f"{abs(samples).max():.2f}", levels.problem)
    elif how == "overview":
        build_peaks(sources[0], "ab" * 20)
    else:
        list(blocks(sources[0], 1000))
except ScoreSepError as error:
    print(error)
"""


def stem(path: Path, value: float = 0.25) -> Path:
    with WavWriter(path, 2, RATE) as writer:
        writer.write(np.full((2, FRAMES), value, np.float32))
    return path


@pytest.mark.parametrize("how", ["play", "read", "overview"])
def test_a_process_that_reads_a_stem_outlives_it(tmp_path: Path, how: str) -> None:
    paths = [str(stem(tmp_path / "01 A.wav")), str(stem(tmp_path / "02 B.wav", 0.5))]
    environment = {**os.environ, "SCORESEP_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS, how, *paths], check=False, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0 and ended.stderr == ""
    assert "01 A.wav' cannot be read any more (it was cut short); separate again." in ended.stdout
    if how == "play":
        assert ended.stdout.startswith("0.50 "), "the other stem is heard"


def test_one_stem_falls_silent_and_the_levels_say_why(tmp_path: Path) -> None:
    sources = [StemSource(stem(tmp_path / name, value)) for name, value in (("a.wav", 0.25), ("b.wav", 0.5))]
    mix = make_mix(Mixer(), tuple(Track(i, s) for i, s in enumerate(sources)), FRAMES, RATE)
    whole, levels = mix.render(0, 100)
    assert np.all(whole == 0.75) and levels.problem == ""
    os.truncate(tmp_path / "a.wav", HEADER_BYTES + 50 * 8)
    rest, levels = mix.render(0, 100)
    assert np.all(rest == 0.5) and "a.wav" in levels.problem and levels.peak[:, 0].tolist() == [0.0, 0.5, 0.5]
    alone = make_mix(Mixer(), (Track(0, sources[0]),), FRAMES, RATE)
    with pytest.raises(AudioFileError, match="cut short"):
        alone.render(0, 100)


def test_the_sound_of_a_note_that_is_cut_short_is_a_sentence(tmp_path: Path) -> None:
    samples = WavSamples(stem(tmp_path / "0.wav"))
    patched = PatchedSource(SilentSource(FRAMES, 2, RATE), [Patch(0, samples, 2.0)])
    assert np.all(patched.read(10, 20) == 0.5)
    os.truncate(tmp_path / "0.wav", HEADER_BYTES + 80)
    with pytest.raises(AudioFileError, match="cut short"):
        patched.read(5, 20)


def test_a_waveform_that_is_cut_short_is_drawn_flat_and_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path))
    source = ArraySource(np.full((2, FRAMES), 0.5, np.float32), RATE)
    pyramid = build_peaks(source, "ab")
    assert pyramid.peak == 0.5 and pyramid.envelope(0, 1000.0, 50) is not None
    os.truncate(peak_path("ab"), 200)
    assert pyramid.peak == 0.0 and pyramid.envelope(0, 1000.0, 50) is not None
    assert load_peaks("ab", FRAMES, 2) is None and build_peaks(source, "ab").peak == 0.5


def test_a_spectrogram_that_is_cut_short_is_drawn_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path))
    shape = SpectrogramShape(FRAMES, RATE)
    levels = tuple(np.full((SLAB_COLUMNS // band.stride, band.bins), 77, np.uint8) for band in BANDS)
    file = SpectrogramFile("ab", shape)
    for slab in range(shape.slabs):
        file.builder.put(slab, levels)
    written = file.builder.spectrogram
    seen = load_spectrogram("ab", FRAMES, RATE)
    assert seen is not None and seen.is_complete and seen.loud_level() == written.loud_level()
    for width in (1.0, 50.0, 700.0, 20_000.0):
        assert np.array_equal(seen.levels(1, width, 5), written.levels(1, width, 5))
        assert np.array_equal(seen.known(-2, width, 9), written.known(-2, width, 9))
    del file, written
    os.truncate(spectrogram_path("ab"), 65)
    assert not seen.is_complete and not seen.levels(0, 700.0, 5).any() and seen.loud_level() > 0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(7,), (5, 3), (2, 3, 11)]),
    start=st.integers(-3, 12),
    stop=st.integers(-3, 14),
    kept=st.integers(0, 66),
)
def test_ranges_are_those_of_an_array_in_memory(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], start: int, stop: int, kept: int
) -> None:
    path = tmp_path_factory.mktemp("array") / "a"
    values = np.arange(1, np.prod(shape) + 1, dtype="<i2")
    path.write_bytes(b"head" + values.tobytes())
    found = FileArray(path, "<i2", 4, shape)
    for cut in (False, True):
        if cut:
            os.truncate(path, 4 + 2 * kept)
            values[kept:] = 0
        array, part = values.reshape(shape), slice(start, stop)
        key = (slice(None), slice(1, 3), part) if len(shape) == 3 else part
        assert np.array_equal(found[key], array[key])
        assert np.array_equal(np.asarray(found), array)
        if len(shape) == 3:
            assert np.array_equal(found[:, 0:2, -1], array[:, 0:2, -1])
            assert np.array_equal(found[1, 2, part], array[1, 2, part])
    flat = int(np.prod(shape))
    if kept < flat:
        with pytest.raises(OSError, match="cut short"):
            found.read(0, flat)
