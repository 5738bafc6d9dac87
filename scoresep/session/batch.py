"""The whole job for many pieces, one after the other: what is done is not done again, and one failure stops nothing.

Every piece gets a folder with the table of notes, the table of segments, the stems and a project to open in the window.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoresep import version
from scoresep.edits import project as edits
from scoresep.errors import Cancelled, OutputError, ScoreSepError
from scoresep.files.audio.stems import read_stem_set
from scoresep.files.project.project_files import PROJECT_SUFFIX, save_project
from scoresep.files.storage.atomic import output_errors, write_whole
from scoresep.files.storage.cache import content_key
from scoresep.files.tables.batch_lists import Piece
from scoresep.files.tables.csv_tables import write_table
from scoresep.model.project import Project, Recipe, apply_change
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session import separation_job as separating
from scoresep.session.pipeline import choices_named

REPORT_NAME = "batch.csv"
REPORT_COLUMNS = ("name", "state", "audio", "score", "notes", "confidence", "seconds", "remark")
NOTES_NAME, SEGMENTS_NAME, STEMS_NAME = "notes.csv", "segments.csv", "stems"
_DONE_NAME = ".scoresep-done.json"  # in the folder of a piece: of what it was made, so that it is not made again
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchOptions:
    """How every piece is done.

    Attributes
    ----------
    folder : Path
        Where the folders of the pieces stand.
    recipe : Recipe
    device : str
    repeats : str
        Which repeats were played, as `choices_named` takes it; ``auto`` to find out.
    """

    folder: Path
    recipe: Recipe = Recipe()
    device: str = "auto"
    repeats: str = "auto"


@dataclass(frozen=True)
class PieceReport:
    """What became of a piece.

    Attributes
    ----------
    piece : Piece
    state : str
        ``done``, ``done before`` or ``failed``.
    notes : int
        How many were found.
    confidence : float
        Of the alignment.
    seconds : float
        That it took.
    remarks : tuple of str
        Warnings, or why it failed.
    """

    piece: Piece
    state: str
    notes: int = 0
    confidence: float = 0.0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()


def run_batch(pieces: tuple[Piece, ...], options: BatchOptions, progress: Progress) -> Iterator[PieceReport]:
    """Do the pieces one after the other, and keep a table of what became of them (``batch.csv``).

    Parameters
    ----------
    pieces : tuple of Piece
    options : BatchOptions
    progress : Progress

    Raises
    ------
    OutputError
        The folder of all cannot be written. What goes wrong with a piece is in its report.
    Cancelled
    """
    reports: list[PieceReport] = []
    for number, (piece, part) in enumerate(zip(pieces, progress.parts(len(pieces)), strict=True), 1):
        start_s = time.monotonic()
        part.update(0.0, f"{number} of {len(pieces)}: {piece.name}")
        try:
            report = _done_before(piece, options) or _do(piece, options, part, start_s)
        except Cancelled:
            raise
        except ScoreSepError as error:
            report = PieceReport(piece, "failed", seconds=time.monotonic() - start_s, remarks=(str(error),))
        except MemoryError:
            text = "The memory was not enough; close other programs and try again."
            report = PieceReport(piece, "failed", seconds=time.monotonic() - start_s, remarks=(text,))
        except Exception as error:  # one failure stops nothing, and be it one of the program
            part.check()  # a library may have made another error of the interruption
            _log.critical("unexpected in %s", piece.name, exc_info=error)
            text = f"Something went wrong that should not have ({type(error).__name__}: {error}); please report it."
            report = PieceReport(piece, "failed", seconds=time.monotonic() - start_s, remarks=(text,))
        reports.append(report)
        write_table(options.folder / REPORT_NAME, REPORT_COLUMNS, [_row(r) for r in reports])
        yield report


def _do(piece: Piece, options: BatchOptions, progress: Progress, start_s: float) -> PieceReport:
    home = options.folder / piece.name
    project_file = home / f"{piece.name}{PROJECT_SUFFIX}"
    if project_file.is_file() and _facts(home).get("project") != content_key(project_file):
        raise OutputError(
            f"'{project_file}' was changed by somebody since it was made, and would be replaced; move it away, or "
            "choose another folder."
        )
    key = _key(piece, options) if piece.audio.exists() and piece.score.exists() else ""
    project, remarks = pipeline.open_files(piece.audio, piece.score, progress.part(0.0, 0.1))
    choices = None if project.score is None else choices_named(options.repeats, project.score)
    if choices is not None:
        project = apply_change(project, edits.choose_path(project, choices))
    project = pipeline.segment(pipeline.align(project, progress.part(0.1, 0.3)), progress.part(0.3, 0.35))
    with output_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        if (home / _DONE_NAME).exists():  # from here on the folder holds something of both runs
            _note_done(home, {**_facts(home), "key": ""})
    pipeline.write_notes(project, home / NOTES_NAME)
    pipeline.write_segments(project, home / SEGMENTS_NAME)
    project = separating.separate(project, home / STEMS_NAME, options.recipe, options.device, progress.part(0.35, 1.0))
    save_project(project, project_file)
    report = _report(piece, project, remarks, time.monotonic() - start_s)
    facts = {"key": key, "notes": report.notes, "confidence": report.confidence}
    _note_done(home, {**facts, "project": content_key(project_file)})
    return report


def _note_done(home: Path, facts: dict[str, Any]) -> None:
    write_whole(home / _DONE_NAME, json.dumps(facts).encode())


def _facts(home: Path) -> dict[str, Any]:
    """Return what was noted of the last run in the folder of a piece; nothing where there was none."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        facts = json.loads((home / _DONE_NAME).read_bytes())
        return facts if isinstance(facts, dict) else {}
    return {}


def _report(piece: Piece, project: Project, remarks: tuple[str, ...], seconds: float) -> PieceReport:
    alignment = project.alignment
    assert alignment is not None
    notes = int(alignment.note_times.is_present.sum())
    return PieceReport(piece, "done", notes, round(alignment.confidence, 3), seconds, (*remarks, *alignment.warnings))


def _done_before(piece: Piece, options: BatchOptions) -> PieceReport | None:
    """Return the report of a piece that an earlier run has done of the same files in the same way."""
    home = options.folder / piece.name
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ScoreSepError):
        facts = _facts(home)
        if facts["key"] == _key(piece, options):
            read_stem_set(home / STEMS_NAME)
            for name in (NOTES_NAME, SEGMENTS_NAME, f"{piece.name}{PROJECT_SUFFIX}"):
                (home / name).stat()  # it is all there
            return PieceReport(piece, "done before", int(facts["notes"]), float(facts["confidence"]))
    return None


def _key(piece: Piece, options: BatchOptions) -> str:
    """Return what tells whether a piece has to be done again: its files as they are, the options, the program.

    Raises
    ------
    OSError
        A file is missing.
    """
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (piece.audio, piece.score)]
    return repr((files, options.recipe, options.repeats, version.__version__))


def _row(report: PieceReport) -> tuple[str, ...]:
    piece = report.piece
    return (
        piece.name,
        report.state,
        str(piece.audio),
        str(piece.score),
        str(report.notes),
        f"{report.confidence:.3f}",
        f"{report.seconds:.1f}",
        " ".join(" ".join(report.remarks).split()),  # errors of libraries may have several lines
    )
