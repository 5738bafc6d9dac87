"""What stems depend on, gathered from a project as one frozen value that can be handed to a worker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from scoresep.errors import InputError
from scoresep.model.alignment import SoundingNotes, sounding_notes
from scoresep.model.audio import Recording
from scoresep.model.project import Project, Recipe
from scoresep.model.segments import segments_of
from scoresep.session import pipeline


@dataclass(frozen=True)
class SeparationRequest:
    """All that stems depend on, and where they go.

    Attributes
    ----------
    recording : Recording
    notes : SoundingNotes
    stem_parts : tuple of int
        The part that owns each stem.
    stem_names : tuple of str
        Name of each stem.
    recipe : Recipe
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    folder : str
        Where the stems are written.
    wanted : tuple of int or None
        Stems that are written; what the others hold goes into the residual. None for all.
    edges : tuple of int
        Frames at which segments meet: about these the work is divided.
    earlier : str
        Folder of stems that were made before: what would come out the same is taken from there. Empty for none.
    keeps_learned : bool
        Whether what was learned is kept beside the stems.
    """

    recording: Recording
    notes: SoundingNotes
    stem_parts: tuple[int, ...]
    stem_names: tuple[str, ...]
    recipe: Recipe
    device: str
    folder: str
    wanted: tuple[int, ...] | None = None
    edges: tuple[int, ...] = ()
    earlier: str = ""
    keeps_learned: bool = False

    @property
    def input_key(self) -> str:
        """Content key of everything that decides how the stems sound."""
        digest = hashlib.blake2b(digest_size=16)
        notes = self.notes
        for column in (notes.stem_index, notes.pitch_midi, notes.onset_frame, notes.offset_frame, notes.confidence):
            digest.update(np.ascontiguousarray(column).tobytes())
        values = (
            self.recording.content_key,
            notes.stem_count,
            notes.programs,
            self.stem_parts,
            self.recipe,
            self.wanted,
        )
        digest.update(repr(values).encode())
        return digest.hexdigest()

    @property
    def making_key(self) -> str:
        """Content key of that, and of how it is made: who has this one may go on with what another has half made."""
        version = import_module("scoresep").__version__  # by name: the package is above this layer
        how = (self.input_key, version, self.device, Path(self.earlier).name)
        return hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()


def separation_request(
    project: Project, folder: str, device: str = "auto", part_indices: tuple[int, ...] | None = None
) -> SeparationRequest:
    """Gather what the stems of the project depend on.

    Parameters
    ----------
    project : Project
    folder : str
    device : str
    part_indices : tuple of int, optional
        Parts whose stems are wanted; all by default.

    Raises
    ------
    InputError
        If the project is not aligned.
    """
    recording, unfolded, alignment = pipeline.aligned(project)
    owners = project.stem_owners
    if not owners:
        raise InputError("Every part is marked as absent from this recording; leave at least one in.")
    programs = tuple(project.parts[i].instrument.program for i in owners)
    notes = sounding_notes(unfolded, alignment, project.stem_of_part, programs)
    names = tuple(project.parts[i].name for i in owners)
    wanted = None
    if part_indices is not None:
        stems = {project.stem_of_part[i] for i in part_indices}
        wanted = tuple(sorted(s for s in stems if s is not None))
    activities = pipeline.sounding_activities(project)
    edges = tuple(s.end_frame for s in segments_of(activities, recording.frames)) if activities else ()
    return SeparationRequest(recording, notes, owners, names, project.recipe, device, folder, wanted, edges)
