"""A reader of other people's that never ends, takes all memory or falls costs one sentence, and nothing else."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import foreign_readers
import pytest

import scoresep
from scoresep.errors import Cancelled, ScoreFileError
from scoresep.files.engraving import EngravingRequest, engrave
from scoresep.files.scores import music21_scores as other_scores
from scoresep.files.scores import open_score, parse_score, reader
from scoresep.files.scores.raw import RawMeasure, RawNote, RawPart, RawScore
from scoresep.files.scores.reader import read_limited
from scoresep.files.storage.limited_process import Limits, limits_for
from scoresep.files.storage.values import pack, unpack
from scoresep.progress import Progress
from scoresep.session.jobs import JobRunner, JobState
from scoresep.session.pipeline import load_score

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits that the system sets")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
ABC = b"X:1\nT:A\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n"
LIMITS = Limits(cpu_s=60.0, memory_bytes=2 * 2**30)


def read(reader: object, text: str = "a", limits: Limits = LIMITS, progress: Progress | None = None) -> RawScore:
    return read_limited(reader, (text,), "a.abc", progress or Progress(), limits)  # type: ignore[arg-type]


def test_every_field_comes_back_and_remarks_of_libraries_do_no_harm() -> None:
    assert read(foreign_readers.reads, "Title") == foreign_readers.raw_score("Title")


def test_progress_and_refusals_come_through() -> None:
    states = []
    read(foreign_readers.reads, progress=Progress(states.append))
    assert "Half" in {state.text for state in states}
    with pytest.raises(ScoreFileError, match=r"^'b' is no score\.$"):
        read(foreign_readers.refuses, "b")


@pytest.mark.parametrize(
    ("reader", "limits", "said"),
    [
        (foreign_readers.stumbles, LIMITS, "damaged or unusual"),
        (foreign_readers.recurses, LIMITS, "damaged or unusual"),
        (foreign_readers.exits, LIMITS, "ended the process"),
        (foreign_readers.tells_nonsense, LIMITS, "nonsense"),
        (foreign_readers.waits, Limits(0.25, LIMITS.memory_bytes), "too long"),
        pytest.param(foreign_readers.falls, LIMITS, "ended the process", marks=posix),
        pytest.param(foreign_readers.takes_all_memory, Limits(60.0, 2**29), "too much memory", marks=linux),
    ],
)
def test_whatever_becomes_of_a_reader_is_one_sentence(reader: object, limits: Limits, said: str) -> None:
    with pytest.raises(ScoreFileError) as caught:
        read(reader, limits=limits)
    text = str(caught.value)
    assert said in text and text.startswith("'a.abc' ") and text.endswith(".") and text.count(". ") == 0


@posix
def test_a_search_without_end_is_ended_by_its_time_of_computing(tmp_path: Path) -> None:
    with pytest.raises(ScoreFileError, match="took too long"):
        read(foreign_readers.searches_without_end, str(tmp_path / "pid"), Limits(1.0, LIMITS.memory_bytes))
    assert not _is_there(int((tmp_path / "pid").read_text()))


@posix
@pytest.mark.parametrize("reader", [foreign_readers.searches_without_end, foreign_readers.sleeps_in_c])
def test_cancelling_ends_the_process(tmp_path: Path, reader: object) -> None:
    place = tmp_path / "pid"
    with pytest.raises(Cancelled):
        read(reader, str(place), progress=Progress(is_cancelled=lambda: _said(place)))
    assert not _is_there(int(place.read_text()))


@linux
def test_the_process_ends_with_the_one_that_waits_for_it(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    code = (
        "import sys, foreign_readers as f\nfrom scoresep.files.scores.reader import read_limited\n"
        "from scoresep.progress import Progress\n"
        f"read_limited(f.sleeps_in_c, ({str(place)!r},), 'a', Progress())"
    )
    waiting = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"])
    while not _said(place):
        time.sleep(0.01)
    waiting.send_signal(signal.SIGKILL)
    waiting.wait()
    while _is_there(int(place.read_text())):
        time.sleep(0.01)


@posix
def test_endless_readers_and_engravers_of_scores_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_scores, "read_other_score", foreign_readers.reads_without_end)
    monkeypatch.setattr(reader, "limits_for", lambda size, rate: Limits(1.0, LIMITS.memory_bytes))
    with pytest.raises(ScoreFileError, match=r"^'endless.tntxt' could not be read \(took too long\): .*\.$"):
        parse_score(b"tinyNotation: 4/4 c4 d e f", "endless.tntxt")
    monkeypatch.undo()

    (tmp_path / "a.abc").write_bytes(ABC)
    score_file, _ = open_score(tmp_path / "a.abc")
    monkeypatch.setattr(engrave, "_engraved_bytes", foreign_readers.draws_without_end)
    monkeypatch.setattr(engrave, "limits_for", lambda size, rate: Limits(1.0, LIMITS.memory_bytes))
    problem = engrave.engrave_score(EngravingRequest(score_file, 20_000), Progress()).problem
    assert problem.startswith("'a.abc' could not be engraved (took too long): ") and problem.endswith(".")


def test_workers_of_the_session_read_in_such_a_process_too(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_bytes(ABC)
    runner = JobRunner()
    try:
        job = runner.wait(runner.start("Read score", load_score, (str(tmp_path / "a.abc"),)))
        assert job.state is JobState.DONE and len(job.result.score.notes) == 8
    finally:
        runner.close()


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    score, script = tmp_path / "a.abc", tmp_path / "script.py"
    score.write_text("X:1\nT:A\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n")
    script.write_text(
        f"print('once')\nfrom scoresep.files.scores import read_score\nprint(len(read_score({str(score)!r}).notes))\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit('a file beside the score was imported')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    said = subprocess.run(
        [sys.executable, "-P", script.name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["once", "8"]


def test_the_other_process_runs_this_very_package(tmp_path: Path) -> None:
    other, home = tmp_path / "other" / "scoresep", Path(scoresep.__file__).parents[1]
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "a.abc").write_bytes(ABC)
    script = (
        "import os\nfrom scoresep.files.scores import read_score\n"
        f"os.chdir({str(tmp_path)!r})\nprint(len(read_score('a.abc').notes))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(other.parent), *(p for p in sys.path if p)])}
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["8"], "found by the working folder, which was left since"


def test_longer_files_get_more_and_a_text_score_is_read_as_ever() -> None:
    small, large = limits_for(1_000, 300), limits_for(1_000_000, 300)
    assert small.cpu_s < large.cpu_s and small.memory_bytes <= large.memory_bytes
    score = parse_score(ABC, "a.abc")
    assert score.notes.pitch_midi.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]


def test_what_is_no_raw_score_is_refused() -> None:
    raw = foreign_readers.raw_score()
    assert unpack(RawScore, pack(raw)) == raw
    unpitched = RawScore(parts=[RawPart("A", measures=[RawMeasure("1")], notes=[RawNote(0, 0.0, 1.0, math.nan)])])
    assert math.isnan(unpack(RawScore, pack(unpitched)).parts[0].notes[0].pitch_midi)
    for bad in (b"", b"no", b"[]", b"{}", b"\x91" * 10_000, pack(raw)[:-9], pack({"parts": [1]})):
        with pytest.raises(ValueError):
            unpack(RawScore, bad)


def _said(place: Path) -> bool:
    return place.exists() and place.read_text() != ""


def _is_there(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process_id}/status")
    return "State:\tZ" not in status.read_text() if status.exists() else False
