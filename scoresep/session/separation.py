"""The separations of a session: started, listened to while they run, and told when their stems are out of date."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scoresep.errors import InputError
from scoresep.model.project import Project, Recipe, StemSet, change_to
from scoresep.session.jobs import Worker
from scoresep.session.project_store import StemHome
from scoresep.session.separation_job import (
    ReusableStems,
    SeparationAnswer,
    StemsSoFar,
    separate_recording,
    separation_request,
)
from scoresep.session.state import Jobs, ProjectState

STEM_FIELDS = ("recording", "score", "path", "alignment", "parts", "recipe", "stem_set")
_KEY = "separation"


@dataclass(frozen=True)
class Staleness:
    """Whether stems are out of date, and how much of the recording has to be worked on to bring them up to date.

    Attributes
    ----------
    is_stale : bool
    changed_frames : int
        Of the recording; all of them where nothing of the stems is of use any more.
    """

    is_stale: bool
    changed_frames: int


class SeparationUseCase:
    """Separation of the present project in the background.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    homes : StemHome
        Gives the folders.
    """

    def __init__(self, state: ProjectState, jobs: Jobs, homes: StemHome) -> None:
        self._state, self._jobs, self._homes = state, jobs, homes
        self._stems_are_of: tuple[object, ...] = ()
        self._must_sweep = False
        self._spared_key = ""
        self._known: tuple[tuple[object, ...], Staleness] | None = None
        state.after_telling(self._adapt)

    def start(self, recipe: Recipe | None = None, device: str | None = None) -> None:
        """Make the stems in the background; those that were made of the very same before are taken again.

        Parameters
        ----------
        recipe : Recipe, optional
            That of the project by default.
        device : str, optional
            ``auto``, ``cpu``, ``cuda`` or ``mps``; that of the settings by default.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        OutputError
            If there is no place for them.
        """
        state, homes = self._state, self._homes
        wanted = state.project if recipe is None else replace(state.project, recipe=recipe)
        request = separation_request(wanted, "", device or state.settings.device)
        self._stems_are_of = _stems_are_of(wanted)

        def take(stem_set: StemSet) -> None:
            # what was chosen of the recipe meanwhile stays
            chosen = state.project.recipe if recipe is None else request.recipe
            state.apply(change_to(state.project, "Separate", recipe=chosen, stem_set=stem_set))

        def got(answer: SeparationAnswer) -> None:
            self._spared_key = ""
            take(answer.stem_set)
            for warning in answer.warnings:
                state.messages.say("warning", warning, key=_KEY)

        made_before = homes.find(request.input_key)
        if made_before is not None:
            take(made_before)
            text = "These stems were separated before, of just the same; they are here again."
            state.messages.say("info", text, key=_KEY)
            return
        present = state.project.stem_set
        request = replace(
            request,
            folder=str(homes.new_folder(request.input_key)),
            earlier="" if present is None else present.folder,
            keeps_learned=True,
        )
        self._spared_key = request.making_key  # what a killed worker has finished of these is gone on from
        homes.sweep(self._spared_key)
        self._must_sweep = True
        self._jobs.start(_KEY, "Separate", separate_recording, (request,), got, Worker.TORCH)

    def poll(self) -> None:
        """Tidy up after separations that were cancelled."""
        if self._must_sweep and self._jobs.get(_KEY) is None and not self._jobs.runner.is_tidying:
            self._must_sweep = False
            self._homes.sweep(self._spared_key)

    @property
    def stems_so_far(self) -> StemsSoFar | None:
        """The stems that are being made, as far as they are finished; None where none are."""
        job = self._jobs.get(_KEY)
        finished = None if job is None else job.progress.finished
        return finished if isinstance(finished, StemsSoFar) else None

    @property
    def staleness(self) -> Staleness:
        """How far the stems are from what would be made now: by another alignment, other parts or another recipe."""
        project = self._state.project
        inputs = tuple(getattr(project, field) for field in STEM_FIELDS)
        known = self._known
        if known is None or any(a is not b for a, b in zip(known[0], inputs, strict=True)):
            self._known = known = inputs, _staleness(project)
        return known[1]

    @property
    def has_stale_stems(self) -> bool:
        """Whether the stems were made of another alignment, other parts or another recipe than the present ones."""
        return self.staleness.is_stale

    def _adapt(self, what: frozenset[str]) -> None:
        """End a separation of another recording or score than the present ones."""
        job = self._jobs.get(_KEY)
        if not what & {"recording", "score"} or job is None:
            return
        if self._stems_are_of != _stems_are_of(self._state.project):
            self._jobs.cancel(job)
            text = "The separation was stopped, since another recording or score is open."
            self._state.messages.say("info", text, key=_KEY)


def _stems_are_of(project: Project) -> tuple[object, ...]:
    """Return what stems cannot be used without: the recording, and the parts that they are counted by."""
    content_key = None if project.recording is None else project.recording.content_key
    return content_key, () if project.score is None else tuple(part.name for part in project.score.parts)


def _staleness(project: Project) -> Staleness:
    stem_set = project.stem_set
    if stem_set is None or project.alignment is None or project.recording is None:
        return Staleness(False, 0)
    frames = project.recording.frames
    try:
        request = separation_request(project, stem_set.folder)
    except InputError:
        return Staleness(True, frames)
    if request.input_key == stem_set.input_key:
        return Staleness(False, 0)
    earlier = ReusableStems.of(replace(request, earlier=stem_set.folder))
    return Staleness(True, frames if earlier is None else earlier.changed_frames())
