"""Separating a recording into a folder of stems.

`separate_recording` works on frozen inputs, for workers; `separate` goes from project to project for scripts, as in
`pipeline`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from scoresep.engines.separation import BUDGETS, engine_names
from scoresep.engines.separation.devices import DeviceState, device_states
from scoresep.errors import UsageError
from scoresep.files.audio_files import open_source
from scoresep.files.learned_files import LEARNED_NAME
from scoresep.files.stem_files import StemFolderWriter
from scoresep.model.project import Project, Recipe, StemSet, apply_change
from scoresep.progress import Progress
from scoresep.session import edits, pipeline
from scoresep.session.recipes import recipe_entry
from scoresep.session.separation_request import SeparationRequest, separation_request
from scoresep.session.stem_making import StemMaking


@dataclass(frozen=True)
class SeparationAnswer:
    """Stems that were made, and what a person should know of the making."""

    stem_set: StemSet
    warnings: tuple[str, ...] = ()


def check_recipe(recipe: Recipe) -> None:
    """Refuse an engine or a quality that does not exist, before any work is done.

    Raises
    ------
    UsageError
    """
    names = engine_names()
    for engine in (recipe.engine, *(rule.engine for rule in recipe.rules)):
        if engine not in names:
            raise UsageError(f"There is no engine “{engine}”; choose one of {', '.join(names)}.")
    for budget in (recipe.budget, *(rule.budget for rule in recipe.rules)):
        if budget not in BUDGETS:
            raise UsageError(f"There is no quality “{budget}”; choose one of {', '.join(BUDGETS)}.")


def devices_here(progress: Progress) -> tuple[DeviceState, ...]:
    """Say what this machine can compute on, and why not on the rest; runs in a worker, since it takes torch to tell."""
    progress.check()
    return device_states()


def separate_recording(request: SeparationRequest, progress: Progress) -> SeparationAnswer:
    """Separate a recording into a folder of stems.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    SeparationError, DeviceError, Cancelled
    """
    check_recipe(request.recipe)
    wanted = tuple(range(request.notes.stem_count)) if request.wanted is None else request.wanted
    parts = tuple((request.stem_parts[i], request.stem_names[i]) for i in wanted)
    writer = StemFolderWriter(Path(request.folder), request.recording, parts, request.making_key)
    try:
        with open_source(request.recording) as source:
            report = StemMaking(request, wanted, source, writer).run(progress)
        kept = (LEARNED_NAME,) if request.keeps_learned else ()
        recipe = recipe_entry(request.recipe)
        stem_set = writer.finish(report.engine, report.device, request.input_key, recipe, kept)
    except BaseException:
        writer.abort()
        raise
    return SeparationAnswer(stem_set, report.warnings)


def separate(
    project: Project,
    folder: str | Path,
    recipe: Recipe | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Project:
    """Return the project with its stems made in `folder`; it is aligned first where it is not yet.

    Raises
    ------
    InputError, OutputError, SeparationError, DeviceError, Cancelled
    """
    progress = progress or Progress()
    if recipe is not None:
        project = replace(project, recipe=recipe)
    if project.alignment is None:
        project = pipeline.align(project, progress.part(0.0, 0.2))
        progress = progress.part(0.2, 1.0)
    answer = separate_recording(separation_request(project, str(folder), device), progress)
    return apply_change(project, edits.set_stems(project, answer.stem_set))
