"""The command line: what it takes, what it writes, how it ends.

Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 the work failed, 130 cancelled. An error is one
sentence on the error stream.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence

from scoresep.cli.arguments import check_names, make_parser
from scoresep.cli.process import Stop, drop, own_streams, screen_problem, stoppable
from scoresep.cli.terminal import Terminal
from scoresep.errors import Cancelled, DeviceError, ScoreSepError, UsageError
from scoresep.files.storage.cache import log_path

OpenWindow = Callable[[Sequence[str]], int]
_log = logging.getLogger(__name__)


def run(arguments: Sequence[str], open_window: OpenWindow, ends_program: bool = False) -> int:
    """Do what the command line says.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.
    open_window : callable taking files, returning an exit code
        Opens the application on a project, or on a recording and its score.
    ends_program : bool
        Whether nothing follows, so that signals have nothing to stop any more.

    Returns
    -------
    exit_code : int

    Raises
    ------
    SystemExit
        Wrong usage (2), or the help was asked for (0).
    """
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(stoppable(ends_program))
        stack.enter_context(own_streams())
        terminal = Terminal("--quiet" in arguments, "--json" in arguments, lambda: stop.is_asked)
        stack.callback(terminal.clear)

        def open_after_all(files: Sequence[str]) -> int:
            problem = screen_problem()
            if problem:
                raise DeviceError(problem)
            stack.close()  # the window has its own way with streams and signals
            return open_window(files)

        try:
            options = make_parser().parse_args(arguments)
        except UsageError as error:
            raise SystemExit(terminal.fail(error)) from error
        except KeyboardInterrupt:
            return terminal.fail(Cancelled())
        return _ended(lambda: _do(options, terminal, open_after_all), terminal, stop)


def _do(options: argparse.Namespace, terminal: Terminal, open_window: OpenWindow) -> int:
    check_names(options)
    if options.command in (None, "open"):
        if getattr(options, "trust", False):
            _trust(options.files)
        return open_window(getattr(options, "files", ()))
    if options.command == "doctor" and (options.unused_stems is not None or options.to_bin):
        from scoresep.cli.commands import unused_stems

        return unused_stems(options, terminal)
    if options.command == "doctor":  # runs also where pieces are missing that the other commands need
        from scoresep.cli.machine import doctor

        return doctor(options, terminal)
    from scoresep.cli import commands  # brings the engines along, which the window does without

    if options.command == "demo":
        return commands.demo(options, terminal, open_window)
    return commands.COMMANDS[options.command](options, terminal)


def _trust(files: Sequence[str]) -> None:
    from scoresep.files.project.project_files import PROJECT_SUFFIX, trust_files_of

    for name in files:
        if name.lower().endswith(PROJECT_SUFFIX):
            trust_files_of(name)


def _ended(work: Callable[[], int], terminal: Terminal, stop: Stop) -> int:
    """Do the work, and turn whatever ends it early into one sentence and an exit code."""
    failure: ScoreSepError
    try:
        try:
            return work()
        finally:
            stop.is_over = True
    except KeyboardInterrupt:
        failure = Cancelled()
    except BrokenPipeError:  # whoever read the standard output has seen enough
        drop(sys.stdout)
        return ScoreSepError.exit_code
    except ScoreSepError as error:
        failure = error
    except MemoryError:
        failure = ScoreSepError("The memory was not enough; close other programs and try again.")
    except ImportError as error:
        _log.error("missing", exc_info=error)
        failure = ScoreSepError(
            f"A piece of ScoreSep cannot be loaded ({error}); “scoresep doctor” tells what to install."
        )
    except Exception as error:
        if stop.is_asked:  # a library made another error of the interruption
            return terminal.fail(Cancelled())
        _log.critical("unexpected", exc_info=error)
        failure = ScoreSepError(
            f"Something went wrong that should not have ({type(error).__name__}: {error}); please report it and send "
            f"the file '{log_path()}' along."
        )
    return terminal.fail(Cancelled() if stop.is_asked else failure)
