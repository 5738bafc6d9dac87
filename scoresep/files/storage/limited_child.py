"""The other side of `limited`: does one piece of work under limits, and tells what came of it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scoresep.errors import ScoreSepError
from scoresep.progress import Progress, ProgressState

if TYPE_CHECKING:
    from scoresep.files.storage.limited_process import Limits

_REPORT_S = 0.1
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_GRACE_S = 5  # after SIGXCPU the system kills
_OUT_OF_MEMORY_SCORE = 500


def main() -> None:
    """Do what comes in by the standard input; never returns."""
    with contextlib.suppress(OSError, ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever waits for this, and it ends this then
    answers = _own_output()
    _end_with_parent()
    request = sys.stdin.buffer
    function, inputs, limits = pickle.load(request)
    _limit(limits)
    threading.Thread(target=_end_with, args=(request,), daemon=True).start()
    head, content = _outcome(function, inputs, Progress(_reporter(answers)))
    with contextlib.suppress(OSError):
        _tell(answers, head, content)
        answers.flush()
    os._exit(0)  # what libraries would tidy up is the system's to take back


def _outcome(
    function: Callable[..., bytes], inputs: tuple[Any, ...], progress: Progress
) -> tuple[dict[str, Any], bytes]:
    try:
        content = function(*inputs, progress)
    except ScoreSepError as error:
        return {"kind": "refused", "text": str(error)}, b""
    except MemoryError:
        return {"kind": "memory"}, b""
    except BaseException as error:
        import traceback

        told = "".join(traceback.format_exception(error, limit=-8))[-4000:]
        return {"kind": "failed", "text": told}, b""
    return {"kind": "done", "size": len(content)}, content


def _own_output() -> IO[bytes]:
    """Return the standard output for answers alone; what libraries print goes nowhere."""
    descriptor = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.fdopen(descriptor, "wb")


def _tell(answers: IO[bytes], head: dict[str, Any], content: bytes = b"") -> None:
    answers.write(json.dumps(head).encode() + b"\n")
    answers.write(content)
    answers.flush()


def _reporter(answers: IO[bytes]) -> Callable[[ProgressState], None]:
    last_s = 0.0

    def report(state: ProgressState) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _REPORT_S:
            last_s = now_s
            try:
                _tell(answers, {"kind": "progress", "fraction": state.fraction, "text": state.text})
            except OSError:
                os._exit(1)

    return report


# ------------------------------------------------------------------------------------------------------- limits


def _limit(limits: Limits) -> None:
    """Let the system set the limits, where it can; elsewhere whoever waits watches."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(OSError):  # Linux: when memory runs out all the same, this goes first
        Path("/proc/self/oom_score_adj").write_text(str(_OUT_OF_MEMORY_SCORE), encoding="ascii")
    used_s = int(time.process_time()) + 1
    cpu_s = used_s + int(limits.cpu_s)
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + _GRACE_S),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes),
    ):
        with contextlib.suppress(OSError, ValueError):  # the system has a stricter one, or none of this kind
            former = resource.getrlimit(kind)[1]
            if former != resource.RLIM_INFINITY:
                soft, hard = min(soft, former), min(hard, former)
            resource.setrlimit(kind, (soft, hard))


def _end_with_parent() -> None:
    """End at once when the process that waits for this is killed."""
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _end_with(request: IO[bytes]) -> None:
    """End when nobody holds the other end of the request any more."""
    with contextlib.suppress(OSError, ValueError):
        while request.read(1):
            pass
    os._exit(1)
