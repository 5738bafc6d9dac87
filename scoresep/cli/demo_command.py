"""`scoresep demo`: the whole job on the built-in piece."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scoresep.cli.places import check_device
from scoresep.cli.screen import screen_problem
from scoresep.cli.terminal import Terminal
from scoresep.errors import OutputError
from scoresep.files.atomic import make_folders, output_errors, remove_empty, write_whole
from scoresep.files.project_files import data_folder, save_project
from scoresep.resources import resource_path
from scoresep.session import pipeline, separating
from scoresep.session.scripting import write_notes, write_segments

PIECE = ("demo/demo.ogg", "demo/demo.musicxml")
PROJECT, NOTES, SEGMENTS = "demo.scoresep", "notes.csv", "segments.csv"


def demo(options: argparse.Namespace, terminal: Terminal, open_window: Callable[[Sequence[str]], int]) -> int:
    """Do the whole job on the built-in piece, then open the application on it."""
    check_device(options.device)
    progress = terminal.progress()
    folder = Path(options.output).expanduser().absolute()
    project_path = folder / PROJECT
    stems = data_folder(project_path) / "stems"
    with _piece_in(folder) as (audio, score):
        project, _ = pipeline.open_files(audio, score, progress.part(0.0, 0.1))
        project = pipeline.align(project, progress.part(0.1, 0.3))
        project = pipeline.segment(project, progress.part(0.3, 0.35))
        project = separating.separate(project, stems, device=options.device, progress=progress.part(0.35, 1.0))
        write_notes(project, folder / NOTES)
        write_segments(project, folder / SEGMENTS)
        save_project(project, project_path)
    terminal.say(f"The stems are in {stems}, the project is {project_path}.")
    terminal.result({"project": str(project_path), "stems": str(stems)})
    if options.no_window:
        return 0
    if problem := screen_problem():
        terminal.warn(problem)
        return 0
    return open_window([str(project_path)])


@contextlib.contextmanager
def _piece_in(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Lay the built-in piece into the folder, so that the project there is whole; take it away when the work fails.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds files of others by these names.
    """
    contents = {folder / Path(name).name: resource_path(name).read_bytes() for name in PIECE}
    with output_errors(folder):
        if not (folder / PROJECT).exists():
            _refuse_names_of_others(folder, contents)
        laid = [path for path in contents if not path.exists()]
        created = make_folders(folder)
    try:
        for path in laid:
            write_whole(path, contents[path])
        audio, score = contents
        yield audio, score
    except BaseException:
        for path in laid:
            path.unlink(missing_ok=True)
        remove_empty(created)
        raise


def _refuse_names_of_others(folder: Path, contents: dict[Path, bytes]) -> None:
    for path in (*contents, folder / NOTES, folder / SEGMENTS):
        if path.exists() and (path not in contents or path.read_bytes() != contents[path]):
            raise OutputError(f"'{path}' is in the way of the demo; choose another folder with -o.")
