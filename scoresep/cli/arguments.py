"""The words of the command line and their help."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, NoReturn

from scoresep.errors import InputError, UsageError
from scoresep.files.storage.paths import is_utf8
from scoresep.version import __version__

DESCRIPTION = "Take a recording and its score, and give every instrument back."
EPILOG = "Without a command the application opens. `scoresep COMMAND -h` tells more of a command."


SETS = "--sets"


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[0].upper()}{message[1:]}; “{self.prog} -h” tells more.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse; where sets are asked for, no score is expected."""
        with_sets = any(word.split("=")[0] == SETS for word in args or ())
        for action in self._actions:
            if with_sets and action.dest == "score":
                action.nargs, action.required = "?", False
        return super().parse_known_args(args, namespace)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; it raises `UsageError`."""
    parser: argparse.ArgumentParser = _Parser(prog="scoresep", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"scoresep {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    opened = command("open", "open the application on a project, or on a recording and its score")
    opened.add_argument("files", nargs="*", metavar="PROJECT | AUDIO [SCORE]")
    _add_trust(opened)

    demo = command("demo", "do the whole job on the built-in piece, then open the application on it")
    demo.add_argument("-o", "--output", metavar="DIR", default="scoresep-demo", help="folder (default: %(default)s)")
    demo.add_argument("--no-window", action="store_true", help="do not open the application")
    _add_device(demo)
    _add_reporting(demo)

    align = command("align", "find every note of the score in the recording")
    _add_inputs(align)
    align.add_argument(
        "-o", "--output", metavar="NOTES.csv", required=True, help="table of notes to write; - for stdout"
    )
    _add_notes(align)
    _add_path(align)
    _add_reporting(align)

    segment = command("segment", "find who plays when")
    _add_inputs(segment)
    segment.add_argument(
        SETS,
        type=_number_of_sets,
        nargs="?",
        const="auto",
        metavar="N",
        help="without a SCORE: tell so many sets of instruments apart by their sound; without N as many as are heard",
    )
    segment.add_argument("-o", "--output", metavar="SEGMENTS.csv", required=True, help="table to write; - for stdout")
    _add_notes(segment)
    _add_path(segment)
    _add_reporting(segment)

    _add_separate(command("separate", "write the stem of every part, and the residual"))
    _add_batch(command("batch", "do the whole job for many recordings, one after the other"))
    _add_export(command("export", "export the stems of a project, or its alignment"))

    _add_reporting(command("engines", "list what can separate here, and why not what cannot"))
    _add_doctor(command("doctor", "tell what this machine has for ScoreSep, and what it lacks"))
    return parser


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "--unused-stems",
        nargs="*",
        metavar="PROJECT",
        help="list finished stems that no project names instead: in the data folders of these projects, and those of"
        " work that was never saved",
    )
    doctor.add_argument("--to-bin", action="store_true", help="move the stems that are listed to the system's bin")
    _add_reporting(doctor)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust",
        action="store_true",
        help="open files outside the project's folder too, although the project was not saved by you on this computer",
    )


def _add_separate(separate: argparse.ArgumentParser) -> None:
    _add_inputs(separate)
    separate.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of the stems")
    _add_recipe(separate)
    separate.add_argument(
        "--part", action="append", metavar="NAME", help="write only this part (name or number from 1); repeatable"
    )
    _add_notes(separate)
    _add_path(separate)
    _add_reporting(separate)


def _add_batch(batch: argparse.ArgumentParser) -> None:
    batch.add_argument(
        "pieces",
        metavar="TABLE|FOLDER",
        help="table (CSV) with the columns audio, score and, if wanted, name; or a folder in which recordings and "
        "scores bear the same names or stand in a folder of their own",
    )
    batch.add_argument("-o", "--output", metavar="DIR", required=True, help="folder in which every piece gets its own")
    _add_recipe(batch)
    _add_path(batch)
    _add_reporting(batch)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", default="auto", help="auto (default), or one that `scoresep engines` lists")
    parser.add_argument(
        "--budget", choices=["preview", "balanced", "best"], default="balanced", help="how long it may take"
    )
    _add_device(parser)
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same stems")


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("project", metavar="PROJECT")
    export.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write to")
    export.add_argument(
        "--format",
        choices=["wav", "flac", "mp3", "ogg", "opus", "aac", "dawproject", "reaper", "midi", "labels"],
        default="wav",
        help="sound (wav by default; mp3, ogg, opus and aac to send around), a project with all stems for other"
        " programs (dawproject, reaper), or the alignment: midi has the recording's tempo map, labels are CSV tables"
        " and files for Audacity and Sonic Visualiser",
    )
    export.add_argument(
        "--fixed-tempo", action="store_true", help="dawproject, reaper: one tempo, not that of the recording"
    )
    export.add_argument("--bits", choices=["16", "24", "32f"], help="default: 32f for wav (float), 24 for flac")
    export.add_argument("--part", action="append", metavar="NAME", help="export only this part; repeatable")
    export.add_argument("--mix", action="store_true", help="the mix as heard (mixer settings), not the stems")
    export.add_argument("--start", type=_seconds, metavar="SECONDS", help="from here on")
    export.add_argument("--end", type=_seconds, metavar="SECONDS", help="up to here")
    export.add_argument("--template", help="name of the files, such as '{number} {song} - {part}'")
    _add_trust(export)
    export.add_argument("--overwrite", action="store_true", help="replace files of the same name")
    _add_reporting(export)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("audio", metavar="AUDIO", help="recording")
    parser.add_argument("score", metavar="SCORE", help="MusicXML, MIDI or another score of it")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="where to compute")


def _add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repeats",
        choices=["auto", "written", "none", "all"],
        default="auto",
        help="which repeats were played: found from the recording (auto, default), as written (the order that the"
        " file states; none again after da capo unless it says so), none, or all (again after da capo)",
    )


def _add_notes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--notes",
        metavar="FILE",
        help="take the alignment from here, do not listen: notes.csv, a MIDI performance, or times of bars or beats"
        " (labels of Audacity, a layer of Sonic Visualiser)",
    )


def _add_reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="progress and result as JSON, for scripts")


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdecimal() else math.nan
    if not math.isfinite(seconds):
        raise argparse.ArgumentTypeError(f"'{text}' is not a time in seconds, such as 12.5")
    return seconds


def _number_of_sets(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of sets")
    return int(text)


def check_names(options: argparse.Namespace) -> None:
    """Refuse names that are empty or no text, and a result that would take the place of what it is made from.

    Raises
    ------
    UsageError, InputError
    """
    given = {
        field: getattr(options, field, None) for field in ("audio", "score", "notes", "project", "pieces", "output")
    }
    names = {field: name for field, name in given.items() if name is not None}
    for field, name in names.items():
        if not name.strip():
            raise UsageError(f"The name of {_FIELDS[field]} is empty; check the command.")
    for name in (*names.values(), *getattr(options, "files", ())):
        if not is_utf8(name):
            raise InputError(f"The name {name!a} is not text in UTF-8; rename the file or folder.")
    output = names.pop("output", "-")
    for field, name in names.items():
        if output != "-" and Path(output).absolute() == Path(name).absolute():
            raise UsageError(f"The result would take the place of {_FIELDS[field]} '{name}'; give -o another name.")


_FIELDS = {
    "audio": "the recording",
    "score": "the score",
    "notes": "the alignment",
    "project": "the project",
    "pieces": "the list of pieces",
    "output": "the result",
}
