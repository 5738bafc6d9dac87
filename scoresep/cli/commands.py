"""What each command does, in terms of the same functions that the window's workers call."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scoresep.cli.demo_command import demo
from scoresep.cli.export_command import export
from scoresep.cli.machine import doctor, engines
from scoresep.cli.parts import part_named
from scoresep.cli.places import check_device, check_output
from scoresep.cli.terminal import Terminal, counted
from scoresep.errors import ScoreSepError
from scoresep.files.batch_lists import read_batch
from scoresep.model.project import Project, Recipe, apply_change
from scoresep.progress import Progress
from scoresep.session import edits, pipeline, separating
from scoresep.session.batch import REPORT_NAME, BatchOptions, run_batch
from scoresep.session.importing import import_alignment
from scoresep.session.played_path import choices_named, played_otherwise
from scoresep.session.scripting import write_notes, write_segments
from scoresep.session.separation_request import separation_request

OpenWindow = Callable[[Sequence[str]], int]


def align(options: argparse.Namespace, terminal: Terminal, open_window: OpenWindow) -> int:
    """Write the table of notes."""
    check_output(options.output)
    progress = terminal.progress()
    project = _opened(options, terminal, progress.part(0.0, 0.2))
    project = _aligned(project, options, terminal, progress.part(0.2, 1.0))
    write_notes(project, options.output)
    _tell_alignment(project, terminal, options.output)
    return 0


def segment(options: argparse.Namespace, terminal: Terminal, open_window: OpenWindow) -> int:
    """Write the table of segments."""
    check_output(options.output)
    progress = terminal.progress()
    project = _opened(options, terminal, progress.part(0.0, 0.2))
    project = _aligned(project, options, terminal, progress.part(0.2, 0.9))
    project = pipeline.segment(project, progress.part(0.9, 1.0))
    write_segments(project, options.output)
    count = len(pipeline.segments(project))
    if options.output != "-":
        terminal.say(f"{counted(count, 'segment')} in {options.output}")
    terminal.result({"output": options.output, "segments": count})
    return 0


def separate(options: argparse.Namespace, terminal: Terminal, open_window: OpenWindow) -> int:
    """Write the folder of stems."""
    progress = terminal.progress()
    recipe = Recipe(options.engine, options.budget, options.seed)
    separating.check_recipe(recipe)
    check_device(options.device)
    check_output(options.output, is_folder=True)
    project = replace(_opened(options, terminal, progress.part(0.0, 0.1)), recipe=recipe)
    chosen = None if options.part is None else _chosen_parts(project, options.part)
    project = _aligned(project, options, terminal, progress.part(0.1, 0.3))
    request = separation_request(project, options.output, options.device, chosen)
    answer = separating.separate_recording(request, progress.part(0.3, 1.0))
    for warning in answer.warnings:
        terminal.warn(warning)
    _tell_stems(answer, terminal)
    return 0


def batch(options: argparse.Namespace, terminal: Terminal, open_window: OpenWindow) -> int:
    """Do the whole job for many pieces."""
    recipe = Recipe(options.engine, options.budget, options.seed)
    separating.check_recipe(recipe)
    check_device(options.device)
    check_output(options.output, is_folder=True)
    found = read_batch(options.pieces)
    for warning in found.warnings:
        terminal.warn(warning)
    folder = Path(options.output).expanduser().absolute()
    how = BatchOptions(folder, recipe, options.device, options.repeats)
    reports = []
    for report in run_batch(found.pieces, how, terminal.progress()):
        reports.append(report)
        terminal.clear()
        for remark in report.remarks:
            terminal.warn(f"{report.piece.name}: {remark}")
        counts = "" if report.state == "failed" else f" ({counted(report.notes, 'note')}, {report.confidence:.2f})"
        terminal.say(f"{report.piece.name}: {report.state}{counts}")
    states = {report.piece.name: report.state for report in reports}
    terminal.result({"output": str(folder), "pieces": states, "report": str(folder / REPORT_NAME)})
    failed = sum(report.state == "failed" for report in reports)
    if failed:
        raise ScoreSepError(
            f"{failed} of {counted(len(reports), 'piece')} could not be done; '{folder / REPORT_NAME}' tells why, and "
            "the same command goes on with these alone."
        )
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Terminal, OpenWindow], int]] = {
    "align": align,
    "segment": segment,
    "separate": separate,
    "batch": batch,
    "demo": demo,
    "export": export,
    "engines": engines,
    "doctor": doctor,
}


def _tell_alignment(project: Project, terminal: Terminal, output: str) -> None:
    alignment = project.alignment
    assert alignment is not None
    count = int(alignment.note_times.is_present.sum())
    if output != "-":
        terminal.say(f"{counted(count, 'note')} in {output} (confidence {alignment.confidence:.2f})")
    terminal.result(
        {
            "output": output,
            "notes": count,
            "confidence": round(alignment.confidence, 3),
            "tuning_cents": round(alignment.tuning_cents, 1),
            "transposition_semitones": alignment.transposition_semitones,
        }
    )


def _tell_stems(answer: separating.SeparationAnswer, terminal: Terminal) -> None:
    stem_set = answer.stem_set
    files = [stem.file for stem in stem_set.stems]
    made_by = f"({stem_set.engine} on {stem_set.device})"
    terminal.say(f"{counted(len(files), 'file')} in {stem_set.folder} {made_by}: {', '.join(files)}")
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
