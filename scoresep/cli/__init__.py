"""The command line: what it takes, what it writes, how it ends.

Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 the work failed, 130 cancelled. An error is one
sentence on the error stream.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType

from scoresep.cli.arguments import make_parser
from scoresep.cli.terminal import Terminal
from scoresep.errors import Cancelled, ScoreSepError


def run(arguments: Sequence[str], open_window: Callable[[Sequence[str]], int]) -> int:
    """Do what the command line says.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.
    open_window : callable taking files, returning an exit code
        Opens the application on a project, or on a recording and its score.

    Returns
    -------
    exit_code : int
    """
    options = make_parser().parse_args(arguments)
    terminal = Terminal(is_quiet=getattr(options, "quiet", False), is_json=getattr(options, "json", False))
    try:
        if options.command in (None, "open"):
            return open_window(getattr(options, "files", ()))
        signal.signal(signal.SIGTERM, _interrupt)
        from scoresep.cli import commands

        return commands.COMMANDS[options.command](options, terminal, open_window)
    except KeyboardInterrupt:
        return terminal.fail(Cancelled())
    except ScoreSepError as error:
        return terminal.fail(error)
    except MemoryError:
        return terminal.fail(ScoreSepError("The memory was not enough; close other programs and try again."))
    except BrokenPipeError:
        return ScoreSepError.exit_code
    finally:
        terminal.clear()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
