"""Neighbours of files that are cut off, left open or tagged: what is whole gives no alarm, what is not gives one."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from scoresep.files.audio.recordings import open_recording, open_source
from scoresep.files.audio.stream_lengths import ends_in_frame
from tests.files.test_sample_spans import NOISE, caf, wave, wave64
from tests.sound_files import Samples, bursts, decoded_in_one_go, encode

FRAMES = 50_021
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf59.27.100\0"
CUE = b"cue " + struct.pack("<IIIIIIII", 28, 1, 1, 0, 0x61746164, 0, 0, 0)


def read(path: Path) -> tuple[Samples, list[str]]:
    warnings: list[str] = []
    recording = open_recording(path, warn=warnings.append)
    with open_source(recording) as source:
        return source.read(0, source.frames), warnings


@pytest.mark.parametrize("stated", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("tail", [LIST, LIST + CUE, b"id3 " + struct.pack("<I", 7) + b"ID3\3\0\0\0\0"])
def test_chunks_behind_samples_of_open_length_are_no_sound(tmp_path: Path, stated: int, tail: bytes) -> None:
    path = tmp_path / "open.wav"
    path.write_bytes(wave(stated, 0xFFFFFFFF) + tail)
    samples, warnings = read(path)
    assert np.array_equal(samples.T * 2**15, NOISE) and not warnings


@pytest.mark.parametrize("kind", ["caf", "w64"])
@pytest.mark.parametrize("has_last", [False, True])
def test_heads_that_libsndfile_repeats_in_a_pipe_are_no_sound(tmp_path: Path, kind: str, has_last: bool) -> None:
    whole = caf(4) if kind == "caf" else wave64(23)
    head = whole[: -NOISE.nbytes]
    path = tmp_path / f"pipe.{kind}"
    path.write_bytes(head + whole + (head if has_last else b""))
    samples, warnings = read(path)
    assert np.array_equal(samples.T * 2**15, NOISE) and not warnings


def test_tags_in_front_of_a_chained_file_hide_no_link(tmp_path: Path) -> None:
    links = [encode(tmp_path / f"{i}.ogg", bursts(FRAMES, seed=i), "flac", "ogg") for i in (1, 2)]
    path = tmp_path / "tagged.ogg"
    path.write_bytes(b"ID3\3\0\0\0\0\0\x40" + bytes(64) + b"".join(link.read_bytes() for link in links))
    samples, warnings = read(path)
    right = np.concatenate([decoded_in_one_go(link) for link in links], axis=1)
    assert samples.shape == right.shape and np.abs(samples - right).max() <= 1e-4 and not warnings


@pytest.mark.parametrize(
    ("codec", "container"), [("mp2", "mp2"), ("ac3", "ac3"), ("eac3", "eac3"), ("libmp3lame", "mp3")]
)
def test_a_bare_stream_that_ends_inside_a_frame_says_so(tmp_path: Path, codec: str, container: str) -> None:
    whole = encode(tmp_path / f"whole.{container}", bursts(FRAMES), codec, container)
    assert not ends_in_frame(whole) and not read(whole)[1]
    content = whole.read_bytes()
    for lacking in (1, 100, len(content) // 3 | 1):
        cut = tmp_path / f"{lacking}.{container}"
        cut.write_bytes(content[:-lacking])
        assert read(cut)[1]


@pytest.mark.parametrize("rest", [bytes(50_000), b"\x55" * 3000])
def test_what_stands_behind_the_end_of_an_mp3_is_no_damage(tmp_path: Path, rest: bytes) -> None:
    whole = encode(tmp_path / "whole.mp3", bursts(FRAMES), "libmp3lame", "mp3")
    path = tmp_path / "rest.mp3"
    path.write_bytes(whole.read_bytes() + rest)
    samples, warnings = read(path)
    right = decoded_in_one_go(whole)
    assert np.abs(samples[:, : right.shape[1]] - right).max() <= 1e-4 and not warnings


@pytest.mark.parametrize("rest", [b"\0", b"\n", bytes(900), b"LYRICSBEGIN" + b"x" * 50])
def test_a_short_rest_behind_an_mp3_without_a_header_is_no_damage(tmp_path: Path, rest: bytes) -> None:
    options = {"write_xing": "0"}
    whole = encode(tmp_path / "whole.mp3", bursts(FRAMES), "libmp3lame", "mp3", container_options=options)
    path = tmp_path / "rest.mp3"
    path.write_bytes(whole.read_bytes() + rest)
    samples, warnings = read(path)
    assert np.array_equal(samples, decoded_in_one_go(whole)) and not warnings


def test_zeros_in_the_place_of_the_rest_of_an_mp3_are_told(tmp_path: Path) -> None:
    content = encode(tmp_path / "whole.mp3", bursts(FRAMES), "libmp3lame", "mp3").read_bytes()
    path = tmp_path / "download.mp3"
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    assert read(path)[1]


class _Pipe:
    """A file that cannot go back, as FFmpeg sees a pipe."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes) -> int:
        self.content += data
        return len(data)


@pytest.mark.parametrize(("codec", "container"), [("wmav2", "asf"), ("libmp3lame", "avi")])
def test_a_film_or_broadcast_whose_length_was_left_open_is_whole(tmp_path: Path, codec: str, container: str) -> None:
    pipe = _Pipe()
    with av.open(pipe, "w", format=container) as writer:
        stream = writer.add_stream(codec, rate=44_100)
        stream.layout, stream.bit_rate = "stereo", 128_000
        frame = av.AudioFrame.from_ndarray(bursts(FRAMES).astype(np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            writer.mux(packet)
    path = tmp_path / f"pipe.{container}"
    path.write_bytes(pipe.content)
    samples, warnings = read(path)
    assert samples.shape[1] >= FRAMES - 2 * 2048 and not warnings


def test_an_avi_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    content = encode(tmp_path / "whole.avi", bursts(FRAMES), "libmp3lame", "avi").read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(content[: len(content) * 2 // 3])
    assert read(path)[1] and not read(tmp_path / "whole.avi")[1]


def test_blocks_of_a_voc_file_are_no_sound(tmp_path: Path) -> None:
    path = encode(tmp_path / "blocks.voc", bursts(FRAMES), "pcm_s16le", "voc")
    samples, warnings = read(path)
    right = decoded_in_one_go(path)
    assert samples.shape == right.shape == (2, FRAMES) and np.abs(samples - right).max() <= 1e-4 and not warnings


@pytest.mark.parametrize("number", range(2, 6))
def test_a_damaged_page_of_ogg_is_told(tmp_path: Path, number: int) -> None:
    options = {"page_duration": "200000"}
    whole = encode(tmp_path / "whole.ogg", bursts(FRAMES), "flac", "ogg", container_options=options)
    content = bytearray(whole.read_bytes())
    page = -1
    for _ in range(number + 1):
        page = content.index(b"OggS", page + 1)
    content[page + 200 : page + 300] = bytes(100)
    path = tmp_path / "damaged.ogg"
    path.write_bytes(content)
    assert read(path)[1] and not read(whole)[1]


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("mp2", "mpegts", {}),
        ("mp2", "mpegts", {"mpegts_m2ts_mode": "1"}),
        ("mp2", "mpeg", {}),
        ("libmp3lame", "flv", {}),
        ("aac", "mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("aac", "mov", {"movflags": "faststart"}),
        ("pcm_s16le", "mov", {"movflags": "faststart"}),
        ("ac3", "matroska", {}),
    ],
)
def test_a_film_is_read_as_far_as_it_goes_and_says_where_it_is_cut_off(
    tmp_path: Path, codec: str, container: str, options: dict[str, str]
) -> None:
    """Samples are FFmpeg's wherever a film with pictures is cut; FFmpeg itself says nothing of the loss."""
    whole = tmp_path / f"whole.{container}"
    pictures = 0 if container == "flv" else 60  # of their codec FLV holds none
    encode(whole, bursts(2 * FRAMES), codec, container, pictures=pictures, container_options=options)
    content = whole.read_bytes()
    assert not read(whole)[1]
    rng = np.random.default_rng(7)
    for share in rng.uniform(0.4, 0.9, 4):
        path = tmp_path / f"cut {share:.3f}.{container}"
        path.write_bytes(content[: int(len(content) * share)])
        samples, warnings = read(path)
        reference = decoded_in_one_go(path)
        assert samples.shape[1] <= reference.shape[1] <= samples.shape[1] + 2048
        assert np.array_equal(samples, reference[:, : samples.shape[1]])
        assert len(warnings) == 1 and "cut off" in warnings[0]
