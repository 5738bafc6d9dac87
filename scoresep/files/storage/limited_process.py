"""The work of other people's readers in a process of its own, with limits of time and memory.

A reader that searches without end, takes all memory or falls into the system's hands costs one sentence. The process is
started afresh for every piece of work, not by `multiprocessing`: a script that calls ScoreSep without asking for
``__name__ == "__main__"`` must not run a second time, and a worker of the session may start no process of that kind.
What comes back is bytes that the caller checks, never a pickle: whoever reads hostile files may have been taken over.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scoresep.errors import ScoreFileError, ScoreSepError
from scoresep.progress import Progress

GIB = 2**30
BASE_S = 60.0
ARGUMENT = "--limited-work"  # by which a frozen program, which has no interpreter to call, starts itself for this
# Modules are found there where they are found here, and this very package in any case.
_START = (
    "import sys, json; home, *places = json.loads(sys.argv[1]); sys.path[:] = [home, *places]; import scoresep; "
    "sys.path[:] = places; from scoresep.files.storage.limited_child import main; main()"
)
_POLL_S = 0.05
_WATCH_S = 1.0
_WALL_FACTOR = 4.0  # the clock on the wall also runs while other programs compute
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a piece of work may take.

    Attributes
    ----------
    cpu_s : float
        Seconds of computing; where the system cannot limit these, and as a last resort, four times as many pass.
    memory_bytes : int
        Of the whole process.
    """

    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Task:
    """What is to be done, and how it is spoken of.

    Attributes
    ----------
    function : callable returning bytes
        Of a module; called as ``function(*inputs, progress)`` in the other process.
    inputs : tuple
        Can be pickled.
    name : str
        Of the file.
    done : str
        What could not be done with it: ``read``, ``engraved``.
    """

    function: Callable[..., bytes]
    inputs: tuple[Any, ...]
    name: str
    done: str = "read"


def limits_for(size_bytes: int, bytes_per_s: float) -> Limits:
    """Return limits that no sound file of this size comes near, and that a damaged one meets within minutes.

    Parameters
    ----------
    size_bytes : int
    bytes_per_s : float
        What the slowest computer does in a second.
    """
    memory_bytes = 3 * GIB + 200 * size_bytes
    with contextlib.suppress(AttributeError, ValueError, OSError):
        there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory_bytes = min(memory_bytes, max(3 * there_is // 4, GIB))
    return Limits(cpu_s=BASE_S + size_bytes / bytes_per_s, memory_bytes=memory_bytes)


def run_limited(task: Task, limits: Limits, progress: Progress) -> bytes:
    """Do a piece of work in another process, and end that process when it passes the limits or is cancelled.

    Parameters
    ----------
    task : Task
    limits : Limits
    progress : Progress

    Returns
    -------
    answer : bytes
        What the function returned. It comes from whoever read the file: check it.

    Raises
    ------
    ScoreFileError
        The work raised one, passed a limit, failed otherwise, or its process ended.
    Cancelled
    """
    process = _started(task)
    frames: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
    reader = threading.Thread(target=_receive, args=(process.stdout, frames), daemon=True)
    writer = threading.Thread(
        target=_hand_over, args=(process.stdin, (task.function, task.inputs, limits)), daemon=True
    )
    try:
        reader.start()
        writer.start()
        return _answer(process, frames, task, limits, progress)
    finally:
        process.kill()
        process.wait()
        for thread in (reader, writer):
            thread.join()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def _started(task: Task) -> subprocess.Popen[bytes]:
    if getattr(sys, "frozen", False):
        command = [sys.executable, ARGUMENT]
    else:
        home = Path(__file__).absolute().parents[2]
        places = [str(home), *(os.path.abspath(place) for place in sys.path)]
        command = [sys.executable, "-P", "-c", _START, json.dumps(places)]
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise ScoreFileError(
            f"'{task.name}' cannot be {task.done}, since the system starts no other process for it"
            f" ({error.strerror or error}); close other programs and try again."
        ) from error


def _hand_over(pipe: IO[bytes], request: tuple[Callable[..., bytes], tuple[Any, ...], Limits]) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has ended already, which the other thread tells
        pickle.dump(request, pipe)
        pipe.flush()  # and stays open: its end tells the child that nobody waits any more


def _receive(pipe: IO[bytes], frames: queue.SimpleQueue[tuple[dict[str, Any], bytes]]) -> None:
    """Read lines of JSON, each followed by as many bytes as it says, until the process ends."""
    try:
        while line := pipe.readline():
            head = json.loads(line)
            size = int(head.get("size", 0))
            content = pipe.read(size)
            if len(content) != size:
                break
            frames.put((head, content))
    except (OSError, ValueError, TypeError, AttributeError):
        pass  # cut off or nonsense: the process was ended while it spoke, or is not ours any more
    frames.put(({"kind": "end"}, b""))


def _answer(
    process: subprocess.Popen[bytes],
    frames: queue.SimpleQueue[tuple[dict[str, Any], bytes]],
    task: Task,
    limits: Limits,
    progress: Progress,
) -> bytes:
    wall_s = limits.cpu_s * _WALL_FACTOR
    start_s = watched_s = time.monotonic()
    while True:
        progress.check()
        now_s = time.monotonic()
        if now_s - start_s > wall_s:
            raise _passed(task, "took too long")
        if now_s - watched_s > _WATCH_S:
            watched_s = now_s
            if _resident_bytes(process.pid) > limits.memory_bytes:
                raise _passed(task, "took too much memory")
        try:
            head, content = frames.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        kind = head.get("kind")
        if kind == "progress":
            progress.update(float(head["fraction"]), str(head["text"]))
        elif kind == "done":
            return content
        else:
            raise _failure(kind, head, task, process)


def _failure(kind: object, head: dict[str, Any], task: Task, process: subprocess.Popen[bytes]) -> ScoreSepError:
    if kind == "refused":
        return ScoreFileError(str(head.get("text")))
    if kind == "memory":
        return _passed(task, "took too much memory")
    if kind == "failed":
        _log.info("%s was not %s: %s", task.name, task.done, head.get("text"))
        return ScoreFileError(
            f"'{task.name}' cannot be {task.done}: it is damaged or unusual; export it again, as MusicXML if you can."
        )
    process.kill()
    code = process.wait()
    _log.warning("the process that was to have %s %s ended (%s)", task.done, task.name, code)
    if sys.platform != "win32" and code == -signal.SIGXCPU:
        return _passed(task, "took too long")
    return _passed(task, "ended the process that did it")


def _passed(task: Task, what: str) -> ScoreFileError:
    return ScoreFileError(
        f"'{task.name}' could not be {task.done} ({what}): it is damaged or unusual; export it again, as MusicXML if"
        " you can."
    )


def _resident_bytes(pid: int) -> int:
    """Return the memory of a process where the system does not limit it for us; 0 where it does, or does not say."""
    if sys.platform == "win32":
        return _resident_bytes_on_windows(pid)
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            told = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=5, check=True)
            return int(told.stdout) * 1024
    return 0


def _resident_bytes_on_windows(pid: int) -> int:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("page_faults", wintypes.DWORD),
            *((name, ctypes.c_size_t) for name in ("peak", "resident", "a", "b", "c", "d", "pagefile", "e")),
        )

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if handle is None:
        return 0
    try:
        counters = Counters(size=ctypes.sizeof(Counters))
        known = kernel.K32GetProcessMemoryInfo(wintypes.HANDLE(handle), ctypes.byref(counters), counters.size)
        return max(int(counters.resident), int(counters.pagefile)) if known else 0
    finally:
        kernel.CloseHandle(wintypes.HANDLE(handle))
