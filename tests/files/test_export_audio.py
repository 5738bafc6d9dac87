"""Exported files hold what was heard, in proportion, and never cost a file that was there."""

from __future__ import annotations

import itertools
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.errors import Cancelled, OutputError, UsageError
from scoresep.files.audio.export import (
    ExportInput,
    ExportRequest,
    ExportTrack,
    export_audio,
    export_names,
    files_in_the_way,
)
from scoresep.files.audio.export_formats import EXPORT_FORMATS, ExportFormat, whole_numbers
from scoresep.files.audio.recordings import open_recording, open_source
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.progress import Progress, ProgressState

RATE, FRAMES = 44_100, 100_000  # more than one block
Samples = NDArray[np.float32]


@pytest.fixture
def stems() -> Samples:
    return np.random.default_rng(3).uniform(-0.4, 0.4, (3, 2, FRAMES)).astype(np.float32)


def request_for(folder: Path, stems: Samples, **values: object) -> ExportRequest:
    """Write stems and a recording, and ask for all of them."""
    path = folder / "take.wav"
    folder.mkdir(exist_ok=True)
    soundfile.write(path, stems.sum(axis=0).T, RATE, subtype="FLOAT")
    recording = open_recording(path)
    with StemFolderWriter(folder / "stems", recording, [(0, "Violin"), (3, "Cello")]) as writer:
        writer.write(stems)
        stem_set = writer.finish("nmf", "cpu")
    tracks = tuple(
        ExportTrack(s.name, (ExportInput(str(folder / "stems" / s.file)),), s.part_index, f"Solo {s.name}")
        for s in stem_set.stems
    )
    request = ExportRequest(str(folder / "out"), tracks, recording, song="Étude", engine="nmf", device="cpu")
    return replace(request, **values)  # type: ignore[arg-type]


def read(path: Path) -> Samples:
    return np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0].T)


LOSSLESS = tuple(f for f in EXPORT_FORMATS if not f.is_compressed)
LOSSY = tuple(f for f in EXPORT_FORMATS if f.is_compressed)


@pytest.mark.parametrize("file_format", LOSSLESS, ids=lambda f: f.text)
def test_every_format_holds_the_stems(tmp_path: Path, stems: Samples, file_format: ExportFormat) -> None:
    request = request_for(tmp_path, stems, file_format=file_format)
    report = export_audio(pickle.loads(pickle.dumps(request)))
    assert report.files == tuple(f"{n}{file_format.suffix}" for n in ("01 Violin", "02 Cello", "03 Residual"))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([*report.files, "manifest.json"])
    assert report.gain_db == 0.0
    step = 0.0 if file_format.is_float else 2.0 ** (1 - file_format.bits)
    for name, stem in zip(report.files, stems, strict=True):
        info = soundfile.info(tmp_path / "out" / name)
        assert info.format == file_format.container.upper()
        assert info.subtype == ("FLOAT" if file_format.is_float else f"PCM_{file_format.bits}")
        assert (info.frames, info.samplerate, info.channels) == (FRAMES, RATE, 2)
        assert np.abs(read(tmp_path / "out" / name) - stem).max() <= 1.5 * step + 2**-24 * (step > 0)


def soft_noise(seed: int, frames: int) -> Samples:
    """Noise without its highest frequencies, which codecs leave out."""
    noise = np.random.default_rng(seed).uniform(-0.4, 0.4, (2, frames))
    return np.stack([np.convolve(channel, np.ones(8) / 8, "same") for channel in noise]).astype(np.float32)


@pytest.mark.parametrize("frames", [5_000, FRAMES])
@pytest.mark.parametrize("file_format", LOSSY, ids=lambda f: f.text)
def test_compressed_stems_are_as_long_as_the_recording_and_lie_where_they_lay(
    tmp_path: Path, file_format: ExportFormat, frames: int
) -> None:
    stems = np.stack([soft_noise(i, frames) for i in range(3)])
    report = export_audio(request_for(tmp_path, stems, file_format=file_format))
    assert report.files[0] == f"01 Violin{file_format.suffix}"
    for name, stem in zip(report.files, stems, strict=True):
        recording = open_recording(tmp_path / "out" / name)
        assert recording.channels == 2
        with open_source(recording) as source:
            heard = source.read(0, recording.frames)
        if recording.sample_rate != RATE:  # Opus has rates of its own
            stem = soxr.resample(stem.T, RATE, recording.sample_rate).T
        assert abs(heard.shape[1] - stem.shape[1]) <= (recording.sample_rate != RATE)
        if frames == FRAMES:
            count = min(heard.shape[1], stem.shape[1])
            assert loudest_lag(stem[0, :count], heard[0, :count]) == 0
            error = heard[:, :count] - stem[:, :count]
            assert 10 * np.log10((stem**2).mean() / (error**2).mean()) > 8


def loudest_lag(a: NDArray[np.float32], b: NDArray[np.float32]) -> int:
    """Return by how many frames b comes later than a, by cross-correlation."""
    spectrum = np.fft.rfft(b, 2 * len(a)) * np.conj(np.fft.rfft(a, 2 * len(a)))
    lag = int(np.fft.irfft(spectrum).argmax())
    return lag if lag < len(a) else lag - 2 * len(a)


@pytest.mark.parametrize("file_format", LOSSY, ids=lambda f: f.text)
def test_compressed_files_say_what_they_are(tmp_path: Path, stems: Samples, file_format: ExportFormat) -> None:
    report = export_audio(request_for(tmp_path, stems, file_format=file_format))
    with av.open(str(tmp_path / "out" / report.files[0])) as file:
        said = {**file.metadata, **file.streams.audio[0].metadata}
        assert next(value for key, value in said.items() if key.lower() == "title") == "Étude - Violin"
        codec = "vorbis" if file_format.container == "ogg" else file_format.container
        assert file.streams.audio[0].codec_context.name.startswith(codec)
    short = request_for(tmp_path / "short", stems, file_format=file_format, end_frame=4_999)
    with pytest.raises(UsageError, match="too short"):
        export_audio(short)


def test_rates_that_a_codec_does_not_have_become_its_own(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, soft_noise(0, 96_000).T, 96_000, subtype="FLOAT")
    recording = open_recording(path)
    track = ExportTrack("Recording", (ExportInput(recording),))
    for container, rate in (("mp3", 48_000), ("opus", 48_000), ("aac", 96_000), ("ogg", 96_000)):
        request = ExportRequest(str(tmp_path / container), (track,), recording, ExportFormat(container, 0))  # type: ignore[arg-type]
        (name,) = export_audio(request).files
        made = open_recording(tmp_path / container / name)
        assert made.sample_rate == rate and abs(made.duration_s - 1.0) < 1e-4


def test_what_would_clip_is_turned_down_alike_in_all_files_and_written_down(tmp_path: Path, stems: Samples) -> None:
    stems[1] *= 5.0
    whole = export_audio(request_for(tmp_path, stems, file_format=ExportFormat("wav", 24)))
    assert -7 < whole.gain_db < -6
    gain = 10 ** (whole.gain_db / 20)
    for name, stem in zip(whole.files, stems, strict=True):
        assert np.abs(read(tmp_path / "out" / name) - stem * gain).max() < 2**-22
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert [entry["gain_db"] for entry in manifest["stems"]] == [whole.gain_db] * 3
    assert [entry["part_index"] for entry in manifest["stems"]] == [0, 3, None]
    assert manifest["recording"]["file"] == "take.wav"
    floating = export_audio(replace(request_for(tmp_path, stems), folder=str(tmp_path / "float")))
    assert floating.gain_db == 0.0
    assert np.array_equal(read(tmp_path / "float" / floating.files[1]), stems[1]), "float is unscaled"


def test_the_mix_as_heard_is_the_sum_with_gains(tmp_path: Path, stems: Samples) -> None:
    request = request_for(tmp_path, stems)
    matrices = (((0.5, 0.0), (0.0, 1.0)), ((0.0, 0.0), (0.0, 0.0)), ((1.0, 0.0), (0.0, 0.25)))
    inputs = tuple(replace(t.inputs[0], gains=g) for t, g in zip(request.tracks, matrices, strict=True))
    request = replace(request, tracks=(ExportTrack("Mix", inputs),), template="{song} - {part}")
    report = export_audio(request)
    assert report.files == ("Étude - Mix.wav",)
    expected = sum(np.array(g, np.float32) @ s for g, s in zip(matrices, stems, strict=True))
    assert np.abs(read(tmp_path / "out" / report.files[0]) - expected).max() < 1e-6
    mono = replace(inputs[0], gains=((0.5, 0.5),))
    export_audio(replace(request, folder=str(tmp_path / "mono"), tracks=(ExportTrack("Mix", (mono,)),)))
    assert read(tmp_path / "mono" / report.files[0]).shape == (1, FRAMES)


def test_all_stems_together_are_the_recording(tmp_path: Path, stems: Samples) -> None:
    request = request_for(tmp_path, stems)
    everything = ExportTrack("All", tuple(t.inputs[0] for t in request.tracks))
    original = ExportTrack("Recording", (ExportInput(request.recording),))
    report = export_audio(replace(request, tracks=(everything, original)))
    together, recording = (read(tmp_path / "out" / name) for name in report.files)
    assert np.mean((together - recording) ** 2) <= 1e-12 * np.mean(recording**2)


@settings(max_examples=15, deadline=None)
@given(start=st.integers(-5, FRAMES - 1), length=st.integers(1, FRAMES), bits=st.sampled_from([24, 32]))
def test_any_stretch_is_the_same_stretch_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, bits: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "stretches"
    stems = np.random.default_rng(3).uniform(-0.4, 0.4, (3, 2, FRAMES)).astype(np.float32)
    request = request_for(folder, stems, start_frame=start, end_frame=start + length, may_replace=True)
    if start + length <= 0:
        with pytest.raises(UsageError, match="empty"):
            export_audio(request)
        return
    report = export_audio(replace(request, file_format=ExportFormat("wav", bits)))
    for name, stem in zip(report.files, stems, strict=True):
        expected = stem[:, max(start, 0) : start + length]
        found = read(folder / "out" / name)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= (0 if bits == 32 else 2**-23)


def test_files_that_are_there_are_replaced_only_when_allowed_and_others_never(tmp_path: Path, stems: Samples) -> None:
    request = request_for(tmp_path, stems)
    out = tmp_path / "out"
    out.mkdir()
    (out / "02 Cello.wav").write_bytes(b"mine")
    (out / "letter.txt").write_bytes(b"mine")
    (out / "manifest.json").write_bytes(b"mine")
    assert files_in_the_way(request) == ("02 Cello.wav",)
    with pytest.raises(OutputError, match=r"02 Cello\.wav' exists already"):
        export_audio(request)
    assert sorted(p.name for p in out.iterdir()) == ["02 Cello.wav", "letter.txt", "manifest.json"]
    report = export_audio(replace(request, may_replace=True))
    assert report.manifest == "manifest 2.json"
    assert (out / "letter.txt").read_bytes() == (out / "manifest.json").read_bytes() == b"mine"
    assert np.array_equal(read(out / "02 Cello.wav"), stems[1])
    assert len(list(out.iterdir())) == 6


def test_a_second_export_beside_the_first_is_added_to_its_manifest(tmp_path: Path, stems: Samples) -> None:
    request = request_for(tmp_path, stems)
    export_audio(request)
    report = export_audio(replace(request, tracks=request.tracks[:1], template="{instrument}", end_frame=1000))
    assert report.manifest == "manifest.json"
    entries = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["stems"]
    assert [(e["file"], e["end_frame"]) for e in entries] == [
        ("01 Violin.wav", FRAMES),
        ("02 Cello.wav", FRAMES),
        ("03 Residual.wav", FRAMES),
        ("Solo Violin.wav", 1000),
    ]
    with pytest.raises(OutputError, match="not a stem of ScoreSep"):
        StemFolderWriter(tmp_path / "out", request.recording, [(0, "Violin")])
    assert (tmp_path / "out" / "01 Violin.wav").exists(), "exported files are never taken for stems of the program"


def test_names_are_those_of_the_preview_and_differ(tmp_path: Path, stems: Samples) -> None:
    request = request_for(tmp_path, stems)
    names = export_names(replace(request, template="{song} {engine}"))
    assert names == ("Étude nmf.wav", "Étude nmf 2.wav", "Étude nmf 3.wav")
    doubled = (*request.tracks, replace(request.tracks[0], name="VIOLIN"))
    names = export_names(replace(request, tracks=doubled, template="{part}"))
    assert names == ("Violin.wav", "Cello.wav", "Residual.wav", "VIOLIN 2.wav")
    with pytest.raises(UsageError, match=r"no field \{voice\}"):
        export_names(replace(request, template="{voice}"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tracks": ()}, "Nothing is chosen"),
        ({"start_frame": FRAMES}, "is empty"),
        ({"start_frame": 500, "end_frame": 500}, "is empty"),
        ({"template": ""}, "empty name"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    tmp_path: Path, stems: Samples, values: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export_audio(request_for(tmp_path, stems, **values))
    assert not (tmp_path / "out").exists()


def test_formats_that_do_not_exist_or_do_not_fit_are_one_sentence(tmp_path: Path, stems: Samples) -> None:
    for container, bits in (("flac", 32), ("wav", 8), ("mp3", 16)):
        with pytest.raises(UsageError, match="exported as"):
            ExportFormat(container, bits)  # type: ignore[arg-type]
    request = request_for(tmp_path, stems, file_format=ExportFormat("flac", 24))
    wide = replace(request.tracks[0].inputs[0], gains=((1.0, 1.0),) * 9)
    for file_format in (ExportFormat("flac", 24), ExportFormat("mp3", 0), ExportFormat("aac", 0)):
        with pytest.raises(UsageError, match="choose WAV"):
            export_audio(replace(request, tracks=(ExportTrack("Wide", (wide,)),), file_format=file_format))


def test_cancelling_leaves_everything_as_it_was(tmp_path: Path, stems: Samples) -> None:
    for file_format in EXPORT_FORMATS:
        request = request_for(tmp_path, stems, file_format=file_format)
        seen: list[ProgressState] = []
        progress = Progress(seen.append, lambda seen=seen: bool(seen) and seen[-1].fraction > 0.7)
        with pytest.raises(Cancelled):
            export_audio(request, progress)
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob(".*"))
        fractions = [state.fraction for state in seen]
        assert all(a <= b for a, b in itertools.pairwise(fractions))


SMALL_FILES = """
import pickle, resource, sys
from scoresep.errors import OutputError
from scoresep.files.audio.export import export_audio
request = pickle.loads(bytes.fromhex(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    export_audio(request)
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
@pytest.mark.parametrize("file_format", EXPORT_FORMATS, ids=lambda f: f.text)
def test_a_disk_that_takes_no_large_files_leaves_no_half_files(
    tmp_path: Path, stems: Samples, file_format: ExportFormat
) -> None:
    request = request_for(tmp_path, stems, file_format=file_format)
    command = [sys.executable, "-c", SMALL_FILES, pickle.dumps(request).hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "larger than its disk takes" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_the_same_export_gives_the_same_bytes(tmp_path: Path, stems: Samples) -> None:
    for container, bits in (("wav", 16), ("mp3", 0), ("opus", 0), ("aac", 0)):  # Ogg by libsndfile has a random number
        request = request_for(tmp_path / container, stems, file_format=ExportFormat(container, bits))  # type: ignore[arg-type]
        export_audio(request)
        again = tmp_path / container / "again"
        export_audio(replace(request, folder=str(again)))
        for path in (tmp_path / container / "out").iterdir():
            assert path.read_bytes() == (again / path.name).read_bytes()


def test_rounding_keeps_whole_numbers_and_silence_and_hides_its_error_in_noise() -> None:
    rng = np.random.default_rng(1)
    whole = rng.integers(-(2**15), 2**15, (2, 5000))
    exact = (whole / 2**15).astype(np.float32)
    assert np.array_equal(whole_numbers(exact, 16, rng), whole)
    assert not whole_numbers(np.zeros((1, 100), np.float32), 16, rng).any()
    assert whole_numbers(np.array([[1.5, -1.5]], np.float32), 16).tolist() == [[2**15 - 1, -(2**15)]]
    quiet = np.full((1, 200_000), 0.3 / 2**15, np.float32)  # a third of a step: lost without dither
    assert not whole_numbers(quiet, 16).any()
    dithered = whole_numbers(quiet, 16, rng)
    assert dithered.mean() == pytest.approx(0.3, abs=0.01)
    assert dithered.std() == pytest.approx(np.sqrt(1 / 4), abs=0.02), "triangular noise of 1/6 and rounding of 1/12"
