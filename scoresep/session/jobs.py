"""Long work in worker processes: started, watched, cancelled and, when a process dies, reported, blocking nobody.

A job is a function of frozen inputs and a `Progress`. It runs in one of a few warm processes, one without torch, one
with it, so that window and sound never wait for it, cancelling is immediate, and a crash costs the job alone.
Nothing here calls back from another thread: the owner calls `JobRunner.poll` from its own (a window from a timer), and
answers are delivered there.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from scoresep.errors import Cancelled, ScoreSepError, SeparationError, WorkerError
from scoresep.progress import Progress, ProgressState

# How long a cancelled job may take to tidy up by itself before its process is ended.
TIDY_UP_S = 1.0
REPORT_INTERVAL_S = 0.05
# Workers step back behind the window and the sound, and the system ends them first when memory runs out.
NICENESS = 5
OUT_OF_MEMORY_SCORE = 500

logger = logging.getLogger(__name__)


class Worker(StrEnum):
    """Which process does a job, and what it holds ready."""

    LIGHT = "light"
    TORCH = "torch"
    ENGRAVING = "engraving"
    SPECTRA = "spectra"
    NOTES = "notes"


WARM_MODULES: dict[Worker, tuple[str, ...]] = {
    # librosa's first transform loads its utilities, which numba compiles once in every installation (17 s of CPU)
    Worker.LIGHT: (
        "numpy",
        "scipy.ndimage",
        "librosa.core.spectrum",
        "librosa.util.utils",
        "scoresep.session.pipeline",
    ),
    Worker.TORCH: ("torch", "scoresep.session.separation_job"),
    Worker.ENGRAVING: ("numpy", "scoresep.files.engraving"),
    Worker.SPECTRA: ("scipy.fft", "scoresep.session.spectrograms"),
    Worker.NOTES: ("torch", "scoresep.session.note_sounds", "scoresep.engines.separation.note_sounds"),
}


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One piece of long work, as its owner sees it. Only `JobRunner` writes to it.

    Attributes
    ----------
    title : str
        What is being done, in words: ``Separate``.
    state : JobState
    progress : ProgressState
        The last that was heard.
    result : object
        What the function returned, once done.
    error : ScoreSepError or None
        Why it failed.
    details : str
        For the log: the traceback, where there is one.
    """

    title: str
    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    worker: Worker
    on_end: Callable[[Job], None] | None = None
    state: JobState = JobState.WAITING
    progress: ProgressState = field(default_factory=ProgressState)
    result: Any = None
    error: ScoreSepError | None = None
    details: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class _Process:
    """One worker process with its pipe, as its owner holds it."""

    def __init__(self, worker: Worker) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.cancel: Event = context.Event()
        self.priority_frame = context.Value("q", -1, lock=False)
        self.job: Job | None = None
        self.kill_at_s: float | None = None
        # Nothing is sent before the worker listens: a large request would wait for its imports, and the window with it.
        self.is_ready = False
        self.process = context.Process(
            target=_worker_main,
            args=(theirs, self.cancel, self.priority_frame, WARM_MODULES[worker]),
            name=f"scoresep-{worker}",
            daemon=True,
        )
        self.process.start()
        theirs.close()

    def end(self) -> None:
        self.process.kill()
        self.process.join(TIDY_UP_S)
        self.connection.close()
        with contextlib.suppress(ValueError):  # it hangs in the system and ends when that lets it go
            self.process.close()


class JobRunner:
    """Runs jobs, one at a time in each of the processes. To be used from one thread only."""

    def __init__(self) -> None:
        self._processes: dict[Worker, _Process] = {}
        self._waiting: dict[Worker, deque[Job]] = {w: deque() for w in Worker}

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that run or wait, running ones first."""
        running = [p.job for p in self._processes.values() if p.job is not None and not p.job.is_over]
        return (*running, *(j for waiting in self._waiting.values() for j in waiting))

    @property
    def is_tidying(self) -> bool:
        """Whether a cancelled job is still removing what it has half written."""
        return any(p.job is not None and p.job.is_over for p in self._processes.values())

    def warm_up(self, workers: Iterable[Worker] = tuple(Worker)) -> None:
        """Start worker processes before they are needed."""
        for worker in workers:
            if worker not in self._processes:
                self._processes[worker] = _Process(worker)

    def start(
        self,
        title: str,
        function: Callable[..., Any],
        inputs: tuple[Any, ...],
        worker: Worker = Worker.LIGHT,
        on_end: Callable[[Job], None] | None = None,
    ) -> Job:
        """Start a job, or let it wait for the one before it.

        Parameters
        ----------
        title : str
        function : callable
            Of a module, so that it can be found in the other process; called as ``function(*inputs, progress)``.
        inputs : tuple
            Frozen values.
        worker : Worker
        on_end : callable taking the Job, optional
            Called by `poll` (or `cancel`) when the job is over.
        """
        job = Job(title, function, inputs, worker, on_end)
        self._waiting[worker].append(job)
        self._start_next(worker)
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a job at once. What it has half written is removed behind the scenes."""
        if job.is_over:
            return
        with contextlib.suppress(ValueError):
            self._waiting[job.worker].remove(job)
        process = self._processes.get(job.worker)
        if process is not None and process.job is job:
            process.cancel.set()
            process.kill_at_s = time.monotonic() + TIDY_UP_S
        self._finish(job, JobState.CANCELLED)

    def prioritise(self, frame: int) -> None:
        """Tell running jobs where the person is just now: a frame of the recording that they may do first."""
        for process in self._processes.values():
            process.priority_frame.value = frame

    def poll(self) -> bool:
        """Hear what the workers have to say and deliver answers. Returns whether anything was heard."""
        heard = False
        for worker, process in list(self._processes.items()):
            try:
                while process.connection.poll():
                    self._handle_message(process, process.connection.recv())
                    heard = True
            except (EOFError, OSError):
                heard = True
                if self._processes.get(worker) is process:
                    self._discard_worker(worker, process)
                continue
            if process.kill_at_s is not None and time.monotonic() > process.kill_at_s:
                self._discard_worker(worker, process)
            self._start_next(worker)
        return heard

    def wait(self, job: Job, timeout_s: float = 3600.0) -> Job:
        """Poll until a job is over; for scripts and tests, never for a window.

        Raises
        ------
        TimeoutError
        """
        limit_s = time.monotonic() + timeout_s
        while not job.is_over:
            if time.monotonic() > limit_s:
                raise TimeoutError(f"{job.title} was not over after {timeout_s:g} s")
            if not self.poll():
                time.sleep(0.01)
        return job

    def close(self) -> None:
        """Cancel everything and end the workers."""
        for job in self.jobs:
            self.cancel(job)
        limit_s = time.monotonic() + TIDY_UP_S
        while any(p.job is not None for p in self._processes.values()) and time.monotonic() < limit_s:
            if not self.poll():
                time.sleep(0.01)
        for process in self._processes.values():
            process.end()
        self._processes.clear()

    def _start_next(self, worker: Worker) -> None:
        if not self._waiting[worker]:
            return
        self.warm_up([worker])
        process = self._processes[worker]
        if process.job is not None or not process.is_ready:
            return
        job = self._waiting[worker].popleft()
        process.job, process.kill_at_s = job, None
        process.cancel.clear()
        job.state = JobState.RUNNING
        try:
            process.connection.send((job.function, job.inputs))
        except OSError:
            self._discard_worker(worker, process)

    def _handle_message(self, process: _Process, message: tuple[str, Any, str]) -> None:
        kind, value, details = message
        if kind == "ready":
            process.is_ready = True
        job = process.job
        if job is None:
            return
        if kind == "progress":
            if not job.is_over:
                job.progress = value
            return
        process.job, process.kill_at_s = None, None
        job.details = details
        if isinstance(value, WorkerError):
            logger.error("%s: %s\n%s", job.title, value, details)
        if kind == "done":
            job.result = value
            self._finish(job, JobState.DONE)
        elif isinstance(value, Cancelled):
            self._finish(job, JobState.CANCELLED)
        else:
            job.error = value
            self._finish(job, JobState.FAILED)

    def _finish(self, job: Job, state: JobState) -> None:
        if job.is_over:
            return
        job.state = state
        if job.on_end is not None:
            job.on_end(job)

    def _discard_worker(self, worker: Worker, process: _Process) -> None:
        """Put an ended (or hanging) process away, and start another in its place if it ever got to work."""
        job, process.job = process.job, None
        process.end()
        del self._processes[worker]
        if process.is_ready:
            self.warm_up([worker])
        else:  # nor will the next one start, so that waiting would be for ever
            waiting, self._waiting[worker] = self._waiting[worker], deque()
            for one in waiting:
                one.error = WorkerError(
                    f"“{one.title}” could not be started, because the system ended its process at once; "
                    "restart ScoreSep, or install it again if that does not help."
                )
                self._finish(one, JobState.FAILED)
        if job is not None and not job.is_over:
            job.error = WorkerError(
                f"“{job.title}” stopped because its process was ended from outside, perhaps for lack of memory; "
                "nothing else is lost, and it can be started again."
            )
            self._finish(job, JobState.FAILED)


def _worker_main(connection: Connection, cancel: Event, priority_frame: Any, warm_modules: tuple[str, ...]) -> None:
    """Do jobs until the owner is gone; runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the owner's to handle
    _lower_priority()
    for name in warm_modules:
        # A library that is broken here fails the job that needs it, with that job's error.
        with contextlib.suppress(Exception):
            import_module(name)
    try:
        connection.send(("ready", None, ""))
        while True:
            function, inputs = connection.recv()
            answer = _answer(
                function, inputs, Progress(_reporter(connection), cancel.is_set, lambda: int(priority_frame.value))
            )
            del inputs
            _send(connection, answer)
    except (EOFError, OSError, _OwnerGoneError):
        return


def _lower_priority() -> None:
    """Leave processor and memory to the window and the sound where there is not enough for all."""
    with contextlib.suppress(AttributeError, OSError):  # Windows has no niceness
        os.nice(NICENESS)
    with contextlib.suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE), encoding="ascii")


def _send(connection: Connection, answer: tuple[str, object, str]) -> None:
    try:
        connection.send(answer)
    except (EOFError, OSError):
        raise
    except Exception as error:  # it cannot be pickled
        connection.send(("failed", _unexpected(error), repr(answer)))


def _unexpected(error: Exception) -> WorkerError:
    return WorkerError(
        f"Something went wrong that should not have ({type(error).__name__}: {error}); please report it."
    )


class _OwnerGoneError(BaseException):
    """Nobody listens any more; no handler for errors of the work shall swallow this."""


def _answer(function: Callable[..., Any], inputs: tuple[Any, ...], progress: Progress) -> tuple[str, object, str]:
    import traceback

    try:
        return "done", function(*inputs, progress), ""
    except ScoreSepError as error:
        return "failed", error, traceback.format_exc()
    except MemoryError:
        return "failed", SeparationError("The memory was not enough; close other programs and try again."), ""
    except Exception as error:
        return "failed", _unexpected(error), traceback.format_exc()


def _reporter(connection: Connection) -> Callable[[ProgressState], None]:
    last_s = 0.0

    def report(state: ProgressState) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= REPORT_INTERVAL_S:
            last_s = now_s
            try:
                connection.send(("progress", state, ""))
            except OSError as error:
                raise _OwnerGoneError from error

    return report
