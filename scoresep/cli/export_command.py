"""`scoresep export`: the stems of a project, its mix or its alignment, for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from scoresep.cli.parts import part_named
from scoresep.cli.terminal import Terminal, counted
from scoresep.errors import InputError, OutputError, UsageError
from scoresep.files.export_audio import DEFAULT_TEMPLATE
from scoresep.files.project_files import load_project
from scoresep.model.project import Project
from scoresep.model.timebase import second_to_frame
from scoresep.session.exporting import ALIGNMENT_FORMS, ExportChoices, export_request, files_in_the_way
from scoresep.session.exporting import export as export_files

RESIDUAL = "residual"
SOUND_OPTIONS = ("mix", "part", "bits", "start", "end", "template")


def export(options: argparse.Namespace, terminal: Terminal, open_window: Callable[[Sequence[str]], int]) -> int:
    """Export what the options say."""
    loaded = load_project(Path(options.project))
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
    terminal.say(f"{counted(len(report.files), 'file')} in {report.folder}: {', '.join(report.files)}")
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
    )


def _part(name: str, project: Project) -> int | None:
    return None if name.casefold() == RESIDUAL else part_named(name, project)
