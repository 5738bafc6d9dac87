"""Jobs really run in another process, report, are cancelled at once, and survive the death of their process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from scoresep.errors import ScoreFileError, WorkerError
from scoresep.progress import Progress
from scoresep.session.jobs import Job, JobRunner, JobState

LIMIT_S = 60.0


@pytest.fixture(name="runner")
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
    start_s = time.monotonic()
    runner.cancel(job)
    assert job.state is JobState.CANCELLED
    assert time.monotonic() - start_s < 0.1
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
