"""A stem folder is there whole or not at all, holds what was written to it, and never costs anybody's other files."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.errors import AudioFileError, InputError, OutputError, SeparationError
from scoresep.files.audio import wav as wav_files
from scoresep.files.audio.stems import StemFolderWriter, StemSource, read_manifest, read_stem_set
from scoresep.files.storage.part_folders import remove_abandoned
from scoresep.model.audio import Recording

PARTS = ((0, "Violin"), (2, "Clarinet in B♭ / A"))
FILES = ["01 Violin.wav", "02 Clarinet in B♭ - A.wav", "Residual.wav", "manifest.json"]
RECORDING = Recording("/music/take 1.wav", "ab" * 20, 1000, 2, 48_000, "WAV 24 bit")
Samples = NDArray[np.float32]


def random_stems(seed: int = 0, recording: Recording = RECORDING) -> Samples:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((len(PARTS) + 1, recording.channels, recording.frames)).astype(np.float32)


def write(folder: Path, stems: Samples, block: int = 300) -> None:
    with StemFolderWriter(folder, RECORDING, PARTS) as writer:
        for start in range(0, stems.shape[2], block):
            writer.write(stems[:, :, start : start + block])
        writer.finish("nmf", "cpu", "key", {"seed": 3})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def samples_of(path: Path) -> NDArray[np.float32]:
    source = StemSource(path)
    return source.read(0, source.frames)


@settings(max_examples=20, deadline=None)
@given(block=st.integers(1, 1200), seed=st.integers(0, 9))
def test_what_was_written_is_read_bit_by_bit(tmp_path_factory: pytest.TempPathFactory, block: int, seed: int) -> None:
    folder = tmp_path_factory.mktemp("stems") / "new" / "stems"
    stems = random_stems(seed)
    write(folder, stems, block)
    assert names(folder) == sorted(FILES)
    assert names(folder.parent) == ["stems"], "nothing temporary is left"
    for file, stem in zip(FILES, stems, strict=False):
        info = soundfile.info(folder / file)
        assert (info.subtype, info.samplerate, info.frames, info.channels) == ("FLOAT", 48_000, 1000, 2)
        assert np.array_equal(samples_of(folder / file), stem)
        source = StemSource(folder / file)
        assert (source.frames, source.channels, source.sample_rate) == (1000, 2, 48_000)
        assert np.array_equal(source.read(-3, 77), stem[:, :77])
        assert source.read(5000, 6000).shape == (2, 0)


def test_the_manifest_says_what_the_contract_asks_for(tmp_path: Path) -> None:
    write(tmp_path, random_stems())
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert {"scoresep", "engine", "device", "recording", "stems"} <= manifest.keys()
    assert manifest == read_manifest(tmp_path)
    assert manifest["engine"] == "nmf"
    assert manifest["seed"] == 3
    assert manifest["recording"]["frames"] == 1000
    assert manifest["stems"][1] == {"file": FILES[1], "part_index": 2, "part": "Clarinet in B♭ / A"}
    assert manifest["stems"][2] == {"file": "Residual.wav", "part_index": None, "part": "Residual"}
    stem_set = read_stem_set(tmp_path)
    assert (stem_set.folder, stem_set.input_key, stem_set.device) == (str(tmp_path), "key", "cpu")
    assert [s.part_index for s in stem_set.stems] == [0, 2, None]


def test_large_stems_become_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav_files, "RIFF_LIMIT_BYTES", 4000)
    stems = random_stems()
    write(tmp_path, stems)
    assert soundfile.info(tmp_path / FILES[0]).format == "RF64"
    assert np.array_equal(samples_of(tmp_path / FILES[0]), stems[0])


def test_earlier_stems_give_way_and_files_of_others_stay(tmp_path: Path) -> None:
    write(tmp_path, random_stems(1))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "mixes").mkdir()
    with StemFolderWriter(tmp_path, RECORDING, [(0, "Flute")]) as writer:
        writer.write(random_stems(2)[:2])
        assert np.array_equal(samples_of(tmp_path / FILES[0]), random_stems(1)[0]), "until the new ones are whole"
        writer.finish("nmf", "cpu")
    assert names(tmp_path) == sorted(["01 Flute.wav", "Residual.wav", "manifest.json", "mixes", "notes.txt"])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert np.array_equal(samples_of(tmp_path / "01 Flute.wav"), random_stems(2)[0])


@pytest.mark.parametrize("name", ["01 Violin.wav", "manifest.json"])
def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(OutputError, match="choose another folder"):
        write(tmp_path, random_stems())
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("is_there", [False, True])
def test_giving_up_leaves_everything_as_it_was(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "new" / "stems"
    if is_there:
        write(folder, random_stems(1))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(KeyboardInterrupt), StemFolderWriter(folder, RECORDING, PARTS) as writer:
        writer.write(random_stems(2)[:, :, :500])
        raise KeyboardInterrupt
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert (tmp_path / "new").exists() == is_there


def test_wrong_lengths_and_numbers_are_refused(tmp_path: Path) -> None:
    stems = random_stems()
    with (
        pytest.raises(SeparationError, match="shorter"),
        StemFolderWriter(tmp_path / "a", RECORDING, PARTS) as writer,
    ):
        writer.write(stems[:, :, :999])
        writer.finish("nmf", "cpu")
    with pytest.raises(SeparationError, match="longer"), StemFolderWriter(tmp_path / "b", RECORDING, PARTS) as writer:
        writer.write(np.repeat(stems, 2, axis=2))
    stems[1, 0, 5] = np.nan
    with pytest.raises(SeparationError, match="NaN"):
        write(tmp_path / "c", stems)
    with pytest.raises(ValueError, match="expected stems"):
        write(tmp_path / "d", stems[:2])
    assert not names(tmp_path)


def test_where_nothing_can_be_written_one_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "stems"):
        with pytest.raises(OutputError, match="stands in its way"):
            write(folder, random_stems())
    huge = Recording("x.wav", "k", 2**50, 2, 44_100)
    with pytest.raises(OutputError, match="free some space"):
        StemFolderWriter(tmp_path / "new" / "stems", huge, PARTS)
    assert names(tmp_path) == ["file"]


SMALL_FILES = """
import resource, sys
import numpy as np
from scoresep.errors import OutputError
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.audio import Recording
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    with StemFolderWriter(sys.argv[1], Recording("x.wav", "k", 100_000, 2, 44_100), [(0, "Violin")]) as writer:
        for _ in range(10):
            writer.write(np.ones((2, 2, 10_000), np.float32))
        writer.finish("nmf", "cpu")
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_a_disk_that_takes_no_large_files_leaves_no_half_stems(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SMALL_FILES, str(tmp_path / "stems")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "larger than its disk takes" in done.stdout, done.stderr
    assert not names(tmp_path)


def write_and_wait(folder: str, is_ready: multiprocessing.synchronize.Event) -> None:
    writer = StemFolderWriter(folder, RECORDING, PARTS)
    writer.write(random_stems()[:, :, :10])
    is_ready.set()
    signal.pause()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
@pytest.mark.parametrize("is_there", [False, True])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "stems"
    if is_there:
        folder.mkdir()
    context = multiprocessing.get_context("spawn")
    is_ready = context.Event()
    process = context.Process(target=write_and_wait, args=(str(folder), is_ready))
    process.start()
    assert is_ready.wait(30)
    (part,) = (folder if is_there else tmp_path).glob(".*.part")
    remove_abandoned(part.parent)
    assert part.exists(), "while the process lives, its work is its own"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (tmp_path / ".stems.other.part").mkdir()
    write(folder, random_stems())
    assert names(tmp_path) == [".stems.other.part", "stems"], "what is not known to be ours stays"
    assert names(folder) == sorted(FILES)


def test_damaged_manifests_and_missing_stems_are_errors_of_ours(tmp_path: Path) -> None:
    write(tmp_path, random_stems())
    good = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    for bad in (
        "",
        "[]",
        "{",
        "null",
        '{"stems": 3}',
        good.replace("01 Violin", "../Violin"),
        good.replace("2,", '"x",'),
    ):
        (tmp_path / "manifest.json").write_text(bad, encoding="utf-8")
        with pytest.raises(InputError):
            read_stem_set(tmp_path)
    (tmp_path / "manifest.json").write_text(good, encoding="utf-8")
    (tmp_path / FILES[0]).unlink()
    with pytest.raises(InputError, match="is missing"):
        read_stem_set(tmp_path)
    with pytest.raises(AudioFileError, match="missing or damaged"):
        samples_of(tmp_path / FILES[0])
