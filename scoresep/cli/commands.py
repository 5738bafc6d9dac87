"""What every command does. Places that cannot be written and devices that are not there are refused before any work."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from scoresep.cli.machine import engines
from scoresep.cli.process import screen_problem
from scoresep.cli.terminal import STANDARD_OUTPUT, Terminal, count_in_words
from scoresep.edits import project as edits
from scoresep.errors import InputError, OutputError, ScoreSepError, UsageError
from scoresep.files.audio.export import DEFAULT_TEMPLATE
from scoresep.files.audio.export_formats import COMPRESSED
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import data_folder, load_project, save_project
from scoresep.files.storage.atomic import check_place, make_folders, output_errors, remove_empty, write_whole
from scoresep.files.storage.paths import absolute_path
from scoresep.files.tables.batch_lists import read_batch
from scoresep.model.project import Project, Recipe, apply_change
from scoresep.model.timebase import second_to_frame
from scoresep.progress import Progress
from scoresep.resources import resource_path
from scoresep.session import pipeline, separation_job
from scoresep.session.batch import REPORT_NAME, BatchOptions, run_batch
from scoresep.session.exporting import ALIGNMENT_FORMS, DAW_FORMS, ExportChoices, export_request, files_in_the_way
from scoresep.session.exporting import export as export_files
from scoresep.session.importing import import_alignment
from scoresep.session.pipeline import choices_named, played_otherwise, write_notes, write_segments
from scoresep.session.project_store import plain_path
from scoresep.session.separation_job import separation_request
from scoresep.session.unused_stems import UnusedQuestion, UnusedStems, amount_of, bin_unused, find_unused, size_text


def check_output(output: str, is_folder: bool = False) -> None:
    """Refuse a file or folder that could not be written at the end of the work.

    Raises
    ------
    OutputError
    """
    if is_folder or output != STANDARD_OUTPUT:
        check_place(absolute_path(output), is_folder)


def check_device(name: str) -> None:
    """Refuse a device that cannot be used here; torch is only asked where that is in doubt.

    Raises
    ------
    DeviceError
    """
    if name in ("auto", "cpu"):
        return
    from scoresep.engines.separation.devices import choose_device

    choose_device(name)


def part_named(name: str, project: Project) -> int:
    """Return the index of the part of this name (whatever its case) or of this number, counted from 1.

    Raises
    ------
    UsageError
        There is none, or several bear the name.
    """
    wanted = name.strip().casefold()
    found = [i for i, part in enumerate(project.parts) if part.name.strip().casefold() == wanted]
    if not found and wanted.isdecimal() and 1 <= int(wanted) <= len(project.parts):
        found = [int(wanted) - 1]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = " and ".join(str(i + 1) for i in found)
        raise UsageError(f"{len(found)} parts are called “{name}”; choose one by its number: {numbers}.")
    listed = ", ".join(f"{i + 1} {part.name}" for i, part in enumerate(project.parts))
    raise UsageError(f"The score has no part “{name}”; it has: {listed}.")


RESIDUAL = "residual"
SOUND_OPTIONS = ("mix", "part", "bits", "start", "end", "template")


def export(options: argparse.Namespace, terminal: Terminal) -> int:
    """Export what the options say."""
    loaded = load_project(Path(options.project), outside=Outside.OPEN if options.trust else Outside.ASK)
    for warning in loaded.warnings:
        terminal.warn(warning)
    if loaded.missing_recording is not None:
        raise InputError(
            f"The recording '{loaded.missing_recording.path}' of this project is not there or cannot be read; open the "
            "project in the window, find it and save."
        )
    request = export_request(loaded.project, _choices(options, loaded.project))
    in_the_way = () if options.overwrite else files_in_the_way(request)
    if in_the_way:
        raise OutputError(
            f"'{Path(options.output) / in_the_way[0]}' exists already; choose another folder, or add --overwrite."
        )
    report = export_files(request, terminal.progress())
    terminal.say(f"{count_in_words(len(report.files), 'file')} in {report.folder}: {', '.join(report.files)}")
    if report.gain_db:
        terminal.say(
            f"All were turned down by {-report.gain_db:.2f} dB, so that none clips; {report.manifest} says so."
        )
    terminal.result({"output": report.folder, "files": list(report.files), "gain_db": report.gain_db})
    return 0


def _choices(options: argparse.Namespace, project: Project) -> ExportChoices:
    rate = project.recording.sample_rate if project.recording is not None else 1
    bits = options.bits or ("32f" if options.format == "wav" else "24")
    if options.mix and options.part:
        raise UsageError("--mix is the mix of all parts; leave --part away, or mute parts in the project.")
    given = [f"--{name}" for name in SOUND_OPTIONS if getattr(options, name)]
    if options.format in ALIGNMENT_FORMS and given:
        what = f"{given[0]} is" if len(given) == 1 else f"{' and '.join(given)} are"
        raise UsageError(f"{what} for sound; leave that away, since the alignment is written as a whole.")
    whole = [name for name in given if name not in ("--template", "--part")]
    if options.format in DAW_FORMS and whole:
        raise UsageError(f"{whole[0]} is for sound alone; leave it away for {options.format}, which holds all stems.")
    if options.fixed_tempo and options.format not in DAW_FORMS:
        raise UsageError("--fixed-tempo is for the projects of other programs; add --format dawproject or reaper.")
    if options.format in COMPRESSED and options.bits:
        raise UsageError(f"--bits is for WAV and FLAC; leave it away for {options.format}.")
    return ExportChoices(
        folder=options.output,
        is_mix=options.mix,
        part_indices=None if options.part is None else tuple(_part(name, project) for name in options.part),
        start_frame=0 if options.start is None else second_to_frame(options.start, rate),
        end_frame=None if options.end is None else second_to_frame(options.end, rate),
        container=options.format,
        bits=32 if bits == "32f" else int(bits),
        template=options.template or DEFAULT_TEMPLATE,
        overwrites=options.overwrite,
        has_tempo_map=not options.fixed_tempo,
    )


def _part(name: str, project: Project) -> int | None:
    return None if name.casefold() == RESIDUAL else part_named(name, project)


PIECE = ("demo/demo.ogg", "demo/demo.musicxml")
PROJECT, NOTES, SEGMENTS = "demo.scoresep", "notes.csv", "segments.csv"


def demo(options: argparse.Namespace, terminal: Terminal, open_window: Callable[[Sequence[str]], int]) -> int:
    """Do the whole job on the built-in piece, then open the application on it.

    Parameters
    ----------
    options : argparse.Namespace
    terminal : Terminal
    open_window : callable taking files, returning an exit code
        Not called with ``--no-window``.
    """
    check_device(options.device)
    progress = terminal.progress()
    folder = absolute_path(options.output)
    project_path = folder / PROJECT
    stems = data_folder(project_path) / "stems"
    with _piece_in(folder) as (audio, score):
        project, _ = pipeline.open_files(audio, score, progress.part(0.0, 0.1))
        project = pipeline.align(project, progress.part(0.1, 0.3))
        project = pipeline.segment(project, progress.part(0.3, 0.35))
        project = separation_job.separate(project, stems, device=options.device, progress=progress.part(0.35, 1.0))
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


def unused_stems(options: argparse.Namespace, terminal: Terminal) -> int:
    """List stems that no project names, or move them to the bin."""
    if options.unused_stems is None:
        raise UsageError("--to-bin is for stems that no project names; add --unused-stems.")
    projects = [plain_path(Path(name)) for name in options.unused_stems]
    for project in projects:
        if not project.is_file():
            raise UsageError(f"The project '{project}' is not there; name the .scoresep file itself.")
    questions = [UnusedQuestion(str(project), with_unsaved=False) for project in projects] + [UnusedQuestion()]
    answers = [(question, find_unused(question)) for question in questions]
    found = tuple(stems for _, some in answers for stems in some)
    for stems in found:
        terminal.say(_line(stems))
    terminal.say(f"{amount_of(found).text}." if found else "There are no stems that no project names.")
    moved: list[str] = []
    refused: list[str] = []
    for question, some in answers if options.to_bin else ():
        binned = bin_unused(tuple(stems.folder for stems in some), question, terminal.progress())
        moved += [stems.folder for stems in binned.moved]
        refused += binned.refused
    terminal.clear()
    if options.to_bin and found:
        terminal.say(f"{len(moved)} of {len(found)} are in the bin.")
    terminal.result({"unused": [asdict(stems) for stems in found], "moved": moved})
    for sentence in refused:
        terminal.warn(sentence)
    if refused:
        raise OutputError(f"{len(refused)} of {len(found)} could not be moved to the bin; they are where they were.")
    return 0


def _line(stems: UnusedStems) -> str:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(stems.made_s))
    shared = ", shared" if stems.shared_bytes else ""
    whose = stems.recording or "?"
    return f"{made}  {size_text(stems.size_bytes):>9}{shared}  {stems.stem_count} stems of {whose}  {stems.folder}"


def align(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the table of notes."""
    check_output(options.output)
    progress = terminal.progress()
    project = _opened(options, terminal, progress.part(0.0, 0.2))
    project = _aligned(project, options, terminal, progress.part(0.2, 1.0))
    write_notes(project, options.output)
    _tell_alignment(project, terminal, options.output)
    return 0


def segment(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the table of segments."""
    _check_sets(options)
    check_output(options.output)
    progress = terminal.progress()
    project = _opened(options, terminal, progress.part(0.0, 0.2))
    if options.sets is not None:
        project = pipeline.segment(project, progress.part(0.2, 1.0), sets=options.sets)
    else:
        project = _aligned(project, options, terminal, progress.part(0.2, 0.9))
        project = pipeline.segment(project, progress.part(0.9, 1.0))
    write_segments(project, options.output)
    count = len(pipeline.segments(project))
    if options.output != "-":
        of_sets = "" if options.sets is None else f" of {count_in_words(len(project.parts), 'set')}"
        terminal.say(f"{count_in_words(count, 'segment')}{of_sets} in {options.output}")
    sets = {} if options.sets is None else {"sets": len(project.parts)}
    terminal.result({"output": options.output, "segments": count} | sets)
    return 0


def _check_sets(options: argparse.Namespace) -> None:
    if options.sets is None:
        return
    pipeline.check_sets(options.sets)
    if options.score is not None:
        raise UsageError("A score tells who plays; leave --sets out, or the score.")
    if options.notes is not None:
        raise UsageError("--notes needs a score; leave it out with --sets.")


def separate(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the folder of stems."""
    progress = terminal.progress()
    recipe = Recipe(options.engine, options.budget, options.seed)
    separation_job.check_recipe(recipe)
    check_device(options.device)
    check_output(options.output, is_folder=True)
    project = replace(_opened(options, terminal, progress.part(0.0, 0.1)), recipe=recipe)
    chosen = None if options.part is None else _chosen_parts(project, options.part)
    project = _aligned(project, options, terminal, progress.part(0.1, 0.3))
    request = separation_request(project, options.output, options.device, chosen)
    answer = separation_job.separate_recording(request, progress.part(0.3, 1.0))
    for warning in answer.warnings:
        terminal.warn(warning)
    _tell_stems(answer, terminal)
    return 0


def batch(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do the whole job for many pieces."""
    recipe = Recipe(options.engine, options.budget, options.seed)
    separation_job.check_recipe(recipe)
    check_device(options.device)
    check_output(options.output, is_folder=True)
    found = read_batch(options.pieces)
    for warning in found.warnings:
        terminal.warn(warning)
    folder = absolute_path(options.output)
    how = BatchOptions(folder, recipe, options.device, options.repeats)
    reports = []
    for report in run_batch(found.pieces, how, terminal.progress()):
        reports.append(report)
        terminal.clear()
        for remark in report.remarks:
            terminal.warn(f"{report.piece.name}: {remark}")
        counts = (
            "" if report.state == "failed" else f" ({count_in_words(report.notes, 'note')}, {report.confidence:.2f})"
        )
        terminal.say(f"{report.piece.name}: {report.state}{counts}")
    states = {report.piece.name: report.state for report in reports}
    terminal.result({"output": str(folder), "pieces": states, "report": str(folder / REPORT_NAME)})
    failed = sum(report.state == "failed" for report in reports)
    if failed:
        raise ScoreSepError(
            f"{failed} of {count_in_words(len(reports), 'piece')} could not be done; '{folder / REPORT_NAME}' tells "
            "why, and the same command goes on with these alone."
        )
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Terminal], int]] = {
    "align": align,
    "segment": segment,
    "separate": separate,
    "batch": batch,
    "export": export,
    "engines": engines,
}


def _tell_alignment(project: Project, terminal: Terminal, output: str) -> None:
    alignment = project.alignment
    assert alignment is not None
    count = int(alignment.note_times.is_present.sum())
    if output != "-":
        terminal.say(f"{count_in_words(count, 'note')} in {output} (confidence {alignment.confidence:.2f})")
    terminal.result(
        {
            "output": output,
            "notes": count,
            "confidence": round(alignment.confidence, 3),
            "tuning_cents": round(alignment.tuning_cents, 1),
            "transposition_semitones": alignment.transposition_semitones,
        }
    )


def _tell_stems(answer: separation_job.SeparationAnswer, terminal: Terminal) -> None:
    stem_set = answer.stem_set
    files = [stem.file for stem in stem_set.stems]
    made_by = f"({stem_set.engine} on {stem_set.device})"
    terminal.say(f"{count_in_words(len(files), 'file')} in {stem_set.folder} {made_by}: {', '.join(files)}")
    terminal.result({"output": stem_set.folder, "engine": stem_set.engine, "device": stem_set.device, "files": files})


def _opened(options: argparse.Namespace, terminal: Terminal, progress: Progress) -> Project:
    project, warnings = pipeline.open_files(options.audio, options.score, progress)
    for warning in warnings:
        terminal.warn(warning)
    choices = None if project.score is None else choices_named(options.repeats, project.score)
    return project if choices is None else apply_change(project, edits.choose_path(project, choices))


def _aligned(project: Project, options: argparse.Namespace, terminal: Terminal, progress: Progress) -> Project:
    """Align by listening, or as a file says."""
    if options.notes is not None:
        imported = import_alignment(project, options.notes)
        for warning in imported.warnings:
            terminal.warn(warning)
        return pipeline.with_alignment(project, imported.alignment)
    project = pipeline.align(project, progress)
    for sentence in played_otherwise(project):
        terminal.note(sentence)
    if project.alignment is not None:
        for warning in project.alignment.warnings:
            terminal.warn(f"{warning.rstrip('.')} (confidence {project.alignment.confidence:.2f}).")
    return project


def _chosen_parts(project: Project, wanted: Sequence[str]) -> tuple[int, ...]:
    return tuple(part_named(name, project) for name in wanted)
