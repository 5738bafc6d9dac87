"""The separations of a session: started, listened to while they run, and told when their stems are out of date."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scoresep.errors import InputError
from scoresep.model.project import Project, Recipe, StemSet, change_to
from scoresep.session.earlier_stems import EarlierStems
from scoresep.session.jobs import Worker
from scoresep.session.project_store import ProjectStore
from scoresep.session.separating import SeparationAnswer, separate_recording
from scoresep.session.separation_request import separation_request
from scoresep.session.state import SessionState
from scoresep.session.stem_making import StemsSoFar

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


class Separations:
    """Makes stems for a session.

    Parameters
    ----------
    session : SessionState
    store : ProjectStore
        Gives the folders.
    """

    def __init__(self, session: SessionState, store: ProjectStore) -> None:
        self._session, self._store = session, store
        self._stems_are_of: tuple[object, ...] = ()
        self._must_sweep = False
        self._spared_key = ""
        self._known: tuple[tuple[object, ...], Staleness] | None = None

    def start(self, recipe: Recipe | None, device: str) -> None:
        """Make the stems in the background; those that were made of the very same before are taken again.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        OutputError
            If there is no place for them.
        """
        session, store = self._session, self._store
        wanted = session.project if recipe is None else replace(session.project, recipe=recipe)
        request = separation_request(wanted, "", device)
        self._stems_are_of = _stems_are_of(wanted)

        def take(stem_set: StemSet) -> None:
            # what was chosen of the recipe meanwhile stays
            chosen = session.project.recipe if recipe is None else request.recipe
            session.apply(change_to(session.project, "Separate", recipe=chosen, stem_set=stem_set))

        def got(answer: SeparationAnswer) -> None:
            self._spared_key = ""
            take(answer.stem_set)
            for warning in answer.warnings:
                session.say("warning", warning, _KEY)

        made_before = store.find_stems(request.input_key)
        if made_before is not None:
            take(made_before)
            session.say("info", "These stems were made before, of just the same; they are here again.", _KEY)
            return
        present = session.project.stem_set
        request = replace(
            request,
            folder=str(store.stem_folder(request.input_key)),
            earlier="" if present is None else present.folder,
            keeps_learned=True,
        )
        self._spared_key = request.making_key  # what a killed worker has finished of these is gone on from
        store.sweep(self._spared_key)
        self._must_sweep = True
        session.start_job(_KEY, "Separate", separate_recording, (request,), got, Worker.TORCH)

    def poll(self) -> None:
        """Tidy up after separations that were cancelled."""
        if self._must_sweep and self._session.job(_KEY) is None and not self._session.runner.is_tidying:
            self._must_sweep = False
            self._store.sweep(self._spared_key)

    def adapt(self) -> None:
        """End a separation of another recording or score than the present ones."""
        job = self._session.job(_KEY)
        if job is not None and self._stems_are_of != _stems_are_of(self._session.project):
            self._session.cancel(job)
            text = "The separation was stopped, since another recording or score is open."
            self._session.say("info", text, _KEY)

    @property
    def so_far(self) -> StemsSoFar | None:
        """The stems that are being made, as far as they are finished; None where none are."""
        job = self._session.job(_KEY)
        finished = None if job is None else job.progress.finished
        return finished if isinstance(finished, StemsSoFar) else None

    @property
    def staleness(self) -> Staleness:
        """How far the stems are from what would be made now: by another alignment, other parts or another recipe."""
        project = self._session.project
        inputs = tuple(getattr(project, field) for field in STEM_FIELDS)
        known = self._known
        if known is None or any(a is not b for a, b in zip(known[0], inputs, strict=True)):
            self._known = known = inputs, _staleness(project)
        return known[1]


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
    earlier = EarlierStems.of(replace(request, earlier=stem_set.folder))
    return Staleness(True, frames if earlier is None else earlier.changed_frames())
