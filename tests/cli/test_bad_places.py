"""A person with bad luck: places that cannot be written, terminals that go away, signals at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import soundfile
from command_line import OF_THE_ALIGNMENT, end_of, files_in, json_lines
from duet import Duet

from scoresep.__main__ import main
from scoresep.cli import run
from scoresep.cli.terminal import Terminal
from scoresep.progress import ProgressState

Capture = pytest.CaptureFixture[str]
Binary = pytest.CaptureFixture[bytes]
QUICK = ("--budget", "preview")
HANG_UP = getattr(signal, "SIGHUP", signal.SIGTERM)
posix_only = pytest.mark.skipif(os.name != "posix", reason="descriptors and signals of POSIX")


# ---------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["separate"], "are required: AUDIO, SCORE"),
        (["frobnicate"], "'frobnicate'"),
        (["align", "a", "b", "-o", "c", "--budget", "best"], "--budget"),
        (["separate", "a", "b", "-o", "c", "--budget", "quick"], "'quick'"),
        (["separate", "a", "b", "-o", "c", "--seed", "x"], "'x'"),
        (["separate", "a", "b", "-o", ""], "is empty"),
        (["align", "", "b", "-o", "c"], "is empty"),
        (["align", "a.wav", "b.xml", "-o", "./b.xml"], "take the place of the score"),
        (["separate", "a.wav", "b.xml", "-o", "d", "--engine", "magic"], "magic"),
        (["export", "p.scoresep", "-o", "d", "--start", "nan"], "not a time"),
        (["export", "p.scoresep", "-o", "d", "--end=-5"], "not a time"),
    ],
)
def test_wrong_usage_is_one_sentence_in_words_or_in_json(arguments: list[str], words: str, capsys: Capture) -> None:
    ended = end_of(capsys, *arguments)
    assert (ended.code, words in ended.error) == (2, True)
    as_json = end_of(capsys, *arguments, "--json")
    (line,) = json_lines(as_json.err)
    assert (as_json.code, line["error"]) == (2, ended.error)


def test_a_device_that_is_not_here_is_refused_before_any_work(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    device = "cuda" if sys.platform == "darwin" else "mps"
    for arguments in (("separate", piece.audio, piece.score), ("demo", "--no-window")):
        ended = end_of(capsys, *arguments, "-o", tmp_path / "x", "--device", device)
        assert ended.code == 4
        assert device in ended.error
    assert files_in(tmp_path) == set()


# ----------------------------------------------------------------------------------- places that do not take it


@pytest.mark.parametrize("command", ["align", "segment", "separate", "demo"])
def test_what_stands_in_the_way_stays(command: str, piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    inputs = () if command == "demo" else (piece.audio, piece.score)
    blocked = tmp_path / "file"
    blocked.write_text("mine")
    (tmp_path / "folder").mkdir()
    wrong_kind = blocked if command in ("separate", "demo") else tmp_path / "folder"
    for place in (blocked / "below" / "x", wrong_kind):
        ended = end_of(capsys, command, *inputs, "-o", place)
        assert ended.code == 4
        assert str(place) in ended.error
    assert blocked.read_text() == "mine"
    assert files_in(tmp_path) == {"file", "folder"}


@posix_only
@pytest.mark.parametrize("command", ["align", "separate", "demo"])
def test_a_folder_that_may_not_be_written_is_refused(
    command: str, piece: Duet, tmp_path: Path, capsys: Capture
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o555)
    inputs = () if command == "demo" else (piece.audio, piece.score)
    ended = end_of(capsys, command, *inputs, "-o", tmp_path / "x")
    tmp_path.chmod(0o755)
    assert (ended.code, "not allowed" in ended.error) == (4, True)


def test_files_of_others_in_the_folder_of_stems_stay(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    arguments = ("separate", piece.audio, piece.score, "-o", tmp_path, *QUICK)
    (tmp_path / "diary.txt").write_text("mine")
    assert end_of(capsys, *arguments).code == 0
    assert files_in(tmp_path) == {"diary.txt", "01 Flute.wav", "02 Cello.wav", "Residual.wav", "manifest.json"}
    (tmp_path / "manifest.json").unlink()
    ended = end_of(capsys, *arguments)
    assert (ended.code, "would be replaced" in ended.error) == (4, True)
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_the_demo_replaces_nothing_of_others(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "notes.csv").write_text("mine")
    ended = end_of(capsys, "demo", "-o", tmp_path, "--no-window")
    assert (ended.code, "notes.csv" in ended.error) == (4, True)
    assert (tmp_path / "notes.csv").read_text() == "mine"
    assert files_in(tmp_path) == {"notes.csv"}


@posix_only
def test_pipes_and_links_stay_what_they_are(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link.csv", tmp_path / "elsewhere" / "notes.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert end_of(capsys, "align", piece.audio, piece.score, "-o", pipe).code == 0
    assert os.read(reader, 10) == b"part_index"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode), "as root even /dev/null could be replaced"
    target.parent.mkdir()
    link.symlink_to(target)
    assert end_of(capsys, "align", piece.audio, piece.score, "-o", link).code == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("part_index")


@pytest.fixture(name="small_files")
def _small_files() -> Iterator[None]:
    """Let no file grow beyond 100 kB, as a disk formatted as FAT from 4 GB on."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_no_large_files_leaves_nothing_half(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    ended = end_of(capsys, "separate", piece.audio, piece.score, "-o", out / "stems", *QUICK)
    assert (ended.code, "larger than its disk takes" in ended.error) == (4, True)
    ended = end_of(capsys, "demo", "-o", out / "demo", "--no-window")
    assert (ended.code, "larger than its disk takes" in ended.error) == (4, True)
    assert not out.exists()
    assert not cache.exists()


def test_a_cache_without_room_is_named_with_the_recording(
    piece: Duet, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(piece.audio / "cache"))
    samples, rate = soundfile.read(piece.audio)
    soundfile.write(tmp_path / "duet.mp3", samples, rate, format="MP3")
    ended = end_of(capsys, "align", tmp_path / "duet.mp3", piece.score, "-o", tmp_path / "notes.csv")
    assert ended.code == 4
    assert "duet.mp3" in ended.error and "SCORESEP_CACHE_DIR" in ended.error
    assert files_in(tmp_path) == {"duet.mp3"}


# ----------------------------------------------------------------------------------------------- being stopped


def texts_of(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a command and return what it says it does, step by step."""
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "_show", lambda self, state: said.append(state.text))
        assert main(arguments) == 0
    return list(dict.fromkeys(said))


@pytest.mark.parametrize("command", ["segment", "separate"])
def test_ctrl_c_in_any_step_leaves_nothing(
    command: str, piece: Duet, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = QUICK if command == "separate" else ()
    short = tmp_path / "short.wav"
    samples, rate = soundfile.read(piece.audio)
    soundfile.write(short, samples[: 2 * rate], rate)
    arguments = [command, str(short), str(piece.score), *more, "-o"]
    steps = texts_of([*arguments, str(tmp_path / "whole")], monkeypatch)
    assert len(steps) > 4
    for step in steps:

        def stop(self: Terminal, state: ProgressState, step: str = step) -> None:
            if state.text == step:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Terminal, "_show", stop)
            capsys.readouterr()
            assert main([*arguments, str(tmp_path / "new" / "x")]) == 130, step
        *doubts, last = capsys.readouterr().err.splitlines()
        assert last == "scoresep: Cancelled."
        assert all(OF_THE_ALIGNMENT.search(line) for line in doubts)
        assert not (tmp_path / "new").exists(), step


def test_an_interruption_that_a_library_swallows_ends_the_work_all_the_same(
    piece: Duet, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Terminal, state: ProgressState) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Terminal, "_show", stop)
    assert main(["align", str(piece.audio), str(piece.score), "-o", str(tmp_path / "notes.csv")]) == 130
    assert files_in(tmp_path) == set()


def test_a_demo_that_is_stopped_takes_its_piece_away_again(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "_show", lambda self, state: signal.raise_signal(signal.SIGTERM))
    assert main(["demo", "-o", str(tmp_path / "demo"), "--no-window"]) == 130
    assert files_in(tmp_path) == set()


def program(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start the program as a process of its own."""
    command = [sys.executable, "-m", "scoresep", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options)  # type: ignore[call-overload, no-any-return]


@posix_only
@pytest.mark.parametrize(
    ("number", "step"),
    [
        (signal.SIGINT, "Opening"),
        (signal.SIGTERM, "Listening"),
        (HANG_UP, "Learning"),
        (signal.SIGINT, "Separating"),
    ],
)
def test_any_signal_stops_the_program_at_once_without_leftovers(
    number: signal.Signals, step: str, piece: Duet, tmp_path: Path
) -> None:
    process = program("separate", piece.audio, piece.score, "-o", tmp_path / "stems", *QUICK, stdout=subprocess.PIPE)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if step in line:
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=60)
    lines += err.splitlines(keepends=True)
    assert process.returncode == 130, lines
    assert lines[-1] == "scoresep: Cancelled.\n"
    assert sum("%" not in line for line in lines) == 1, "only progress and one sentence"
    assert (out, files_in(tmp_path)) == ("", set())


# --------------------------------------------------------------------------- terminals that are odd or go away


@posix_only
def test_decoders_print_nothing_of_their_own(piece: Duet, tmp_path: Path) -> None:
    (tmp_path / "page.mp3").write_bytes(b"<html><body>404</body></html>" + bytes(2000))
    process = program("align", tmp_path / "page.mp3", piece.score, "-o", tmp_path / "notes.csv", "--quiet")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert len(err.splitlines()) == 1, err


@posix_only
@pytest.mark.parametrize(("redirection", "code"), [(">&-", 4), ("2>&-", 0), ("> /dev/full", 4), ("2> /dev/full", 0)])
def test_streams_that_are_closed_or_full_cost_no_work(redirection: str, code: int, piece: Duet, tmp_path: Path) -> None:
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    output = "-" if code else str(tmp_path / "notes.csv")
    command = f'"$0" -m scoresep align "$1" "$2" -o "$3" --quiet {redirection}'
    arguments = ["sh", "-c", command, sys.executable, str(piece.audio), str(piece.score), output]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if code else 0)
    assert (tmp_path / "notes.csv").exists() == (code == 0)


@posix_only
def test_a_reader_that_has_seen_enough_hears_no_complaint() -> None:
    command = '"$0" -m scoresep engines | true'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


def test_every_line_is_json_when_json_is_asked_for(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    doubtful = tmp_path / "drums.mid"
    doubtful.write_bytes(
        b"MThd\0\0\0\x06\0\0\0\1\x01\xe0MTrk\0\0\0\x16\0\x99\x24\x60\x83\x60\x89\x24\0\0\x99\x24\x60\x83\x60\x89\x24\0\0\xff\x2f\0"
    )
    for arguments, code, key in (
        (("align", piece.audio, piece.score, "-o", tmp_path / "n ü.csv"), 0, "progress"),
        (("align", piece.audio, doubtful, "-o", tmp_path / "n.csv"), 0, "warning"),
        (("segment", tmp_path / "empty.wav", piece.score, "-o", tmp_path / "s.csv"), 3, "error"),
        (("separate", piece.audio, piece.score, "-o", tmp_path / "n ü.csv"), 4, "error"),
        (("export", tmp_path / "none.scoresep", "-o", tmp_path / "x"), 3, "error"),
        (("engines",), 0, ""),
        (("doctor",), 0, ""),
    ):
        capsys.readouterr()
        assert main([*(str(a) for a in arguments), "--json"]) == code
        printed = capsys.readouterr()
        assert len(json_lines(printed.out)) == (0 if code else 1)
        lines = json_lines(printed.err)
        assert not key or any(key in line for line in lines)
        assert sum("error" in line for line in lines) == (1 if code else 0)


def test_without_a_screen_the_window_is_refused_and_the_rest_done(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems always have a screen")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert run([], lambda files: 0) == 4
    assert "no screen" in capsys.readouterr().err


def test_a_table_on_the_standard_output_is_all_that_stands_there(piece: Duet, capfdbinary: Binary) -> None:
    for more, beside in (("--quiet", []), ("--json", ["progress", "notes"])):
        assert main(["align", str(piece.audio), str(piece.score), "-o", "-", more]) == 0
        printed = capfdbinary.readouterr()
        assert printed.out.decode("utf-8").startswith("part_index,")
        assert len(printed.out.decode("utf-8").splitlines()) == 29
        told = json_lines(printed.err.decode("utf-8"))
        assert all(any(key in line for line in told) for key in beside)


def test_a_fault_of_the_program_is_one_sentence_that_names_the_log(
    piece: Duet, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scoresep.session import pipeline

    monkeypatch.setattr(pipeline, "align", lambda *args: 1 / 0)
    ended = end_of(capsys, "align", piece.audio, piece.score, "-o", tmp_path / "notes.csv")
    assert ended.code == 4
    assert "ZeroDivisionError" in ended.error
    log = Path(ended.error.split("'")[1])
    assert "Traceback" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["doctor", "separate"])
def test_a_missing_package_is_named(command: str, piece: Duet, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch is not here')")
    inputs = ("separate", piece.audio, piece.score, "-o", tmp_path / "x", *QUICK, "--quiet")
    arguments = inputs if command == "separate" else ("doctor",)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    process = program(*arguments, stdout=subprocess.PIPE, env=environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (4 if command == "separate" else 0)
    assert "libtorch is not here" in (err if command == "separate" else out)
    assert "scoresep doctor" in err if command == "separate" else not err
