"""Every container and codec is decoded as FFmpeg decodes it in one go, at any place, cut off or whole."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoresep.errors import AudioFileError
from scoresep.files.audio.recordings import open_recording, open_source
from tests.sound_files import RATE, Samples, bursts, decoded_in_one_go, encode

FRAMES = 70_003  # more than a block, and no round number
SAME = 1e-4

# name: codec, container, rate; and by how many frames the length may differ from what was encoded (None: any)
KINDS: dict[str, tuple[str, str, int, int | None]] = {
    "mp3": ("libmp3lame", "mp3", RATE, 0),
    "aac": ("aac", "adts", RATE, None),
    "m4a": ("aac", "ipod", RATE, 0),
    "mov": ("alac", "mov", RATE, 0),
    "caf": ("alac", "caf", RATE, 0),
    "mp4": ("libopus", "mp4", 48_000, 0),
    "opus": ("libopus", "ogg", 48_000, 0),
    "webm": ("libopus", "webm", 48_000, 48),
    "oga": ("flac", "ogg", RATE, 0),
    "mka": ("flac", "matroska", RATE, 0),
    "mkv": ("aac", "matroska", RATE, None),
    "ac3": ("ac3", "ac3", RATE, None),
    "mp2": ("mp2", "mp2", RATE, None),
    "wma": ("wmav2", "asf", RATE, None),
    "wv": ("wavpack", "wv", RATE, 0),
    "tta": ("tta", "tta", RATE, 0),
    "ts": ("mp2", "mpegts", RATE, None),
    "flv": ("libmp3lame", "flv", RATE, None),
    "avi": ("pcm_s16le", "avi", RATE, 0),
    "ima.wav": ("adpcm_ima_wav", "wav", RATE, None),
    "ms.wav": ("adpcm_ms", "wav", RATE, None),
    "mp3.wav": ("libmp3lame", "wav", RATE, None),
}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoded")
    return {
        name: encode(folder / f"strokes.{name}", bursts(FRAMES), codec, container, rate=rate)
        for name, (codec, container, rate, _) in KINDS.items()
    }


def read(path: Path) -> tuple[Samples, list[str]]:
    warnings: list[str] = []
    recording = open_recording(path, warn=warnings.append)
    with open_source(recording) as source:
        samples = source.read(0, source.frames)
    assert samples.shape == (recording.channels, recording.frames)
    return samples, warnings


@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_samples_are_those_of_one_decoding_in_order(encoded: dict[str, Path], kind: str) -> None:
    samples, warnings = read(encoded[kind])
    reference = decoded_in_one_go(encoded[kind])
    tolerance = KINDS[kind][3]
    assert not warnings
    if tolerance is None:  # nothing in the file tells the encoder's padding
        assert samples.shape == reference.shape
    else:
        assert abs(samples.shape[1] - FRAMES) <= tolerance
        assert samples.shape[1] <= reference.shape[1]
    assert np.abs(samples - reference[:, : samples.shape[1]]).max() < SAME


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    places=st.lists(st.tuples(st.integers(0, FRAMES), st.integers(1, 3 * FRAMES)), min_size=1, max_size=8),
)
def test_any_order_of_reading_gives_the_same(
    encoded: dict[str, Path], kind: str, places: list[tuple[int, int]]
) -> None:
    recording = open_recording(encoded[kind])
    reference = decoded_in_one_go(encoded[kind])[:, : recording.frames]
    with open_source(recording) as source:
        for start, length in places:
            expected = reference[:, start : start + length]
            assert np.abs(source.read(start, start + length) - expected).max(initial=0) < SAME


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(KINDS)), share=st.floats(0.05, 0.97))
def test_what_is_left_of_a_file_that_is_cut_off_is_what_ffmpeg_decodes(
    encoded: dict[str, Path], tmp_path: Path, kind: str, share: float
) -> None:
    content = encoded[kind].read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(content[: int(len(content) * share)])
    try:
        samples, _ = read(path)
    except AudioFileError as error:  # MP4 and others have their index at the end
        assert "damaged" in str(error) or "no sound" in str(error)
        with pytest.raises((av.error.FFmpegError, ValueError, IndexError)):  # no stream of sound is left
            decoded_in_one_go(path)
        return
    reference = decoded_in_one_go(path)
    assert samples.shape == reference.shape
    assert np.abs(samples - reference).max() < SAME


@pytest.mark.parametrize("kind", ["mp3", "opus", "oga", "mka", "wma", "ms.wav", "ima.wav"])
def test_a_file_that_is_cut_off_says_so(encoded: dict[str, Path], tmp_path: Path, kind: str) -> None:
    content = encoded[kind].read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(content[: len(content) * 9 // 10])  # a page of Ogg holds a second
    warnings = read(path)[1]
    assert len(warnings) == 1
    assert "cut off" in warnings[0]


@pytest.mark.parametrize("frames", [1, 256, 1024, 3000, 8192, 20_000, 70_003, 262_144])
def test_vorbis_of_any_length_has_the_frames_that_were_written(tmp_path: Path, frames: int) -> None:
    samples = bursts(frames)
    soundfile.write(tmp_path / "note.ogg", samples.T, RATE, format="OGG", subtype="VORBIS")
    read_back, warnings = read(tmp_path / "note.ogg")
    by_libsndfile = soundfile.read(tmp_path / "note.ogg", dtype="float32", always_2d=True)[0].T
    assert read_back.shape == samples.shape and warnings == []
    np.testing.assert_allclose(read_back, by_libsndfile, atol=SAME)


def test_an_mp3_without_a_header_keeps_all_its_frames(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.mp3", bursts(FRAMES), "libmp3lame", "mp3", container_options={"write_xing": "0"})
    samples, warnings = read(path)
    assert not warnings
    assert samples.shape[1] % 1152 == 0
    assert samples.shape[1] >= FRAMES + 1105, "the encoder's delay is not told, so nothing is taken away"
    assert np.abs(samples - decoded_in_one_go(path)).max() < SAME


def test_joined_mp3s_are_read_to_the_end_without_an_alarm(tmp_path: Path) -> None:
    one = encode(tmp_path / "one.mp3", bursts(FRAMES), "libmp3lame", "mp3").read_bytes()
    tag = b"TAG" + b"Title".ljust(125, b"\0")
    for between in (b"", tag):
        path = tmp_path / "joined.mp3"
        path.write_bytes(one + between + one + between)
        samples, warnings = read(path)
        assert not warnings
        assert samples.shape[1] > 2 * FRAMES - 1152
        assert np.abs(samples - decoded_in_one_go(path)).max() < SAME


def test_an_mp3_whose_header_promises_too_much_is_whole_unless_bytes_are_missing(tmp_path: Path) -> None:
    content = bytearray(encode(tmp_path / "x.mp3", bursts(FRAMES), "libmp3lame", "mp3").read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info"))
    frames, size = struct.unpack_from(">II", content, at + 8)
    struct.pack_into(">I", content, at + 8, 3 * frames)
    path = tmp_path / "wrong.mp3"
    path.write_bytes(content)
    assert not read(path)[1]
    struct.pack_into(">II", content, at + 8, 3 * frames, 3 * size)
    path.write_bytes(content)
    assert "cut off" in read(path)[1][0]


def vorbis(path: Path, samples: Samples, rate: int = RATE) -> Path:
    """Write Ogg Vorbis, for which PyAV's libraries have no good encoder."""
    soundfile.write(path, samples.T, rate, format="OGG", subtype="VORBIS")
    return path


@pytest.mark.parametrize("codec", ["vorbis", "opus"])
def test_the_links_of_a_chained_file_are_as_each_is_alone(tmp_path: Path, codec: str) -> None:
    lengths = (30_001, 70_003, 5_000)
    if codec == "vorbis":
        links = [vorbis(tmp_path / f"{i}.ogg", bursts(frames, seed=i)) for i, frames in enumerate(lengths)]
    else:
        links = [
            encode(tmp_path / f"{i}.opus", bursts(frames, seed=i), "libopus", "ogg", rate=48_000)
            for i, frames in enumerate(lengths)
        ]
    path = tmp_path / "chained.ogg"
    path.write_bytes(b"".join(link.read_bytes() for link in links))
    samples, warnings = read(path)
    assert not warnings
    alone = np.concatenate([decoded_in_one_go(link) for link in links], axis=1)
    assert samples.shape == alone.shape
    assert np.abs(samples - alone).max() < SAME


def test_links_of_another_rate_and_number_of_channels_are_brought_to_the_first(tmp_path: Path) -> None:
    first = vorbis(tmp_path / "a.ogg", bursts(44_100))
    second = vorbis(tmp_path / "b.ogg", bursts(48_000, channels=1), 48_000)
    path = tmp_path / "chained.ogg"
    path.write_bytes(first.read_bytes() + second.read_bytes() + first.read_bytes())
    samples, warnings = read(path)
    assert not warnings
    lengths = [decoded_in_one_go(p).shape[1] for p in (first, second)]
    assert samples.shape[0] == 2
    assert abs(samples.shape[1] - 2 * lengths[0] - lengths[1] * 44_100 / 48_000) < 2
    assert np.abs(samples[:, -lengths[0] :] - decoded_in_one_go(first)).max() < SAME


def note_of_itunes(priming: int, padding: int, frames: int) -> bytes:
    """Return the box in which iTunes notes the length, as its files have it."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", len(content) + 8, name) + content

    text = f" 00000000 {priming:08X} {padding:08X} {frames:016X}" + " 00000000" * 8
    note = box(b"mean", b"\0\0\0\0com.apple.iTunes") + box(b"name", b"\0\0\0\0iTunSMPB")
    note += box(b"data", struct.pack(">II", 1, 0) + text.encode())
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", box(b"----", note))))


def test_gapless_notes_of_itunes_are_kept_to_the_sample_and_without_them_the_first_frame_stays(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.m4a", bursts(FRAMES), "aac", "ipod", container_options={"use_editlist": "0"})
    whole = decoded_in_one_go(path)
    assert read(path)[0].shape[1] == FRAMES + 1024, "the priming stays, since nothing tells of it"
    content = path.read_bytes()
    at = content.rindex(b"moov") - 4
    size = struct.unpack_from(">I", content, at)[0]
    assert at + size == len(content)
    frames = FRAMES - 300  # less than the packets tell
    note = note_of_itunes(1024, whole.shape[1] - 1024 - frames, frames)
    path.write_bytes(
        content[:at] + struct.pack(">I", size + len(note)) + content[at + 4 :].replace(b"udta", b"free") + note
    )
    samples, warnings = read(path)
    assert not warnings
    assert samples.shape[1] == frames
    assert np.abs(samples - whole[:, 1024 : 1024 + frames]).max() < SAME


@pytest.mark.parametrize(
    ("codec", "container"), [("flac", "matroska"), ("pcm_s16le", "mov"), ("pcm_s16le", "matroska")]
)
def test_sound_that_begins_after_the_picture_keeps_the_gap(tmp_path: Path, codec: str, container: str) -> None:
    sound = bursts(30_000)
    path = encode(tmp_path / "film", sound, codec, container, first_stamp=66_150, pictures=75)
    samples, warnings = read(path)
    assert not warnings
    assert samples.shape[1] == 66_150 + 30_000
    assert not samples[:, :66_150].any()
    assert np.abs(samples[:, 66_150:] - sound).max() < 1e-4


def test_sound_that_begins_late_without_a_picture_begins_at_once(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.mka", bursts(30_000), "flac", "matroska", first_stamp=66_150)
    assert read(path)[0].shape[1] == 30_000


def with_hole(path: Path, hole_s: float, pictures: int = 0) -> Path:
    """Write a second of sound, a hole in the stamps, and two more seconds."""
    hole = round(hole_s * RATE)
    one = encode(path.with_suffix(".one"), bursts(3 * RATE), "pcm_s16le", "matroska", pictures=pictures)
    with av.open(str(one)) as source, av.open(str(path), "w", format="matroska") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        sound = source.streams.audio[0]
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.index == sound.index and packet.pts * packet.time_base >= 1:
                packet.pts += round(hole / RATE / packet.time_base)
                packet.dts = packet.pts
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    return path


def test_a_hole_in_the_stamps_is_silence_but_never_more_than_the_sound(tmp_path: Path) -> None:
    samples, warnings = read(with_hole(tmp_path / "short.mka", 1.5))
    assert len(warnings) == 1
    assert "lacks sound at 0:01.0" in warnings[0]
    assert abs(samples.shape[1] - 4.5 * RATE) < RATE / 1000 * 2
    samples, warnings = read(with_hole(tmp_path / "long.mka", 590.0))
    assert samples.shape[1] == 3 * RATE, "so long a silence is a fault of the stamps"
    assert "too long to be true" in warnings[0]


def test_playlists_open_nothing_else(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "other.wav", bursts(1000).T, RATE)
    (tmp_path / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile {tmp_path / 'other.wav'}\n")
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path / 'other.wav'}\n")
    for name in ("list.ffconcat", "list.m3u8"):
        with pytest.raises(AudioFileError, match="not a sound file"):
            open_recording(tmp_path / name)
