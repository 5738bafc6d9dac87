"""Jobs really run in another process, report, are cancelled at once, and survive the death of their process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import spawn
from pathlib import Path

import pytest

from scoresep.errors import ScoreFileError, WorkerError
from scoresep.progress import Progress
from scoresep.session.jobs import Job, JobRunner, JobState, Worker

LIMIT_S = 60.0


@pytest.fixture(name="runner", scope="module")
def _runner() -> Iterator[JobRunner]:
    runner = JobRunner()
    yield runner
    runner.close()


def square(number: int, progress: Progress) -> tuple[int, int]:
    progress.update(0.5, "squaring")
    return number**2, os.getpid()


def sleep_deaf(seconds: float, progress: Progress) -> None:
    time.sleep(seconds)


def sleep_listening(path: str, progress: Progress) -> None:
    try:
        while True:
            time.sleep(0.01)
            progress.update(0.1, "sleeping")
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write("tidied up")


def refuse(progress: Progress) -> None:
    raise ScoreFileError("This is not a score; choose another file.")


def break_down(progress: Progress) -> None:
    raise ZeroDivisionError("oh")


def die(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def test_an_answer_comes_from_another_process(runner: JobRunner) -> None:
    ended: list[Job] = []
    job = runner.start("Square", square, (7,), on_end=ended.append)
    assert runner.wait(job, LIMIT_S).state is JobState.DONE
    assert job.result[0] == 49
    assert job.result[1] != os.getpid()
    assert ended == [job]


def test_jobs_of_one_worker_wait_for_each_other(runner: JobRunner) -> None:
    first = runner.start("One", square, (1,))
    second = runner.start("Two", square, (2,))
    assert second.state is JobState.WAITING
    runner.wait(second, LIMIT_S)
    assert (first.result[0], second.result[0]) == (1, 4)
    assert first.result[1] == second.result[1]


def test_cancelling_is_immediate_even_for_deaf_work_and_the_next_job_runs(runner: JobRunner) -> None:
    job = runner.start("Sleep", sleep_deaf, (600.0,))
    runner.cancel(job)
    assert job.state is JobState.CANCELLED
    after = runner.wait(runner.start("Square", square, (3,)), LIMIT_S)
    assert after.result[0] == 9


def test_cancelled_work_may_tidy_up(runner: JobRunner, tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "note.txt")
    job = runner.start("Sleep", sleep_listening, (path,))
    limit_s = time.monotonic() + LIMIT_S
    while job.progress.text != "sleeping" and time.monotonic() < limit_s:
        runner.poll()
        time.sleep(0.01)
    runner.cancel(job)
    runner.wait(runner.start("Square", square, (3,)), LIMIT_S)
    assert os.path.exists(path)


def test_errors_for_people_arrive_as_they_are(runner: JobRunner) -> None:
    job = runner.wait(runner.start("Refuse", refuse, ()), LIMIT_S)
    assert job.state is JobState.FAILED
    assert isinstance(job.error, ScoreFileError)
    assert str(job.error) == "This is not a score; choose another file."


def test_errors_of_programmers_become_one_sentence_and_a_traceback_for_the_log(runner: JobRunner) -> None:
    job = runner.wait(runner.start("Break", break_down, ()), LIMIT_S)
    assert isinstance(job.error, WorkerError)
    assert "ZeroDivisionError" in str(job.error)
    assert "break_down" in job.details


def test_a_killed_worker_costs_the_job_and_not_the_next_one(runner: JobRunner) -> None:
    job = runner.wait(runner.start("Die", die, ()), LIMIT_S)
    assert job.state is JobState.FAILED
    assert isinstance(job.error, WorkerError)
    assert runner.wait(runner.start("Square", square, (5,)), LIMIT_S).result[0] == 25


def fail_to_pickle(progress: Progress) -> object:
    return lambda: None


def grow(data: bytes, progress: Progress) -> int:
    return len(data)


def test_an_answer_that_cannot_be_sent_costs_the_job_and_not_the_worker(runner: JobRunner) -> None:
    job = runner.wait(runner.start("Return", fail_to_pickle, ()), LIMIT_S)
    assert isinstance(job.error, WorkerError)
    assert runner.wait(runner.start("Square", square, (5,)), LIMIT_S).result[0] == 25


def test_a_large_request_does_not_wait_for_the_worker_to_load_its_libraries(runner: JobRunner) -> None:
    job = runner.start("Measure", grow, (bytes(10_000_000),), Worker.SPECTRA)
    assert job.state in (JobState.WAITING, JobState.RUNNING), "it is on its way while the worker still loads"
    assert runner.wait(job, LIMIT_S).result == 10_000_000


def test_workers_that_cannot_even_start_fail_the_job_once(
    runner: JobRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spawn, "get_executable", lambda: os.fsencode(shutil.which("false") or "false"))
    job = runner.wait(runner.start("Square", square, (5,), Worker.ENGRAVING), LIMIT_S)
    assert job.state is JobState.FAILED and "could not be started" in str(job.error)
    monkeypatch.undo()
    assert runner.wait(runner.start("Square", square, (5,), Worker.ENGRAVING), LIMIT_S).result[0] == 25


def test_an_idle_worker_that_is_killed_is_replaced(runner: JobRunner) -> None:
    first = runner.wait(runner.start("Square", square, (5,)), LIMIT_S)
    os.kill(first.result[1], signal.SIGTERM)
    second = runner.wait(runner.start("Square", square, (6,)), LIMIT_S)
    if second.state is JobState.FAILED:  # it was sent before the death was noticed
        second = runner.wait(runner.start("Square", square, (6,)), LIMIT_S)
    assert second.result[0] == 36 and second.result[1] != first.result[1]


OWNER = """
import sys, time
sys.path.insert(0, {tests!r})
from session.test_jobs import sleep_listening
from scoresep.session.jobs import JobRunner
if __name__ == "__main__":
    runner = JobRunner()
    job = runner.start("Sleep", sleep_listening, ({note!r},))
    while job.progress.text != "sleeping":
        runner.poll()
        time.sleep(0.01)
    print("working", flush=True)
    time.sleep(600)
"""


def test_workers_end_when_their_owner_is_killed(tmp_path: Path) -> None:
    note, script = tmp_path / "note.txt", tmp_path / "owner.py"
    script.write_text(OWNER.format(tests=str(Path(__file__).parents[1]), note=str(note)), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "working\n"
        owner.kill()
    limit_s = time.monotonic() + LIMIT_S
    while not note.exists() and time.monotonic() < limit_s:
        time.sleep(0.01)
    assert note.exists(), "the worker noticed, and its work could tidy up"
