"""Recordings of every kind are opened with the right length, and bad ones are refused with one sentence."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scoresep.errors import AudioFileError, Cancelled, OutputError
from scoresep.files.audio.recordings import check_samples, open_recording, open_source
from scoresep.files.storage.cache import cache_folder
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress, ProgressState

RATE = 44_100
Samples = NDArray[np.float32]


def encode(path: Path, samples: Samples, codec: str, container: str, rate: int = RATE, video: bool = False) -> None:
    """Write a file with PyAV; `video` adds three pictures."""
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="stereo")
        if video:
            pictures = file.add_stream("mpeg4", rate=3)
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
            for i in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 3)
                file.mux(pictures.encode(frame))
            file.mux(pictures.encode(None))
        resampler = av.AudioResampler(format=stream.format.name, layout="stereo", rate=rate)
        for start in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, start : start + 1024]), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            for piece in resampler.resample(frame):
                file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


def read_all(path: Path) -> tuple[Samples, list[str]]:
    warnings: list[str] = []
    recording = open_recording(path, warn=warnings.append)
    with open_source(recording) as source:
        samples = source.read(0, source.frames)
    assert samples.shape == (recording.channels, recording.frames)
    assert samples.dtype == np.float32
    return samples, warnings


def lag(a: Samples, b: Samples) -> int:
    """How many frames `a` lies behind `b`."""
    size = a.shape[1] + b.shape[1]
    product = np.fft.rfft(a[0], size) * np.conj(np.fft.rfft(b[0], size))
    at = int(np.argmax(np.fft.irfft(product, size)))
    return at if at < size // 2 else at - size


@pytest.mark.parametrize(
    ("suffix", "container", "subtype", "tolerance"),
    [
        ("wav", "WAV", "PCM_16", 2**-15),
        ("wav", "WAV", "PCM_24", 2**-23),
        ("wav", "WAV", "PCM_32", 2**-24),
        ("wav", "WAV", "FLOAT", 0.0),
        ("wav", "RF64", "FLOAT", 0.0),
        ("w64", "W64", "PCM_24", 2**-23),
        ("flac", "FLAC", "PCM_24", 2**-23),
        ("aiff", "AIFF", "PCM_16", 2**-15),
        ("caf", "CAF", "FLOAT", 0.0),
    ],
)
def test_lossless_formats_give_the_samples_back(
    tmp_path: Path, sweep: Samples, suffix: str, container: str, subtype: str, tolerance: float
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, sweep.T, RATE, format=container, subtype=subtype)
    samples, warnings = read_all(path)
    assert not warnings
    assert samples.shape == sweep.shape
    assert np.abs(samples - sweep).max() <= tolerance
    assert not (cache_folder() / "audio").exists(), "such files are read where they lie"


@pytest.mark.parametrize(("suffix", "container", "subtype"), [("mp3", "MP3", None), ("ogg", "OGG", "VORBIS")])
def test_lossy_formats_keep_length_place_and_exactness_at_any_place(
    tmp_path: Path, sweep: Samples, suffix: str, container: str, subtype: str | None
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, sweep.T, RATE, format=container, subtype=subtype)
    samples, warnings = read_all(path)
    assert not warnings
    assert samples.shape == sweep.shape
    assert lag(samples, sweep) == 0
    with open_source(open_recording(path)) as source:
        for start in (60_000, 17, 31_003, 0):
            assert np.array_equal(source.read(start, start + 5000), samples[:, start : start + 5000])


@pytest.mark.parametrize(
    ("suffix", "codec", "container", "video"),
    [
        ("m4a", "aac", "ipod", False),
        ("mp4", "aac", "mp4", True),
        ("mov", "alac", "mov", True),
        ("mkv", "flac", "matroska", True),
    ],
)
def test_what_only_ffmpeg_reads_starts_and_ends_where_the_sound_does(
    tmp_path: Path, sweep: Samples, suffix: str, codec: str, container: str, video: bool
) -> None:
    path = tmp_path / f"tone.{suffix}"
    encode(path, sweep, codec, container, video=video)
    samples, warnings = read_all(path)
    assert not warnings
    assert samples.shape == sweep.shape, "neither the encoder's priming nor its padding is left"
    assert lag(samples, sweep) == 0


@pytest.mark.parametrize(("suffix", "container"), [("opus", "ogg"), ("mka", "matroska")])
def test_opus_is_read_from_both_its_containers(tmp_path: Path, sweep: Samples, suffix: str, container: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    encode(path, sweep, "libopus", container, rate=48_000)
    samples, warnings = read_all(path)
    assert not warnings
    assert abs(samples.shape[1] - sweep.shape[1]) <= 48  # Matroska counts in milliseconds
    assert lag(samples, sweep) == 0


def test_many_channels_and_mono_are_kept(tmp_path: Path) -> None:
    for channels in (1, 3, 6):
        samples = np.random.default_rng(channels).uniform(-1, 1, (channels, 500)).astype(np.float32)
        path = tmp_path / f"{channels}.wav"
        soundfile.write(path, samples.T, 96_000, subtype="FLOAT")
        assert np.array_equal(read_all(path)[0], samples)


def test_decoding_happens_once_and_again_when_the_cache_was_emptied(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "tone.ogg"
    soundfile.write(path, sweep.T, RATE, format="OGG")
    recording = open_recording(path)
    decoded = cache_folder() / "audio" / f"{recording.content_key}.v2.wav"
    first = decoded.stat().st_ino
    assert open_recording(path) == recording
    assert decoded.stat().st_ino == first
    decoded.unlink()
    with open_source(recording) as source:
        assert source.frames == recording.frames


def test_reading_is_clipped_to_the_recording_and_safe_in_threads(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "tone.flac"
    soundfile.write(path, sweep.T, RATE, subtype="PCM_24")
    wrong: list[int] = []
    with open_source(open_recording(path)) as source:
        whole = source.read(-5, 10**9)
        assert whole.shape == sweep.shape
        assert source.read(10**8, 10**9).shape == (2, 0)

        def read_often(seed: int) -> None:
            for start in np.random.default_rng(seed).integers(0, 60_000, 40).tolist():
                if not np.array_equal(source.read(start, start + 300), whole[:, start : start + 300]):
                    wrong.append(start)

        threads = [threading.Thread(target=read_often, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "mp3", "mkv"])
def test_a_file_that_is_cut_off_gives_what_is_there_and_says_so(tmp_path: Path, sweep: Samples, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    if suffix == "mkv":
        encode(path, sweep, "aac", "matroska")
    else:
        soundfile.write(path, sweep.T, RATE)
    whole, _ = read_all(path)
    cut(path, 0.6)
    samples, warnings = read_all(path)
    assert len(warnings) == 1
    assert "cut off" in warnings[0]
    assert 0.4 * whole.shape[1] < samples.shape[1] < 0.7 * whole.shape[1]
    sure = samples.shape[1] - 2000
    assert np.abs(samples[:, :sure] - whole[:, :sure]).max() < 1e-3
    recording = open_recording(path, warn=warnings.append)
    assert len(warnings) == 2, "also the second time, from the cache"
    assert recording.frames == samples.shape[1]


def test_a_wav_whose_writer_never_filled_in_the_length_is_read_to_its_end(tmp_path: Path, sweep: Samples) -> None:
    for length in (0, 0xFFFFFFFF):
        path = tmp_path / f"{length}.wav"
        soundfile.write(path, sweep.T, RATE, subtype="PCM_16")
        content = bytearray(path.read_bytes())
        struct.pack_into("<I", content, 4, length)
        struct.pack_into("<I", content, content.find(b"data") + 4, length)
        path.write_bytes(content)
        samples, _ = read_all(path)
        assert samples.shape == sweep.shape


def test_damage_in_the_middle_of_a_flac_is_an_error_that_says_where(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "tone.flac"
    soundfile.write(path, sweep.T, RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = b"\x55" * 3000
    path.write_bytes(content)
    with (
        open_source(open_recording(path)) as source,
        pytest.raises(AudioFileError, match="damaged at 0:00"),
    ):
        check_samples(source)


def test_what_is_not_a_recording_is_refused_with_a_sentence(tmp_path: Path, sweep: Samples) -> None:
    cases = {}
    cases["missing.wav"] = "is not there"
    (tmp_path / "folder.wav").mkdir()
    cases["folder.wav"] = "is a folder"
    (tmp_path / "empty.wav").write_bytes(b"")
    cases["empty.wav"] = "is empty"
    (tmp_path / "letter.wav").write_text("Dear Mr. Bach, " * 100)
    cases["letter.wav"] = "not a sound file"
    (tmp_path / "numbers.raw").write_bytes(bytes(1000))
    cases["numbers.raw"] = "sound"
    (tmp_path / "score.mp3").write_text("<?xml version='1.0'?><score-partwise/>")
    cases["score.mp3"] = "not a sound file"
    soundfile.write(tmp_path / "nothing.wav", np.zeros((0, 2)), RATE)
    cases["nothing.wav"] = "length is zero"
    soundfile.write(tmp_path / "header.wav", sweep.T, RATE)
    (tmp_path / "header.wav").write_bytes((tmp_path / "header.wav").read_bytes()[:20])
    cases["header.wav"] = "not a sound file"
    with av.open(str(tmp_path / "film.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    cases["film.mp4"] = "no sound"
    for name, words in cases.items():
        with pytest.raises(AudioFileError, match=words) as caught:
            open_recording(tmp_path / name)
        assert str(caught.value).count("\n") == 0
        assert caught.value.exit_code == 3
    assert not list(cache_folder().rglob("*.part"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "secret.wav"
    soundfile.write(path, sweep.T, RATE)
    path.chmod(0)
    with pytest.raises(AudioFileError, match="permissions"):
        open_recording(path)


def test_a_recording_that_was_replaced_is_noticed(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, sweep.T, RATE)
    recording = open_recording(path)
    soundfile.write(path, sweep.T[:-10], RATE)
    with pytest.raises(AudioFileError, match="has changed"):
        open_source(recording)
    path.unlink()
    with pytest.raises(AudioFileError, match="is not there"):
        open_source(recording)


def test_cancelling_while_decoding_leaves_nothing(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "long.ogg"
    soundfile.write(path, np.tile(sweep, 6).T, RATE, format="OGG")
    seen: list[ProgressState] = []
    progress = Progress(seen.append, lambda: bool(seen) and seen[-1].text == "Decoding")
    with pytest.raises(Cancelled):
        open_recording(path, progress)
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


FULL_DISK = """
import resource, sys
from scoresep.errors import OutputError
from scoresep.files.audio.recordings import open_recording
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    open_recording(sys.argv[1])
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_a_full_disk_while_decoding_is_one_sentence(tmp_path: Path, sweep: Samples) -> None:
    path = tmp_path / "tone.ogg"
    soundfile.write(path, sweep.T, RATE, format="OGG")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert "cannot be unpacked into" in done.stdout, done.stderr
    assert "SCORESEP_CACHE_DIR" in done.stdout
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, sweep: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tone.ogg"
    soundfile.write(path, sweep.T, RATE, format="OGG")
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(path / "below-a-file"))
    with pytest.raises(OutputError, match="cannot be unpacked into"):
        open_recording(path)


def test_silence_and_numbers_that_are_no_sound_are_refused(sweep: Samples) -> None:
    check = check_samples(ArraySource(sweep, RATE))
    assert check.peak == pytest.approx(float(np.abs(sweep).max()))
    assert check.clipped_frames == 0
    with pytest.raises(AudioFileError, match="Take 3 is silent"):
        check_samples(ArraySource(np.zeros((2, 100_000), np.float32), RATE), name="Take 3")
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = np.tile(sweep, 2)
        spoilt[1, 88_200] = bad
        with pytest.raises(AudioFileError, match=r"not sound .* at 0:02\.000"):
            check_samples(ArraySource(spoilt, RATE))


def test_a_long_recording_is_checked_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        block = (np.random.default_rng(1).standard_normal((RATE, 2)) * 3000).astype(np.int16)
        for _ in range(240):
            file.write(block)
    script = """
import resource, sys
from scoresep.files.audio.recordings import check_samples, open_recording, open_source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_source(open_recording(sys.argv[1])) as source:
    check_samples(source)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    if sys.platform == "win32":
        pytest.skip("needs POSIX's count of memory")
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40, "MiB; the samples are 80"
