"""WAV as written here is WAV as others read it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.errors import AudioFileError
from scoresep.files.audio import wav as wav_files
from scoresep.files.audio.wav import HEADER_BYTES, WavSamples, WavWriter, read_wav_layout


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 7),
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=4),
    encoding=st.sampled_from(["float32", "pcm16", "pcm24"]),
    rate=st.sampled_from([8000, 44_100, 192_000]),
    is_large=st.booleans(),
)
def test_libsndfile_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    channels: int,
    lengths: list[int],
    encoding: str,
    rate: int,
    is_large: bool,
) -> None:
    path = tmp_path_factory.mktemp("wav") / "x.wav"
    rng = np.random.default_rng(sum(lengths))
    if encoding == "float32":
        blocks = [rng.standard_normal((channels, n)).astype(np.float32) * 3 for n in lengths]
    else:
        top = 2 ** (15 if encoding == "pcm16" else 23)
        blocks = [rng.integers(-top, top, (channels, n)).astype(np.int32) for n in lengths]
    with pytest.MonkeyPatch.context() as patch:
        if is_large:
            patch.setattr(wav_files, "RIFF_LIMIT_BYTES", 0)
        with WavWriter(path, channels, rate, encoding) as writer:  # type: ignore[arg-type]
            for block in blocks:
                writer.write(block)
    whole = np.concatenate(blocks, axis=1)
    layout = read_wav_layout(path)
    assert (layout.frames, layout.channels, layout.sample_rate) == (whole.shape[1], channels, rate)
    assert layout.data_offset == HEADER_BYTES
    with soundfile.SoundFile(path) as file:
        assert file.format == ("RF64" if is_large else "WAV" if channels <= 2 else "WAVEX")
        assert file.frames == whole.shape[1]
        assert file.samplerate == rate
        assert not re.search(r"\d \(should be", file.extra_info), "libsndfile agrees with every size in the header"
        if encoding == "float32":
            assert file.subtype == "FLOAT"
            assert np.array_equal(file.read(dtype="float32", always_2d=True).T, whole)
            assert np.array_equal(WavSamples(path), whole)
        else:
            shift = 16 if encoding == "pcm16" else 8
            assert np.array_equal(file.read(dtype="int32", always_2d=True).T >> shift, whole)
            with pytest.raises(AudioFileError, match="32-bit float"):
                WavSamples(path)


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    for name in "ab":
        with WavWriter(tmp_path / name, 2, 44_100) as writer:
            writer.write(samples)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_files_of_others_are_read_too(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    for container in ("WAV", "RF64", "WAVEX"):
        path = tmp_path / f"{container}.wav"
        soundfile.write(path, samples, 44_100, format=container, subtype="FLOAT")
        assert np.array_equal(WavSamples(path), samples.T)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, HEADER_BYTES - 1), value=st.integers(0, 255), length=st.integers(0, HEADER_BYTES + 80))
def test_a_damaged_header_is_an_error_of_ours_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, length: int
) -> None:
    path = tmp_path_factory.mktemp("wav") / "x.wav"
    with WavWriter(path, 2, 44_100) as writer:
        writer.write(np.ones((2, 10), np.float32))
    content = bytearray(path.read_bytes())
    content[at] = value
    path.write_bytes(content[:length])
    try:
        assert np.asarray(WavSamples(path)).size <= 20 * 128
    except AudioFileError as error:
        assert "separate again" in str(error)
