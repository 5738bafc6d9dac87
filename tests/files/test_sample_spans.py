"""Uncompressed files whose header does not tell their length are whole; those shorter than it tells are cut off."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoresep.files.audio.recordings import open_recording, open_source
from scoresep.files.audio.sample_spans import FileSlice, find_samples
from scoresep.files.storage.cache import cache_folder

FRAMES = 10_007
NOISE = np.random.default_rng(3).integers(-(2**15), 2**15, (FRAMES, 2)).astype("<i2")
HEAD_BYTES = 44


def wave(
    data_bytes: int,
    riff_bytes: int | None = None,
    kind: bytes = b"RIFF",
    before: bytes = b"",
    samples: bytes | None = None,
) -> bytes:
    """Return a WAV file of `NOISE` whose header tells these lengths."""
    order = ">" if kind == b"RIFX" else "<"
    content = NOISE.tobytes() if samples is None else samples
    head = b"WAVE" + before + struct.pack(order + "4sIHHIIHH", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16)
    head += struct.pack(order + "4sI", b"data", data_bytes)
    riff = (len(head) + data_bytes) % 2**32 if riff_bytes is None else riff_bytes
    return struct.pack(order + "4sI", kind, riff) + head + content


def aiff(data_bytes: int, frames: int, form_bytes: int) -> bytes:
    """Return an AIFF file of `NOISE` whose header tells these lengths."""
    rate = bytes.fromhex("400eac44000000000000")  # 44100 in the 80 bits that SANE has
    head = b"AIFF" + struct.pack(">4sIhIh", b"COMM", 18, 2, frames, 16) + rate
    head += struct.pack(">4sIII", b"SSND", data_bytes, 0, 0)
    return struct.pack(">4sI", b"FORM", form_bytes) + head + NOISE.astype(">i2").tobytes()


def wave64(data_bytes: int) -> bytes:
    """Return a Wave64 file of `NOISE` whose header tells this length."""
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    head = bytes.fromhex("726966662e91cf11a5d628db04c10000") + struct.pack("<Q", data_bytes) + b"wave" + tail
    head += b"fmt " + tail + struct.pack("<QHHIIHH", 40, 1, 2, 44_100, 176_400, 4, 16)
    return head + b"data" + tail + struct.pack("<Q", data_bytes) + NOISE.tobytes()


def caf(data_bytes: int) -> bytes:
    """Return a CAF file of `NOISE` whose header tells this length."""
    described = struct.pack(">d4sIIIII", 44_100.0, b"lpcm", 2, 4, 1, 2, 16)  # 2: little-endian
    return (
        b"caff\0\1\0\0desc"
        + struct.pack(">q", 32)
        + described
        + b"data"
        + struct.pack(">qI", data_bytes, 0)
        + NOISE.tobytes()
    )


def au(data_bytes: int) -> bytes:
    """Return an AU file of `NOISE` whose header tells this length."""
    return struct.pack(">4sIIIII", b".snd", 24, data_bytes, 3, 44_100, 2) + NOISE.astype(">i2").tobytes()


ZEROS_64 = struct.pack("<4sIQQQI", b"ds64", 28, 0, 0, 0, 0)
ONES_64 = struct.pack("<4sI", b"ds64", 28) + b"\xff" * 24 + bytes(4)
OPEN = {
    "SoX.wav": wave(0x7FFFF000, 0x7FFFF024),
    "SoX 24 bit.wav": wave(0x7FFFF000 - 0x7FFFF000 % 6, 0x7FFFF022),
    "FFmpeg.wav": wave(0xFFFFFFFF, 0xFFFFFFFF),
    "arecord.wav": wave(0x80000000, 0x80000024),
    "arecord before.wav": wave(0x7FFFFF00, 0x7FFFFF24),
    "largest.wav": wave(0x7FFFFFFF, 0x7FFFFFFF),
    "largest with header.wav": wave(0x7FFFFFFF - 36, 0x7FFFFFFF),
    "all but the header.wav": wave(0xFFFFFFFF - 44, 0xFFFFFFFF - 8),
    "killed.wav": wave(0, 0),
    "killed with header.wav": wave(0, 36),
    "killed, RIFF told.wav": wave(0, HEAD_BYTES + NOISE.nbytes - 8),
    "a round number.wav": wave(2_000_000_000),
    "nothing fits.wav": wave(900_000_001, 36),
    "big-endian.wav": wave(0xFFFFFFFF, 0, b"RIFX", samples=NOISE.astype(">i2").tobytes()),
    "RF64 zeros.wav": wave(0xFFFFFFFF, 0xFFFFFFFF, b"RF64", ZEROS_64),
    "RF64 ones.wav": wave(0xFFFFFFFF, 0xFFFFFFFF, b"RF64", ONES_64),
    "RF64 bare.wav": wave(0xFFFFFFFF, 0xFFFFFFFF, b"RF64"),
    "BW64 zeros.wav": wave(0xFFFFFFFF, 0xFFFFFFFF, b"BW64", ZEROS_64),
    "RIFF with ds64.wav": wave(0, 0, b"RIFF", b"JUNK" + ZEROS_64[4:]),
    "SoX.aiff": aiff(0x7F000008, 0x7F000000 // 4, 0x7F00002E),
    "FFmpeg.aiff": aiff(0, 0, 0),
    "killed.aiff": aiff(8, 0, 46),
    "ones.aiff": aiff(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
    "FFmpeg.w64": wave64(2**63 - 1),
    "ones.w64": wave64(2**64 - 1),
    "killed.w64": wave64(24),
    "zero.w64": wave64(0),
    "legal.caf": caf(-1),
    "killed.caf": caf(4),
    "zero.caf": caf(0),
    "legal.au": au(0xFFFFFFFF),
    "killed.au": au(0),
}


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    warnings: list[str] = []
    with open_source(open_recording(path, warn=warnings.append)) as source:
        return source.read(0, source.frames), warnings


@pytest.mark.parametrize("name", OPEN)
def test_a_length_that_was_left_open_is_that_of_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(OPEN[name])
    samples, warnings = read(path)
    assert not warnings
    assert np.array_equal(samples.T * 32768, NOISE)
    assert not (cache_folder() / "audio").exists(), "such files are read where they lie"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(OPEN)), places=st.lists(st.integers(0, FRAMES), min_size=2, max_size=6))
def test_such_a_file_is_read_at_any_place(tmp_path: Path, name: str, places: list[int]) -> None:
    path = tmp_path / name
    path.write_bytes(OPEN[name])
    with open_source(open_recording(path)) as source:
        for start, stop in itertools.pairwise(places):
            assert np.array_equal(source.read(start, stop).T * 32768, NOISE[start:stop])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lacking=st.integers(1, FRAMES - 1), kind=st.sampled_from(["wav", "aiff", "w64", "caf", "rf64"]))
def test_a_file_that_is_really_cut_off_warns_and_gives_what_is_there(tmp_path: Path, lacking: int, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    subtype = "PCM_16"
    soundfile.write(path, NOISE, 44_100, format="RF64" if kind == "rf64" else kind.upper(), subtype=subtype)
    span = find_samples(path)
    assert span is not None
    content = path.read_bytes()
    path.write_bytes(content[: span.stop_offset - 4 * lacking])
    samples, warnings = read(path)
    assert len(warnings) == 1
    assert "is cut off" in warnings[0]
    assert np.array_equal(samples.T * 32768, NOISE[: FRAMES - lacking])


def test_chunks_and_tags_behind_the_samples_are_no_sound_and_an_empty_file_stays_empty(tmp_path: Path) -> None:
    chunk = b"LIST" + struct.pack("<I", 8000) + bytes(8000)
    for behind in (b"", chunk, b"TAG" + b"x" * 125, bytes(9000), b"ID3\4\0\0\0\0\7\0" + b"x" * 8000):
        path = tmp_path / "x.wav"
        path.write_bytes(wave(NOISE.nbytes) + behind)
        samples, warnings = read(path)
        assert not warnings
        assert samples.shape[1] == FRAMES
    path.write_bytes(wave(0, samples=chunk))
    span = find_samples(path)
    assert span is not None
    assert not span.is_open


def test_what_goes_on_behind_the_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wave(NOISE.nbytes // 2 // 4 * 4))
    samples, warnings = read(path)
    assert samples.shape[1] == FRAMES // 2
    assert "goes on" in warnings[0]


def test_a_length_that_ran_over_32_bits_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    present = 2**32 + 4000
    with path.open("wb") as file:
        file.write(wave(present % 2**32, samples=b""))
        file.seek(HEAD_BYTES + present - 4)  # a hole that takes no room on the disk
        file.write(b"\1\0\2\0")
    span = find_samples(path)
    assert span is not None
    assert span.is_open
    assert span.stop_offset - span.data_offset == present
    view = FileSlice(path, span.data_offset, span.stop_offset, span.head)
    with soundfile.SoundFile(view) as sound:
        assert sound.frames == present // 4
        sound.seek(sound.frames - 1)
        assert sound.read(1, dtype="int16").tolist() == [[1, 2]]
    view.close()
